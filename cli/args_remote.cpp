// SPDX-License-Identifier: Apache-2.0
// Commands that talk to an agent at BERTH_ADDR.
#include <CLI/CLI.hpp>
#include <memory>

#include "cli/args.hpp"
#include "cli/completion.hpp"
#include "cli/remote/commands.hpp"

namespace berth::cli {
namespace {

void add_json(CLI::App& command, bool& json) {
  command.add_flag("--json", json, "JSON, one object a line, for programs");
}

// One function object for each command: its options live as long as the command line.
template <typename Options, typename Run>
std::shared_ptr<Options> command_of(CLI::App& command, Chosen& chosen, Run run) {
  const auto options = std::make_shared<Options>();
  command.callback([options, run, &chosen] { chosen = [options, run] { return run(*options); }; });
  return options;
}

void add_listing(CLI::App& app, Chosen& chosen, Listing what, const char* name, const char* about) {
  CLI::App* list = app.add_subcommand(name, about);
  const auto options = command_of<ListOptions>(*list, chosen, list_command);
  options->what = what;
  list->add_option("--job", options->job, "of this job only")->type_name("JOB");
  add_json(*list, options->json);
}

void add_apply(CLI::App& app, Chosen& chosen, const char* name, const char* about, int (*run)(const ApplyOptions&)) {
  CLI::App* apply = app.add_subcommand(name, about);
  const auto options = command_of<ApplyOptions>(*apply, chosen, run);
  apply->add_option("file", options->job.file, "the job file")->type_name("JOB.yaml")->required();
  apply->add_option("--set", options->job.sets, "set any key of the job file, e.g. --set slots=4 (repeatable)")
      ->type_name("KEY=VALUE")
      ->take_all()
      ->expected(1);
  apply->add_option("--driver", options->job.driver, "where containers run; the file says otherwise")
      ->type_name("DRIVER")
      ->check(CLI::IsMember({"local", "docker", "nomad"}));
  add_json(*apply, options->json);
}

void add_jobs(CLI::App& app, Chosen& chosen) {
  add_apply(app, chosen, "plan", "show what applying a job file would change on the agent", plan_command);
  add_apply(app, chosen, "apply", "make the agent keep a job file's pool", apply_command);
  CLI::App* remove = app.add_subcommand("delete", "end a job of the agent, when its leases have ended");
  const auto options = command_of<DeleteOptions>(*remove, chosen, delete_command);
  remove->add_option("job", options->job, "its name, or its file")->type_name("JOB")->required();
  remove->add_flag("--force", options->force, "end its leases now");
  add_json(*remove, options->json);
}

void add_events(CLI::App& app, Chosen& chosen) {
  CLI::App* events = app.add_subcommand("events", "what happened to jobs, containers, slots and leases");
  const auto options = command_of<EventsOptions>(*events, chosen, events_command);
  events->add_flag("-f,--follow", options->follow, "go on with what happens from now on");
  events->add_option("--after", options->after, "only what came after this event")->type_name("ID");
  add_json(*events, options->json);
}

void add_acquire(CLI::App& app, Chosen& chosen) {
  CLI::App* acquire = app.add_subcommand("acquire", "lease a slot; prints the lease");
  const auto options = command_of<AcquireOptions>(*acquire, chosen, acquire_command);
  acquire->add_option("--job", options->job, "of this job")->type_name("JOB")->required();
  acquire->add_option("--trajectory", options->trajectory, "its name: the same one gets its live lease again")
      ->type_name("NAME");
  acquire->add_option("--wait", options->wait, "how long to wait for a free slot")
      ->type_name("DURATION")
      ->capture_default_str();
  acquire->add_option("--ttl", options->ttl, "its longest life; the job says otherwise")->type_name("DURATION");
  acquire->add_option("--idle", options->idle, "its end without use; the job says otherwise")->type_name("DURATION");
  acquire->add_option("--label", options->labels, "a word of your own, shown in lists (repeatable)")
      ->type_name("KEY=VALUE")
      ->take_all()
      ->expected(1);
  add_json(*acquire, options->json);
  acquire->footer("Exit codes: 0 leased, 2 bad usage, 3 no slot within the wait, or the agent does not answer.");
}

void add_leases(CLI::App& app, Chosen& chosen) {
  CLI::App* release = app.add_subcommand("release", "give slots back; each is reset before anybody else gets it");
  const auto released = command_of<LeaseOptions>(*release, chosen, release_command);
  release->add_option("lease", released->leases, "the leases")->type_name("LEASE...")->required();
  add_json(*release, released->json);
  CLI::App* reset = app.add_subcommand("reset", "give a slot back and take a clean one; prints the new lease");
  const auto options = command_of<LeaseOptions>(*reset, chosen, reset_command);
  reset->add_option("lease", options->leases, "the leases")->type_name("LEASE...")->required();
  reset->add_option("--wait", options->wait, "how long to wait for a clean slot")
      ->type_name("DURATION")
      ->capture_default_str();
  add_json(*reset, options->json);
}

void add_files(CLI::App& app, Chosen& chosen) {
  CLI::App* copy = app.add_subcommand("cp", "copy files or folders into a slot, or out of it");
  const auto options = command_of<CopyOptions>(*copy, chosen, copy_command);
  copy->add_option("from", options->from, "PATH, or LEASE:PATH")->type_name("FROM")->required();
  copy->add_option("to", options->to, "LEASE:PATH, or PATH")->type_name("TO")->required();
  add_json(*copy, options->json);
  copy->footer("Example: berth cp ./project $LEASE:project && berth cp $LEASE:project/report.xml .");
  CLI::App* logs =
      app.add_subcommand("logs", "the output that an execution has written so far, or the log of a container");
  const auto wanted = command_of<LogsOptions>(*logs, chosen, logs_command);
  logs->add_option("whose", wanted->whose, "the lease, or a container")->type_name("LEASE|CONTAINER")->required();
  logs->add_option("execution", wanted->execution, "the execution's id; none: a container's log")
      ->type_name("EXECUTION");
  logs->add_option("--stream", wanted->stream, "which one")
      ->check(CLI::IsMember({"stdout", "stderr", "terminal"}))
      ->capture_default_str();
  logs->add_flag("-f,--follow", wanted->follow, "until the execution has ended, or the container is gone");
}

}  // namespace

void add_remote_commands(CLI::App& app, Chosen& chosen) {
  add_jobs(app, chosen);
  add_listing(app, chosen, Listing::jobs, "jobs", "list the agent's jobs");
  add_listing(app, chosen, Listing::containers, "containers", "list its containers");
  add_listing(app, chosen, Listing::slots, "slots", "list its slots");
  add_listing(app, chosen, Listing::leases, "leases", "list its leases");
  add_events(app, chosen);
  add_acquire(app, chosen);
  add_leases(app, chosen);
  add_files(app, chosen);
  add_completion_command(app, chosen);
}

}  // namespace berth::cli

// SPDX-License-Identifier: Apache-2.0
// Commands about job files.
#include <CLI/CLI.hpp>
#include <memory>

#include "cli/args.hpp"
#include "cli/options.hpp"

namespace berth::cli {
namespace {

void add_job_options(CLI::App& command, JobOptions& options) {
  command.add_option("--set", options.sets, "set any key of the job file, e.g. --set slots=4 (repeatable)")
      ->type_name("KEY=VALUE")
      ->take_all()
      ->expected(1);
  command.add_option("--driver", options.driver, "where containers run; the file says otherwise")
      ->type_name("DRIVER")
      ->check(CLI::IsMember({"local", "docker", "nomad"}));
  command.add_option("--slotd", options.slotd, "the berth-slotd program to use")->type_name("PATH");
}

void add_file(CLI::App& command, JobOptions& options) {
  command.add_option("file", options.file, "the job file")->type_name("JOB.yaml")->required();
}

void add_run(CLI::App& app, Chosen& chosen) {
  const auto options = std::make_shared<RunOptions>();
  CLI::App* run = app.add_subcommand("run",
                                     "bring a job up, run its steps, show the results, take it down; at BERTH_ADDR, "
                                     "if that is set");
  add_file(*run, options->job);
  add_job_options(*run, options->job);
  run->add_flag("--json", options->json, "one JSON object a line and step instead of the table");
  run->add_flag("--keep", options->keep, "leave the slots as they are at the end, and say how to reach them");
  run->footer(
      "Exit codes: 0 every step succeeded, 1 a step failed, 2 bad usage or bad file, 3 the platform failed, 130 "
      "interrupted.\n"
      "Example: berth run examples/quickstart.yaml --set trajectories=4");
  run->callback([options, &chosen] { chosen = [options] { return run_command(*options); }; });
}

void add_exec(CLI::App& app, Chosen& chosen) {
  const auto options = std::make_shared<ExecOptions>();
  CLI::App* exec = app.add_subcommand("exec", "run one command in a slot; streams, passes the exit code");
  exec->add_option("--job", options->job.file, "a job file, or the name of a job of the agent: a slot for this command")
      ->type_name("JOB");
  add_job_options(*exec, options->job);
  exec->add_option("--timeout", options->timeout, "time limit of the command")
      ->type_name("DURATION")
      ->capture_default_str();
  exec->add_flag("-i,--stdin", options->with_stdin, "pass standard input on (read whole, at most 1 MiB)");
  exec->add_option("target", options->target, "without --job: a lease, or the slot CONTAINER:slot_N that it holds")
      ->type_name("[LEASE|SLOT]");
  exec->add_option("command", options->command, "the command and its arguments, after --")->type_name("-- CMD...");
  exec->footer(
      "Exit codes: the command's; 124 its time limit passed, 125 the platform failed, 2 bad usage or bad file, 130 "
      "interrupted.\n"
      "With BERTH_ADDR set, or with a lease, the slot is an agent's.\n"
      "Example: berth exec --job examples/quickstart.yaml -- sh -c 'echo $HOME'");
  exec->callback([options, &chosen] { chosen = [options] { return exec_command(*options); }; });
}

void add_validate(CLI::App& app, Chosen& chosen) {
  const auto options = std::make_shared<ValidateOptions>();
  CLI::App* validate = app.add_subcommand("validate", "check a job file without running it");
  add_file(*validate, options->job);
  add_job_options(*validate, options->job);
  validate->add_flag("--json", options->json, "one JSON object with every error and its place");
  validate->callback([options, &chosen] { chosen = [options] { return validate_command(*options); }; });
}

void add_bench(CLI::App& app, Chosen& chosen) {
  const auto options = std::make_shared<BenchOptions>();
  CLI::App* bench = app.add_subcommand("bench", "measure this machine against the budgets (berth-bench)");
  bench->allow_extras()->prefix_command();
  bench->footer("Every option goes to berth-bench; berth-bench --help shows them.");
  bench->callback([options, bench, &chosen] {
    options->arguments = bench->remaining();
    if (!options->arguments.empty() && options->arguments.front() == "--")
      options->arguments.erase(options->arguments.begin());
    chosen = [options] { return bench_command(*options); };
  });
}

}  // namespace

void add_local_commands(CLI::App& app, Chosen& chosen) {
  add_run(app, chosen);
  add_exec(app, chosen);
  add_validate(app, chosen);
  add_bench(app, chosen);
  app.add_subcommand("schema", "print the JSON schema of job files, for editors")->callback([&chosen] {
    chosen = schema_command;
  });
  app.add_subcommand("version", "print the version")->callback([&chosen] { chosen = version_command; });
}

}  // namespace berth::cli

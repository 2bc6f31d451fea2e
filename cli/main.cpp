// SPDX-License-Identifier: Apache-2.0
// The command line of `berth`.
#include <CLI/CLI.hpp>
#include <cstdio>
#include <functional>

#include "base/log.hpp"
#include "cli/options.hpp"

namespace {

using namespace berth::cli;  // NOLINT: the program's own namespace, in its main file

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

CLI::App* add_run(CLI::App& app, RunOptions& options) {
  CLI::App* run = app.add_subcommand("run", "bring a job up, run its steps, show the results, take it down");
  add_file(*run, options.job);
  add_job_options(*run, options.job);
  run->add_flag("--json", options.json, "one JSON object a line and step instead of the table");
  run->add_flag("--keep", options.keep, "leave the slots as they are at the end");
  run->footer(
      "Exit codes: 0 every step succeeded, 1 a step failed, 2 bad usage or bad file, 3 the platform failed, 130 "
      "interrupted.\n"
      "Example: berth run examples/quickstart.yaml --set trajectories=4");
  return run;
}

CLI::App* add_exec(CLI::App& app, ExecOptions& options) {
  CLI::App* exec =
      app.add_subcommand("exec", "run one command in a slot of a job's pool; streams, passes the exit code");
  exec->add_option("--job", options.job.file, "the job file")->type_name("JOB.yaml")->required();
  add_job_options(*exec, options.job);
  exec->add_option("--timeout", options.timeout, "time limit of the command")
      ->type_name("DURATION")
      ->capture_default_str();
  exec->add_flag("-i,--stdin", options.with_stdin, "pass standard input on (read whole, at most 1 MiB)");
  exec->add_option("command", options.command, "the command and its arguments, after --")
      ->type_name("CMD...")
      ->required();
  exec->footer(
      "Exit codes: the command's; 124 its time limit passed, 125 the platform failed, 2 bad usage or bad file, 130 "
      "interrupted.\n"
      "Example: berth exec --job examples/quickstart.yaml -- sh -c 'echo $HOME'");
  return exec;
}

CLI::App* add_validate(CLI::App& app, ValidateOptions& options) {
  CLI::App* validate = app.add_subcommand("validate", "check a job file without running it");
  add_file(*validate, options.job);
  add_job_options(*validate, options.job);
  validate->add_flag("--json", options.json, "one JSON object with every error and its place");
  return validate;
}

int parse_and_run(int argc, char** argv) {
  CLI::App app("Berth: isolated slots for tool calls, in containers that are already running", "berth");
  app.require_subcommand(0, 1);  // none is told below, so that an unknown option is named first
  app.set_version_flag("--version", "berth " BERTH_VERSION);
  RunOptions run_options;
  ExecOptions exec_options;
  ValidateOptions validate_options;
  std::function<int()> chosen;
  add_run(app, run_options)->callback([&] { chosen = [&] { return run_command(run_options); }; });
  add_exec(app, exec_options)->callback([&] { chosen = [&] { return exec_command(exec_options); }; });
  add_validate(app, validate_options)->callback([&] { chosen = [&] { return validate_command(validate_options); }; });
  app.add_subcommand("schema", "print the JSON schema of job files, for editors")->callback([&] {
    chosen = schema_command;
  });
  app.add_subcommand("version", "print the version")->callback([&] { chosen = version_command; });
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    return app.exit(error) == 0 ? kSuccess : kUsage;
  }
  if (chosen) return chosen();
  std::fputs("A command is required: run, exec, validate, schema or version\nRun with --help for more information.\n",
             stderr);
  return kUsage;
}

}  // namespace

int main(int argc, char** argv) {
  berth::configure_log(berth::LogLevel::warning, berth::LogFormat::text);
  return parse_and_run(argc, argv);
}

// SPDX-License-Identifier: Apache-2.0
// Commands that need no agent, and what all job commands share.
#include <unistd.h>

#include <cstdio>
#include <nlohmann/json.hpp>

#include "base/fd.hpp"
#include "base/json.hpp"
#include "cli/options.hpp"
#include "cli/remote/remote.hpp"
#include "cli/terminal.hpp"

namespace berth::cli {
namespace {

std::optional<jobs::DriverKind> driver_of(const std::string& name) {
  for (const auto kind : {jobs::DriverKind::local, jobs::DriverKind::docker, jobs::DriverKind::nomad})
    if (name == jobs::to_string(kind)) return kind;
  return std::nullopt;
}

tl::expected<jobs::Job, jobs::Diagnostics> load_quietly(const JobOptions& options) {
  jobs::LoadOptions how;
  how.sets = options.sets;
  if (!options.driver.empty()) how.driver = driver_of(options.driver);
  return jobs::load_job(options.file, how);
}

Json to_json(const jobs::Diagnostics& complaints) {
  Json list = Json::array();
  for (const jobs::Diagnostic& each : complaints)
    list.push_back(
        {{"file", each.file}, {"line", each.at.line}, {"column", each.at.column}, {"message", each.message}});
  return list;
}

}  // namespace

std::optional<jobs::Job> load(const JobOptions& options) {
  auto job = load_quietly(options);
  if (job) return std::move(*job);
  for (const jobs::Diagnostic& each : job.error())
    std::fprintf(stderr, "%s\n", harmless_line(jobs::to_string(each), 4000).c_str());
  return std::nullopt;
}

std::optional<int> refuse_what_is_not_here(const jobs::Job& job) {
  // An agent elsewhere says itself what it has.
  if (job.driver != jobs::DriverKind::nomad || has_agent_address()) return std::nullopt;
  print_error({"not_here", "this version has no driver nomad, which the job wants",
               "run it on this machine with --driver local or --driver docker"});
  return kPlatform;
}

int validate_command(const ValidateOptions& options) {
  const auto job = load_quietly(options.job);
  const auto trajectories = job ? jobs::load_trajectories(*job) : tl::unexpected(job.error());
  if (options.json) {
    Json answer{{"valid", trajectories.has_value()},
                {"file", options.job.file},
                {"errors", Json::array()},
                {"notes", Json::array()}};
    if (!trajectories) answer["errors"] = to_json(trajectories.error());
    if (job) answer["notes"] = job->notes;
    print_out(dump_json(answer) + "\n");
    return trajectories ? kSuccess : kUsage;
  }
  if (!trajectories) {
    for (const jobs::Diagnostic& each : trajectories.error())
      std::fprintf(stderr, "%s\n", harmless_line(jobs::to_string(each), 4000).c_str());
    return kUsage;
  }
  for (const std::string& note : job->notes) print_warning(note);
  print_out(options.job.file + ": valid; job " + job->name + ", driver " + std::string(jobs::to_string(job->driver)) +
            ", " + std::to_string(trajectories->size()) + " trajectories, " + std::to_string(job->steps.size()) +
            " steps, " + std::to_string(job->slots) + " slots a container\n");
  return kSuccess;
}

int schema_command() {
  print_out(jobs::job_schema() + "\n");
  return kSuccess;
}

int version_command() {
  print_out("berth " BERTH_VERSION "\n");
  return kSuccess;
}

}  // namespace berth::cli

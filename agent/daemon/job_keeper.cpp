// SPDX-License-Identifier: Apache-2.0
#include "agent/daemon/job_keeper.hpp"

#include <nlohmann/json.hpp>

#include "agent/api/plan.hpp"
#include "base/json.hpp"
#include "base/log.hpp"

namespace berth::agent {
namespace {

// "slots: 4 -> 8". The values of env are nobody's business here.
std::string text_of(const Json& change) {
  const auto key = change.at("key").get<std::string>();
  if (key.starts_with("env.")) return key;
  return key + ": " + dump_json(change.at("from")) + " -> " + dump_json(change.at("to"));
}

void log_plan(const std::string& file, const jobs::Job& job, const Json& plan) {
  std::string changes;
  const bool create = plan.at("action") == "create";
  for (const Json& each : plan.at("changes"))
    if (!create) changes += (changes.empty() ? "" : "; ") + text_of(each);
  log(LogLevel::info, "plan",
      {{"job", job.name},
       {"file", file},
       {"action", plan.at("action").get<std::string>()},
       {"changes", changes},
       {"containers", std::to_string(job.containers.min) + ".." + std::to_string(job.containers.max)},
       {"slots", std::to_string(job.slots)},
       {"replaces_containers", plan.at("replaces_containers") == true ? "yes" : "no"}});
}

}  // namespace

std::string JobKeeper::file_of(const std::string& job) const {
  const auto found = files_.find(job);
  return found == files_.end() ? std::string() : found->second;
}

JobKeeper::Summary JobKeeper::take(const std::vector<FolderJob>& folder) {
  Summary summary;
  std::map<std::string, std::string> claims;
  // A file that cannot be read keeps what it had, before anybody else may claim it.
  for (const FolderJob& each : folder) {
    if (each.job) continue;
    for (const auto& [job, file] : files_)
      if (file == each.file) claims.emplace(job, file);
  }
  for (const FolderJob& each : folder) take_one(each, claims, summary);
  remove_unclaimed(claims, summary);
  files_ = std::move(claims);
  return summary;
}

void JobKeeper::take_one(const FolderJob& each, std::map<std::string, std::string>& claims, Summary& summary) {
  if (!each.job) {
    ++summary.refused;
    for (const jobs::Diagnostic& complaint : each.job.error())
      log(LogLevel::error, "job file refused", {{"at", jobs::to_string(complaint)}});
    return;
  }
  jobs::Job job = *each.job;
  const auto [claim, first] = claims.emplace(job.name, each.file);
  if (!first) {
    ++summary.refused;
    log(LogLevel::error, "job file refused",
        {{"at", each.file + ": job " + job.name + " stands in " + claim->second + " too"}});
    return;
  }
  if (!job.inputs.empty())
    log(LogLevel::warning,
        "inputs of a job in the folder are left out: an agent reads none, berth apply packs and sends",
        {{"job", job.name}, {"file", each.file}});
  job.inputs.clear();
  const Json plan = plan_of(board_.find(job.name), job);
  if (plan.at("action") == "none") {
    ++summary.unchanged;
    return;
  }
  log_plan(each.file, job, plan);
  board_.apply(job);
  ++summary.applied;
}

void JobKeeper::remove_unclaimed(const std::map<std::string, std::string>& claims, Summary& summary) {
  for (const auto& [job, file] : files_) {
    if (claims.contains(job) || board_.find(job) == nullptr) continue;
    log(LogLevel::info, "plan", {{"job", job}, {"file", file}, {"action", "remove"}});
    board_.remove(job);
    ++summary.removed;
  }
}

}  // namespace berth::agent

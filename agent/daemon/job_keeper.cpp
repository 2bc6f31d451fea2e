// SPDX-License-Identifier: Apache-2.0
#include "agent/daemon/job_keeper.hpp"

#include <algorithm>

#include "base/log.hpp"
#include "jobs/changes.hpp"

namespace berth::agent {
namespace {

void log_plan(const std::string& file, const jobs::Job& job, const jobs::Job* before) {
  std::string plan;
  bool rebuilds = false;
  if (before != nullptr) {
    for (const jobs::Change& each : jobs::changes(*before, job)) {
      plan += (plan.empty() ? "" : "; ") + jobs::to_string(each);
      rebuilds = rebuilds || each.rebuilds;
    }
  }
  const std::string change = before == nullptr ? "create" : "update";
  log(LogLevel::info, "plan",
      {{"job", job.name},
       {"file", file},
       {"change", change},
       {"changes", plan},
       {"containers", std::to_string(job.containers.min) + ".." + std::to_string(job.containers.max)},
       {"slots", std::to_string(job.slots)},
       {"replaces_containers", rebuilds ? "yes" : "no"}});
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
  const jobs::Job& job = *each.job;
  const auto [claim, first] = claims.emplace(job.name, each.file);
  if (!first) {
    ++summary.refused;
    log(LogLevel::error, "job file refused",
        {{"at", each.file + ": job " + job.name + " stands in " + claim->second + " too"}});
    return;
  }
  const jobs::Job* before = board_.find(job.name);
  if (before != nullptr && jobs::changes(*before, job).empty()) {
    ++summary.unchanged;
    return;
  }
  log_plan(each.file, job, before);
  board_.apply(job);
  ++summary.applied;
}

void JobKeeper::remove_unclaimed(const std::map<std::string, std::string>& claims, Summary& summary) {
  for (const auto& [job, file] : files_) {
    if (claims.contains(job) || board_.find(job) == nullptr) continue;
    log(LogLevel::info, "plan", {{"job", job}, {"file", file}, {"change", "remove"}});
    board_.remove(job);
    ++summary.removed;
  }
}

}  // namespace berth::agent

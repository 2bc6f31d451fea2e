// SPDX-License-Identifier: Apache-2.0
// Keeps the jobs of the folder applied: what each file says is what runs. A file that is bad, or claims a job that
// another file has, is complained about and changes nothing. Each change is logged as a plan before it is made.
#pragma once

#include <functional>
#include <map>
#include <string>
#include <vector>

#include "agent/daemon/job_folder.hpp"

namespace berth::agent {

// Where jobs run.
struct JobBoard {
  std::function<const jobs::Job*(const std::string& name)> find;  // null: no such job
  std::function<void(const jobs::Job& job)> apply;
  std::function<void(const std::string& name)> remove;  // when its leases have ended
};

class JobKeeper {
 public:
  explicit JobKeeper(JobBoard board) : board_(std::move(board)) {}

  struct Summary {
    std::size_t applied = 0, unchanged = 0, removed = 0, refused = 0;
  };
  // The folder as it is now.
  Summary take(const std::vector<FolderJob>& folder);

  // The file that a job comes from; empty: none of the folder.
  [[nodiscard]] std::string file_of(const std::string& job) const;

 private:
  void take_one(const FolderJob& each, std::map<std::string, std::string>& claims, Summary& summary);
  void remove_unclaimed(const std::map<std::string, std::string>& claims, Summary& summary);

  JobBoard board_;
  std::map<std::string, std::string> files_;  // job -> file
};

}  // namespace berth::agent

// SPDX-License-Identifier: Apache-2.0
// The job files of the agent's folder, as they stand there at one moment. Blocking; any thread.
#pragma once

#include <string>
#include <vector>

#include "berth/error.hpp"
#include "jobs/job.hpp"

namespace berth::agent {

struct FolderJob {
  std::string file;  // its path
  tl::expected<jobs::Job, jobs::Diagnostics> job;
};

// Every *.yaml and *.yml of the folder, by name; hidden files and subfolders are left out. What a job file names
// (inputs, trajectories) is not read. Error: the folder cannot be read, or holds more than 1,000 files.
[[nodiscard]] Expected<std::vector<FolderJob>> read_job_folder(const std::string& folder);

}  // namespace berth::agent

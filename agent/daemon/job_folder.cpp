// SPDX-License-Identifier: Apache-2.0
#include "agent/daemon/job_folder.hpp"

#include <system_error>

#include <algorithm>
#include <filesystem>

#include "base/fd.hpp"
#include "jobs/tree.hpp"

namespace berth::agent {
namespace {

namespace fs = std::filesystem;

constexpr std::size_t kMostFiles = 1000;

bool is_job_file(const fs::directory_entry& entry) {
  const std::string name = entry.path().filename().string();
  const std::string extension = entry.path().extension().string();
  std::error_code ignored;
  return !name.starts_with('.') && (extension == ".yaml" || extension == ".yml") && entry.is_regular_file(ignored);
}

tl::expected<jobs::Job, jobs::Diagnostics> read_one(const std::string& file) {
  const auto text = read_file(file, jobs::TreeBounds{}.max_bytes + 1);
  if (!text) return tl::unexpected(jobs::Diagnostics{jobs::Diagnostic{file, {}, text.error().message}});
  auto job = jobs::parse_job(*text, file, "");
  if (job && job->driver == jobs::DriverKind::nomad)
    return tl::unexpected(jobs::Diagnostics{
        jobs::Diagnostic{file, {}, "this version has no driver nomad, which the job wants; set local or docker"}});
  return job;
}

}  // namespace

Expected<std::vector<FolderJob>> read_job_folder(const std::string& folder) {
  std::vector<std::string> files;
  std::error_code error;
  for (fs::directory_iterator at(folder, error), end; !error && at != end; at.increment(error))
    if (is_job_file(*at)) files.push_back(at->path().string());
  if (error)
    return fail("jobs", "reading the folder jobs, " + folder + ": " + error.message(), "make it, or name another one");
  if (files.size() > kMostFiles)
    return fail("jobs", folder + " holds more than " + std::to_string(kMostFiles) + " job files");
  std::sort(files.begin(), files.end());
  std::vector<FolderJob> all;
  for (const std::string& file : files) all.push_back({file, read_one(file)});
  return all;
}

}  // namespace berth::agent

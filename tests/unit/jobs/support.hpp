// SPDX-License-Identifier: Apache-2.0
// What the tests of job files share.
#pragma once

#include <filesystem>
#include <fstream>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <stdlib.h>
#include <string>
#include <string_view>
#include <vector>

#include "jobs/job.hpp"

namespace berth::jobs {

// Every complaint about `yaml` as a line of text; empty when it is a good job file called job.yaml.
inline std::vector<std::string> complaints(std::string_view yaml, const LoadOptions& options = {},
                                           const std::string& directory = "/nonexistent") {
  const auto job = parse_job(yaml, "job.yaml", directory, options);
  std::vector<std::string> lines;
  if (job) return lines;
  for (const Diagnostic& diagnostic : job.error()) lines.push_back(to_string(diagnostic));
  return lines;
}

inline std::string joined(const std::vector<std::string>& lines) {
  std::string out;
  for (const std::string& line : lines) out += line + '\n';
  return out;
}

// The job of a file that is expected to be good; a failure tells what was wrong with it.
inline Job good(std::string_view yaml, const LoadOptions& options = {}, const std::string& directory = "/nonexistent") {
  auto job = parse_job(yaml, "job.yaml", directory, options);
  if (job) return *job;
  ADD_FAILURE() << "not a good job file:\n" << joined(complaints(yaml, options, directory));
  return Job{};
}

// A table of bad files, each with everything that is said about it.
struct Bad {
  std::string_view name;
  std::string_view yaml;
  std::vector<std::string> said;
};
inline std::string bad_name(const ::testing::TestParamInfo<Bad>& info) {
  return std::string(info.param.name);
}
inline void PrintTo(const Bad& bad, std::ostream* out) {
  *out << bad.name;
}

class BadFile : public ::testing::TestWithParam<Bad> {
 protected:
  static void expect_said() {
    EXPECT_THAT(complaints(GetParam().yaml), ::testing::ElementsAreArray(GetParam().said)) << GetParam().yaml;
  }
};

// A fresh folder, removed at the end.
class Folder {
 public:
  Folder() {
    std::string name = (std::filesystem::temp_directory_path() / "berth-jobs-XXXXXX").string();
    if (::mkdtemp(name.data()) == nullptr) ADD_FAILURE() << "no temporary folder";
    path_ = name;
  }
  Folder(const Folder&) = delete;
  Folder& operator=(const Folder&) = delete;
  ~Folder() { std::filesystem::remove_all(path_); }

  [[nodiscard]] std::string path() const { return path_; }
  std::string write(const std::string& name, std::string_view text) const {
    const std::string file = path_ + '/' + name;
    std::ofstream(file, std::ios::binary) << text;
    return file;
  }

 private:
  std::string path_;
};

}  // namespace berth::jobs

// SPDX-License-Identifier: Apache-2.0
// berth bench: the measurements are a program of their own, so that this one does not carry them.
#include <unistd.h>

#include <cerrno>
#include <filesystem>

#include "cli/options.hpp"
#include "cli/terminal.hpp"

namespace berth::cli {

int bench_command(const BenchOptions& options) {
  std::error_code error;
  const auto self = std::filesystem::read_symlink("/proc/self/exe", error);
  const std::string program = (self.parent_path() / "berth-bench").string();
  std::vector<char*> argv{const_cast<char*>(program.c_str())};
  for (const std::string& each : options.arguments) argv.push_back(const_cast<char*>(each.c_str()));
  argv.push_back(nullptr);
  ::execv(program.c_str(), argv.data());
  print_error({"not_here",
               "the measurements are not built: " + program +
                   " compares a bare spawn with a slot's bash, files, live shells and the agent's way, and prints each "
                   "figure beside its budget",
               "in the source tree: bench/run"});
  return kPlatform;
}

}  // namespace berth::cli

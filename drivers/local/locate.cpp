// SPDX-License-Identifier: Apache-2.0
#include "drivers/local/locate.hpp"

#include <sys/stat.h>
#include <system_error>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>

namespace berth::drivers {
namespace {

constexpr std::string_view kProgram = "berth-slotd";
constexpr std::string_view kHint = "build it (./run does), or name it with --slotd PATH or BERTH_SLOTD=PATH";

bool is_program(const std::string& path) {
  struct stat facts {};
  return ::stat(path.c_str(), &facts) == 0 && S_ISREG(facts.st_mode) && ::access(path.c_str(), X_OK) == 0;
}

std::string from_environment(const char* name) {
  const char* value = std::getenv(name);
  return value == nullptr ? std::string() : std::string(value);
}

std::vector<std::string> places(const SlotdSearch& search) {
  std::vector<std::string> result;
  if (!search.program_directory.empty()) {
    result.push_back(search.program_directory + "/" + std::string(kProgram));
    result.push_back(search.program_directory + "/../libexec/berth/" + std::string(kProgram));
  }
  std::string_view rest = search.path;
  while (!rest.empty()) {
    const std::size_t end = rest.find(':');
    const std::string_view folder = rest.substr(0, end);
    // An empty or relative entry would start whatever lies in the current folder.
    if (folder.starts_with('/')) result.push_back(std::string(folder) + "/" + std::string(kProgram));
    rest = end == std::string_view::npos ? std::string_view() : rest.substr(end + 1);
  }
  return result;
}

Expected<std::string> exactly(const std::string& path, std::string_view origin) {
  if (is_program(path)) return path;
  return fail("slotd_not_found", std::string(origin) + " names " + path + ", which is not an executable file",
              std::string(kHint));
}

}  // namespace

SlotdSearch slotd_search(std::string flag) {
  std::error_code ignored;
  const std::filesystem::path self = std::filesystem::read_symlink("/proc/self/exe", ignored);
  return SlotdSearch{std::move(flag), from_environment("BERTH_SLOTD"), self.parent_path().string(),
                     from_environment("PATH")};
}

Expected<std::string> find_slotd(const SlotdSearch& search) {
  if (!search.flag.empty()) return exactly(search.flag, "--slotd");
  if (!search.environment.empty()) return exactly(search.environment, "BERTH_SLOTD");
  std::string tried;
  for (const std::string& place : places(search)) {
    if (is_program(place)) return place;
    tried += (tried.empty() ? "" : ", ") + place;
  }
  return fail("slotd_not_found", "berth-slotd was not found; tried " + (tried.empty() ? "nothing" : tried),
              std::string(kHint));
}

}  // namespace berth::drivers

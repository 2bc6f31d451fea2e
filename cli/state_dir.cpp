// SPDX-License-Identifier: Apache-2.0
#include "cli/state_dir.hpp"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <system_error>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <ctime>
#include <filesystem>

#include "drivers/paths.hpp"

namespace berth::cli {
namespace {

constexpr std::string_view kPrefix = "berth-run-";
// Younger ones may be between their creation and their lock.
constexpr std::time_t kOldEnough = 60;

bool is_ours(const std::string& path, struct stat& facts) {
  return ::lstat(path.c_str(), &facts) == 0 && S_ISDIR(facts.st_mode) && facts.st_uid == ::geteuid();
}

std::string base_directory() {
  const char* runtime = std::getenv("XDG_RUNTIME_DIR");
  struct stat facts {};
  if (runtime != nullptr && runtime[0] == '/' && is_ours(runtime, facts)) return runtime;
  return "/tmp";
}

UniqueFd take_lock(const std::string& directory, int flags) {
  UniqueFd lock(::open(drivers::lock_path(directory).c_str(), O_RDWR | O_CLOEXEC | O_NOFOLLOW | flags, 0600));
  if (lock && ::flock(lock.get(), LOCK_EX | LOCK_NB) != 0) lock.reset();
  return lock;
}

void remove_abandoned(const std::string& base) {
  std::error_code error;
  for (const auto& entry : std::filesystem::directory_iterator(base, error)) {
    const std::string path = entry.path().string();
    struct stat facts {};
    if (!entry.path().filename().string().starts_with(kPrefix) || !is_ours(path, facts)) continue;
    if (::time(nullptr) - facts.st_mtime < kOldEnough) continue;
    const UniqueFd lock = take_lock(path, 0);
    std::error_code ignored;
    if (lock) std::filesystem::remove_all(path, ignored);
  }
}

}  // namespace

Expected<PrivateStateDir> PrivateStateDir::create() {
  const std::string base = base_directory();
  remove_abandoned(base);
  std::string path = base + "/" + std::string(kPrefix) + "XXXXXX";
  if (::mkdtemp(path.data()) == nullptr) return fail_errno("creating a state directory in " + base, errno);
  UniqueFd lock = take_lock(path, O_CREAT | O_EXCL);
  PrivateStateDir directory(std::move(path), std::move(lock));
  if (!directory.lock_) return fail_errno("locking " + directory.path_, errno);
  return directory;
}

void PrivateStateDir::remove() {
  if (path_.empty()) return;
  std::error_code ignored;
  std::filesystem::remove_all(path_, ignored);
  path_.clear();
}

}  // namespace berth::cli

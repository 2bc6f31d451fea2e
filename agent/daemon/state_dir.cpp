// SPDX-License-Identifier: Apache-2.0
#include "agent/daemon/state_dir.hpp"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <system_error>
#include <unistd.h>

#include <cerrno>
#include <filesystem>

#include "base/text.hpp"
#include "drivers/paths.hpp"

namespace berth::agent {
namespace {

namespace fs = std::filesystem;

constexpr mode_t kPrivate = 0700;
// The pool's container ids are shorter.
constexpr std::string_view kLongestId = "agent-00000000-1000000";
constexpr std::size_t kMostSocketPath = 107;  // sockaddr_un
constexpr std::size_t kAgentIdBytes = 16;
constexpr std::size_t kMostIdFile = 256;

Expected<void> check_length(const std::string& path) {
  const std::size_t longest = drivers::container_paths(path, std::string(kLongestId)).socket().size();
  if (longest <= kMostSocketPath) return {};
  return fail("state_dir", "state_dir " + path + " is too long: sockets below it would have more than 107 bytes",
              "choose one that is " + std::to_string(longest - kMostSocketPath) + " bytes shorter");
}

Expected<void> make_private(const std::string& path) {
  std::error_code error;
  fs::create_directories(fs::path(path).parent_path(), error);
  if (error) return fail("state_dir", "making the folders above " + path + ": " + error.message());
  if (::mkdir(path.c_str(), kPrivate) != 0 && errno != EEXIST)
    return tl::unexpected(Error{"state_dir", errno_error("making " + path, errno).message,
                                "choose a state_dir that this user may write to"});
  struct stat facts {};
  if (::stat(path.c_str(), &facts) != 0) return fail_errno("looking at " + path, errno);
  if (!S_ISDIR(facts.st_mode)) return fail("state_dir", path + " is no folder", "choose another state_dir");
  if (facts.st_uid != ::geteuid())
    return fail("state_dir", path + " belongs to another user", "choose another state_dir, or run as its owner");
  if ((facts.st_mode & 0777) != kPrivate && ::chmod(path.c_str(), kPrivate) != 0)
    return fail_errno("making " + path + " private", errno);
  return {};
}

Expected<UniqueFd> take_lock(const std::string& path) {
  UniqueFd lock(::open(drivers::lock_path(path).c_str(), O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600));
  if (!lock) return fail_errno("opening " + drivers::lock_path(path), errno);
  if (::flock(lock.get(), LOCK_EX | LOCK_NB) != 0) {
    const auto holder = read_all(lock.get(), 64);
    const std::string pid = holder ? std::string(trim(*holder)) : std::string();
    return fail("state_dir_in_use", "another agent" + (pid.empty() ? "" : " (process " + pid + ")") + " uses " + path,
                "stop it, or give this one a state_dir of its own");
  }
  if (::ftruncate(lock.get(), 0) != 0) return fail_errno("writing " + drivers::lock_path(path), errno);
  if (auto written = write_all(lock.get(), std::to_string(::getpid()) + "\n"); !written)
    return tl::unexpected(written.error());
  return lock;
}

bool is_agent_id(std::string_view text) {
  return text.size() == 2 * kAgentIdBytes && text.find_first_not_of("0123456789abcdef") == std::string_view::npos;
}

Expected<std::string> read_or_draw_id(const std::string& path) {
  const std::string file = drivers::agent_id_path(path);
  struct stat facts {};
  if (::lstat(file.c_str(), &facts) == 0) {
    const auto text = read_file(file, kMostIdFile);
    if (!text) return tl::unexpected(text.error());
    const std::string id(trim(*text));
    if (is_agent_id(id)) return id;
    return fail("state_dir", file + " holds no id of an agent", "remove it: another one is drawn");
  }
  std::string id = random_hex(kAgentIdBytes);
  if (auto written = write_file_atomically(file, id + "\n"); !written) return tl::unexpected(written.error());
  return id;
}

}  // namespace

Expected<StateDir> StateDir::open(const std::string& path) {
  if (auto fits = check_length(path); !fits) return tl::unexpected(fits.error());
  if (auto made = make_private(path); !made) return tl::unexpected(made.error());
  auto lock = take_lock(path);
  if (!lock) return tl::unexpected(lock.error());
  auto id = read_or_draw_id(path);
  if (!id) return tl::unexpected(id.error());
  return StateDir(path, std::move(*lock), std::move(*id));
}

}  // namespace berth::agent

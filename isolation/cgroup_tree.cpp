// SPDX-License-Identifier: Apache-2.0
#include "isolation/cgroup_tree.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <charconv>
#include <dirent.h>
#include <time.h>

#include "base/held_directory.hpp"

namespace berth::isolation {
namespace {

constexpr int kRemoveTries = 6;         // 1 + 2 + 4 + 8 + 16 ms of waiting between them
constexpr int kRaceTries = 10;          // others make and remove directories beside us
constexpr unsigned kSameIdTries = 100;  // slot servers of one name on one machine
constexpr std::size_t kFileBytes = 4096;

void sleep_ms(int milliseconds) {
  timespec time{0, milliseconds * 1'000'000L};
  ::nanosleep(&time, nullptr);
}

std::string_view read_into(int fd, std::array<char, kFileBytes>& buffer) {
  const auto count = ::pread(fd, buffer.data(), buffer.size(), 0);
  return count > 0 ? std::string_view(buffer.data(), static_cast<std::size_t>(count)) : std::string_view();
}

std::optional<std::uint64_t> to_number(std::string_view text) {
  std::uint64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end == text.data()) return std::nullopt;
  return value;
}

std::vector<std::string> directories_in(const std::string& path) {
  std::vector<std::string> names;
  const std::unique_ptr<DIR, int (*)(DIR*)> listing(::opendir(path.c_str()), [](DIR* dir) { return ::closedir(dir); });
  while (const dirent* entry = listing ? ::readdir(listing.get()) : nullptr) {
    const std::string_view name = entry->d_name;
    if (entry->d_type == DT_DIR && name != "." && name != "..") names.push_back(path + "/" + std::string(name));
  }
  return names;
}

void sweep_unowned(GroupTree& tree, const std::string& directory) {
  for (const auto& path : directories_in(directory)) {
    const auto lock = hold_directory(path);
    if (lock) sweep_group(tree, path);
  }
}

// The lock, or the reason: EWOULDBLOCK when somebody else holds it.
tl::expected<UniqueFd, int> make_and_lock(GroupTree& tree, const std::string& parent, const std::string& path) {
  for (int i = 0; i < kRaceTries; ++i) {
    if (const int error = tree.make_directory(parent); error != 0 && error != EEXIST) return tl::unexpected(error);
    const int error = tree.make_directory(path);
    if (error == ENOENT) continue;
    if (error != 0 && error != EEXIST) return tl::unexpected(error);
    auto lock = hold_directory(path);
    if (lock || lock.error() == EWOULDBLOCK) return lock;
  }
  return tl::unexpected(EAGAIN);
}

}  // namespace

int GroupTree::make_directory(const std::string& path) {
  return ::mkdir(path.c_str(), 0755) == 0 ? 0 : errno;
}

int GroupTree::remove_directory(const std::string& path) {
  return ::rmdir(path.c_str()) == 0 ? 0 : errno;
}

int GroupTree::write(const std::string& path, std::string_view text) {
  const auto file = open_group_file(path, O_WRONLY | O_TRUNC);
  if (!file) return errno;
  return ::write(file.get(), text.data(), text.size()) == static_cast<ssize_t>(text.size()) ? 0 : errno;
}

UniqueFd open_group_file(const std::string& path, int flags) {
  return UniqueFd(::open(path.c_str(), flags | O_CLOEXEC));
}

std::optional<std::uint64_t> read_number(int fd) {
  std::array<char, kFileBytes> buffer;
  return to_number(read_into(fd, buffer));
}

std::optional<std::uint64_t> read_keyed(int fd, std::string_view key) {
  std::array<char, kFileBytes> buffer;
  auto text = read_into(fd, buffer);
  while (!text.empty()) {
    const auto line = text.substr(0, text.find('\n'));
    if (line.size() > key.size() && line.starts_with(key) && line[key.size()] == ' ') {
      return to_number(line.substr(key.size() + 1));
    }
    text.remove_prefix(std::min(line.size() + 1, text.size()));
  }
  return std::nullopt;
}

std::vector<int> processes_of(const std::string& directory) {
  std::vector<int> processes;
  const auto file = open_group_file(directory + "/cgroup.procs", O_RDONLY);
  const auto text = file ? read_all(file.get(), std::size_t{1} << 20) : Expected<std::string>();
  if (!text) return processes;
  for (std::size_t at = 0; at < text->size();) {
    const auto end = std::min(text->find('\n', at), text->size());
    if (auto pid = to_number(std::string_view(*text).substr(at, end - at))) processes.push_back(static_cast<int>(*pid));
    at = end + 1;
  }
  return processes;
}

Expected<void> remove_group(GroupTree& tree, const std::string& directory) {
  int error = 0;
  for (int i = 0; i < kRemoveTries; ++i) {
    if (i > 0) sleep_ms(1 << (i - 1));
    error = tree.remove_directory(directory);
    if (error == 0 || error == ENOENT) return {};
    if (error != EBUSY) break;
  }
  if (const auto left = processes_of(directory).size(); left > 0) {
    return fail("busy", "the control group " + directory + " still has " + std::to_string(left) + " processes");
  }
  return fail_errno("removing the control group " + directory, error);
}

void sweep_group(GroupTree& tree, const std::string& directory) {
  for (const auto& below : directories_in(directory)) sweep_group(tree, below);
  (void)tree.remove_directory(directory);
}

Expected<ParentDirectory> ParentDirectory::make(GroupTree& tree, const std::string& base, const std::string& id) {
  const std::string parent = base + "/berth";
  sweep_unowned(tree, parent);
  for (unsigned i = 0; i < kSameIdTries; ++i) {
    const std::string path = parent + "/" + id + (i == 0 ? "" : "." + std::to_string(i));
    auto fd = make_and_lock(tree, parent, path);
    if (fd) return ParentDirectory(tree, path, std::move(*fd));
    if (fd.error() != EWOULDBLOCK) return fail_errno("making the control group " + path, fd.error());
  }
  return fail("isolation", "too many slot servers are named " + id, "give each container an id of its own");
}

ParentDirectory::~ParentDirectory() {
  if (!lock_) return;
  sweep_group(*tree_, path_);
  (void)tree_->remove_directory(path_.substr(0, path_.rfind('/')));
}

}  // namespace berth::isolation

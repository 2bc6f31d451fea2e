// SPDX-License-Identifier: Apache-2.0
#include "slotd/files/packer.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>

namespace berth::slotd {
namespace {

// Deflate cannot do better: a match of 258 bytes takes two bits at least.
constexpr std::uint64_t kBestRatio = 1032;

bool is_file(int fd) {
  struct stat facts {};
  return ::fstat(fd, &facts) == 0 && S_ISREG(facts.st_mode);
}

// Whether a link's text, read where the link stands, climbs above the workspace or starts at a root.
bool leaves_tree(const std::string& path, const std::string& target) {
  if (target.empty() || target.front() == '/') return true;
  auto depth = std::count(path.begin(), path.end(), '/');
  for (std::size_t at = 0; at <= target.size();) {
    const auto end = std::min(target.find('/', at), target.size());
    const auto part = target.substr(at, end - at);
    if (part == "..") {
      if (--depth < 0) return true;
    } else if (!part.empty() && part != ".") {
      ++depth;
    }
    at = end + 1;
  }
  return false;
}

// The way from a link at `path` to `inner`, both names in the workspace.
std::string way_to(const std::string& path, const std::string& inner) {
  std::string way;
  for (auto left = std::count(path.begin(), path.end(), '/'); left > 0; --left) way += "../";
  return way + (inner.empty() ? "." : inner);
}

}  // namespace

Packer::Packer(std::shared_ptr<const WorkspaceHandle> workspace, UniqueFd root, std::string name, PackLimits limits)
    : workspace_(std::move(workspace)),
      single_(is_file(root.get()) ? root.release() : -1),
      name_(std::move(name)),
      limits_(limits),
      writer_(true) {
  if (root) walk_.emplace(std::move(root));
}

std::string Packer::path_of(const std::string& below) const {
  return name_.empty() ? below : name_ + "/" + below;
}

// What is there so far, and what the files so far take at the very least.
Expected<bool> Packer::check_size() {
  needed_ = std::max<std::uint64_t>(writer_.pending().size(), content_ / kBestRatio);
  if (content_ > kMaxContent) {
    needed_ = std::max(needed_, limits_.max_bytes + 1);
    return fail("too_large", "more than 1 GiB of files");
  }
  if (needed_ > limits_.max_bytes) return fail("too_large", "the archive passes its limit");
  return true;
}

bool Packer::is_full() {
  if (entries_ < limits_.max_entries) return false;
  truncated_ = true;
  return true;
}

Expected<void> Packer::add_file(UniqueFd file, const std::string& path) {
  struct stat facts {};
  if (::fstat(file.get(), &facts) != 0) return tl::unexpected<Error>(file_error(errno, path));
  if (!S_ISREG(facts.st_mode) || is_full()) return {};
  ++entries_;
  content_ += static_cast<std::uint64_t>(facts.st_size);
  if (auto fits = check_size(); !fits) return tl::unexpected<Error>(fits.error());
  return writer_.begin_file(path, facts, std::move(file));
}

Expected<void> Packer::add_link(const TreeWalk::Entry& entry, const std::string& path) {
  auto target = read_link(walk_->directory(), entry.name());
  if (!target) return {};  // gone meanwhile
  const auto workspace = workspace_->workspace();
  const auto there = workspace.open(path, O_PATH);
  if (!there && there.error().code != "not_found") return {};  // it leads outside, or nowhere at all
  if (leaves_tree(path, *target)) {
    // Inside all the same, as commands see it: told in a way that holds wherever the archive is unpacked.
    auto inner = there ? workspace.name_of(there->get()) : Expected<std::string>(tl::unexpected<Error>(there.error()));
    if (!inner) return {};
    target = way_to(path, *inner);
  }
  if (is_full()) return {};
  ++entries_;
  return writer_.add_link(path, entry.facts, *target);
}

Expected<void> Packer::add(const TreeWalk::Entry& entry) {
  const auto path = path_of(entry.path);
  if (S_ISDIR(entry.facts.st_mode)) {
    truncated_ = truncated_ || entry.unreadable != 0;
    if (!entry.empty && entry.unreadable == 0) return {};
    if (directories_ == limits_.max_entries) {
      truncated_ = true;
      return {};
    }
    ++directories_;
    return writer_.add_directory(path, entry.facts);
  }
  if (S_ISLNK(entry.facts.st_mode)) return add_link(entry, path);
  if (!S_ISREG(entry.facts.st_mode)) return {};
  UniqueFd file(
      ::openat(walk_->directory(), entry.name().c_str(), O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC));
  if (file) return add_file(std::move(file), path);
  truncated_ = truncated_ || (errno != ENOENT && errno != ELOOP);
  return {};
}

Expected<bool> Packer::finish() {
  writer_.close();
  if (auto fits = check_size(); !fits) return fits;
  return false;
}

Expected<bool> Packer::add_next() {
  if (single_) {
    auto added = add_file(std::move(single_), name_);
    if (!added) return tl::unexpected<Error>(added.error());
    return true;
  }
  if (!walk_ || (truncated_ && entries_ == limits_.max_entries)) return finish();
  auto entry = walk_->next();
  if (!entry) return tl::unexpected<Error>(entry.error());
  if (!*entry) return finish();
  if (auto added = add(**entry); !added) return tl::unexpected<Error>(added.error());
  return true;
}

Expected<bool> Packer::step() {
  if (!writer_.in_file()) {
    if (auto fits = check_size(); !fits) return fits;
    return add_next();
  }
  if (auto copied = writer_.copy_piece(); !copied) return tl::unexpected<Error>(copied.error());
  return check_size();
}

}  // namespace berth::slotd

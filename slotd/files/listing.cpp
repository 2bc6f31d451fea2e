// SPDX-License-Identifier: Apache-2.0
#include "slotd/files/listing.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstdio>

#include "base/json.hpp"
#include "base/utf8.hpp"
#include "slotd/files/beneath.hpp"
#include "slotd/files/tar_writer.hpp"

namespace berth::slotd {
namespace {

constexpr int kEntriesAStep = 256;

std::string_view type_word(mode_t mode) {
  switch (mode & S_IFMT) {
    case S_IFREG: return "file";
    case S_IFDIR: return "directory";
    case S_IFLNK: return "link";
    case S_IFIFO: return "fifo";
    case S_IFSOCK: return "socket";
    default: return "device";
  }
}

std::string seconds(const timespec& time) {
  std::array<char, 48> text{};
  std::snprintf(text.data(), text.size(), "%.6f",
                static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_nsec) * 1e-9);
  return text.data();
}

}  // namespace

void append_json_name(std::string& out, std::string_view bytes) {
  out += '"';
  for (std::size_t at = 0; at < bytes.size();) {
    std::size_t valid = at;
    while (valid < bytes.size()) {
      const auto step = utf8_step(bytes, valid);
      if (!step.valid) break;
      valid += step.length;
    }
    std::string quoted;
    append_json_string(quoted, bytes.substr(at, valid - at));
    out.append(quoted, 1, quoted.size() - 2);
    at = valid;
    if (at == bytes.size()) break;
    std::array<char, 8> escape{};
    std::snprintf(escape.data(), escape.size(), "\\udc%02x",
                  static_cast<unsigned>(static_cast<unsigned char>(bytes[at++])));
    out += escape.data();
  }
  out += '"';
}

Listing::Listing(std::shared_ptr<const WorkspaceHandle> workspace, UniqueFd root, std::string name, ListLimits limits)
    : workspace_(std::move(workspace)), root_(std::move(root)), name_(std::move(name)), limits_(limits) {
  left_.emplace_back();
}

std::string Listing::path_of(const std::string& below) const {
  if (name_.empty() || below.empty()) return name_ + below;
  return name_ + "/" + below;
}

void Listing::tell(const std::string& path, const Target& target) {
  if (count_ == limits_.max_entries || text_.size() + path.size() > kMaxText) {
    full_ = truncated_ = true;
    return;
  }
  text_ += count_++ == 0 ? R"({"path":)" : R"(,{"path":)";
  append_json_name(text_, path);
  text_ += target.is_directory ? R"(,"is_dir":true,"size":)" : R"(,"is_dir":false,"size":)";
  text_ += std::to_string(target.facts.st_size) + R"(,"mtime":)" + seconds(target.facts.st_mtim) + R"(,"type":")";
  text_ += target.link ? "link" : type_word(target.facts.st_mode);
  text_ += '"';
  if (target.link) {
    text_ += R"(,"link":)";
    append_json_name(text_, *target.link);
  }
  text_ += '}';
}

std::optional<Listing::Target> Listing::look(const TreeWalk::Entry& entry, const std::string& path) const {
  Target target{S_ISDIR(entry.facts.st_mode), entry.facts, {}};
  if (!S_ISLNK(entry.facts.st_mode)) return target;
  auto text = read_link(walk_->directory(), entry.name());
  if (!text) return std::nullopt;  // gone meanwhile
  target.link = std::move(*text);
  const auto there = workspace_->workspace().open(path, O_PATH);
  if (!there && there.error().code != "not_found") return std::nullopt;
  if (there && ::fstat(there->get(), &target.facts) != 0) return std::nullopt;
  target.is_directory = there && S_ISDIR(target.facts.st_mode);
  return target;
}

void Listing::consider(const TreeWalk::Entry& entry) {
  const bool is_link = S_ISLNK(entry.facts.st_mode);
  if (!is_link && pass_ != Pass::all && (pass_ == Pass::directories) != S_ISDIR(entry.facts.st_mode)) return;
  const auto below = below_.empty() ? entry.path : below_ + "/" + entry.path;
  const auto path = path_of(below);
  const auto target = look(entry, path);
  if (!target || (pass_ != Pass::all && (pass_ == Pass::directories) != target->is_directory)) return;
  tell(path, *target);
  if (!is_link && pass_ == Pass::directories && !full_) found_.push_back(below);
}

// Opens the next directory, or the same one once more for what is no directory. False at the end.
Expected<bool> Listing::next_directory() {
  if (walk_ && pass_ == Pass::directories) {
    pass_ = Pass::others;
  } else {
    left_.insert(left_.end(), found_.rbegin(), found_.rend());
    found_.clear();
    if (left_.empty()) return false;
    below_ = std::move(left_.back());
    left_.pop_back();
    pass_ = limits_.recursive ? Pass::directories : Pass::all;
  }
  walk_.reset();
  UniqueFd directory(open_beneath(root_.get(), below_.empty() ? "." : below_, O_RDONLY | O_DIRECTORY));
  if (directory) {
    walk_.emplace(std::move(directory), false);
    return true;
  }
  if (below_.empty()) return tl::unexpected<Error>(file_error(errno, name_));
  truncated_ = truncated_ || errno != ENOENT;
  return true;
}

Expected<bool> Listing::step() {
  struct stat facts {};
  if (!walk_ && ::fstat(root_.get(), &facts) == 0 && !S_ISDIR(facts.st_mode)) {
    tell(name_, Target{false, facts, {}});
    return false;
  }
  for (int taken = 0; walk_ && taken < kEntriesAStep; ++taken) {
    const auto entry = walk_->next();
    if (!entry) return tl::unexpected<Error>(entry.error());
    if (!*entry) break;
    consider(**entry);
    if (full_) return false;
    if (taken + 1 == kEntriesAStep) return true;
  }
  return next_directory();
}

}  // namespace berth::slotd

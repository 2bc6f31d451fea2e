// SPDX-License-Identifier: Apache-2.0
#include "slotd/files/tar_out.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <archive.h>
#include <archive_entry.h>
#include <array>
#include <cerrno>
#include <climits>
#include <dirent.h>
#include <vector>

#include "slotd/files/workspace.hpp"

namespace berth::slotd {
namespace {

constexpr std::size_t kPiece = std::size_t{64} << 10;
// One descriptor a level is held; a deeper tree is an error, not a hole in the archive.
constexpr std::size_t kMaxDepth = 512;

struct Level {
  UniqueFd directory;
  std::string prefix;              // "a/b/" of its members
  std::vector<std::string> names;  // sorted backwards: the next one is at the end
};

Expected<std::vector<std::string>> list(int directory) {
  const int copy = ::openat(directory, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  auto* stream = copy < 0 ? nullptr : ::fdopendir(copy);
  if (stream == nullptr) return tl::unexpected<Error>(file_error(errno, "directory"));
  std::vector<std::string> names;
  while (const auto* entry = ::readdir(stream)) {
    const std::string name = entry->d_name;
    if (name != "." && name != "..") names.push_back(name);
  }
  ::closedir(stream);
  std::sort(names.begin(), names.end(), std::greater<>());
  return names;
}

}  // namespace

struct TarOut::Impl {
  archive* writer = archive_write_new();
  std::string pending;  // written by libarchive, not yet taken
  std::vector<Level> levels;
  UniqueFd file;  // the member being copied
  std::uint64_t left = 0;
  bool complete = false;

  ~Impl() { archive_write_free(writer); }
  Expected<void> step();
  Expected<void> copy_piece();
  Expected<void> add(const std::string& name);
  Expected<void> enter(UniqueFd directory, std::string prefix);
  Expected<void> write_header(archive_entry* entry, const struct stat& facts, const std::string& path);
};

TarOut::TarOut(UniqueFd root) : impl_(std::make_unique<Impl>()) {
  archive_write_set_format_pax_restricted(impl_->writer);
  archive_write_set_bytes_per_block(impl_->writer, 0);
  archive_write_set_options(impl_->writer, "hdrcharset=BINARY");
  archive_write_open(
      impl_->writer, impl_.get(), nullptr,
      [](archive*, void* self, const void* data, std::size_t size) -> la_ssize_t {
        static_cast<Impl*>(self)->pending.append(static_cast<const char*>(data), size);
        return static_cast<la_ssize_t>(size);
      },
      nullptr);
  impl_->levels.push_back({std::move(root), "", {}});
  if (auto names = list(impl_->levels.front().directory.get())) impl_->levels.front().names = std::move(*names);
}

TarOut::~TarOut() = default;

Expected<void> TarOut::Impl::write_header(archive_entry* entry, const struct stat& facts, const std::string& path) {
  archive_entry_copy_pathname(entry, path.c_str());
  archive_entry_set_filetype(entry, facts.st_mode & S_IFMT);
  archive_entry_set_perm(entry, facts.st_mode & 0777U);
  archive_entry_set_mtime(entry, facts.st_mtim.tv_sec, facts.st_mtim.tv_nsec);
  archive_entry_set_size(entry, S_ISREG(facts.st_mode) ? facts.st_size : 0);
  const int status = archive_write_header(writer, entry);
  if (status < ARCHIVE_WARN) return fail("system", std::string("tar: ") + archive_error_string(writer));
  return {};
}

Expected<void> TarOut::Impl::enter(UniqueFd directory, std::string prefix) {
  if (levels.size() >= kMaxDepth)
    return fail("system", "the tree is deeper than 512 directories: " + prefix.substr(0, 64));
  auto names = list(directory.get());
  if (!names) return tl::unexpected<Error>(names.error());
  levels.push_back({std::move(directory), std::move(prefix), std::move(*names)});
  return {};
}

Expected<void> TarOut::Impl::add(const std::string& name) {
  const int parent = levels.back().directory.get();
  const auto path = levels.back().prefix + name;
  struct stat facts {};
  if (::fstatat(parent, name.c_str(), &facts, AT_SYMLINK_NOFOLLOW) != 0) return {};  // gone meanwhile
  const std::unique_ptr<archive_entry, decltype(&archive_entry_free)> entry(archive_entry_new(), archive_entry_free);
  if (S_ISLNK(facts.st_mode)) {
    std::array<char, PATH_MAX> target{};
    const auto length = ::readlinkat(parent, name.c_str(), target.data(), target.size() - 1);
    if (length < 0) return {};
    archive_entry_copy_symlink(entry.get(), target.data());
    return write_header(entry.get(), facts, path);
  }
  if (S_ISDIR(facts.st_mode)) {
    UniqueFd directory(::openat(parent, name.c_str(), O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
    if (!directory) return tl::unexpected<Error>(file_error(errno, path));
    if (auto done = write_header(entry.get(), facts, path + "/"); !done) return done;
    return enter(std::move(directory), path + "/");
  }
  if (!S_ISREG(facts.st_mode)) return {};
  UniqueFd opened(::openat(parent, name.c_str(), O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC));
  if (!opened || ::fstat(opened.get(), &facts) != 0) return tl::unexpected<Error>(file_error(errno, path));
  if (!S_ISREG(facts.st_mode)) return {};
  file = std::move(opened);
  left = static_cast<std::uint64_t>(facts.st_size);
  return write_header(entry.get(), facts, path);
}

Expected<void> TarOut::Impl::copy_piece() {
  std::array<char, kPiece> piece;
  const auto want = std::min<std::uint64_t>(left, piece.size());
  auto count = ::read(file.get(), piece.data(), want);
  if (count < 0 && errno == EINTR) return {};
  if (count < 0) return tl::unexpected<Error>(file_error(errno, "reading"));
  if (count == 0) {
    piece.fill('\0');
    count = static_cast<ssize_t>(want);
  }
  if (archive_write_data(writer, piece.data(), static_cast<std::size_t>(count)) < 0) {
    return fail("system", std::string("tar: ") + archive_error_string(writer));
  }
  left -= static_cast<std::uint64_t>(count);
  return {};
}

Expected<void> TarOut::Impl::step() {
  if (file && left > 0) return copy_piece();
  file.reset();
  while (!levels.empty() && levels.back().names.empty()) levels.pop_back();
  if (levels.empty()) {
    archive_write_close(writer);
    complete = true;
    return {};
  }
  const auto name = std::move(levels.back().names.back());
  levels.back().names.pop_back();
  return add(name);
}

Expected<std::string> TarOut::next(std::size_t at_least) {
  while (!impl_->complete && impl_->pending.size() < at_least) {
    if (auto stepped = impl_->step(); !stepped) return tl::unexpected<Error>(stepped.error());
  }
  return std::exchange(impl_->pending, {});
}

}  // namespace berth::slotd

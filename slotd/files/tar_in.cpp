// SPDX-License-Identifier: Apache-2.0
#include "slotd/files/tar_in.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <archive.h>
#include <archive_entry.h>
#include <cerrno>
#include <string_view>
#include <vector>

#include "slotd/files/beneath.hpp"
#include "slotd/files/new_entries.hpp"
#include "slotd/files/workspace.hpp"

namespace berth::slotd {
namespace {

constexpr std::uint64_t kStepBytes = std::uint64_t{1} << 20;

// {"a", "b", "c"}, 2 -> "a/b"
std::string joined(const std::vector<std::string>& parts, std::size_t count) {
  std::string path;
  for (std::size_t i = 0; i < count; ++i) path += (i == 0 ? "" : "/") + parts[i];
  return path;
}

// "./a//b/" -> {"a", "b"}
Expected<std::vector<std::string>> parts_of(std::string_view path) {
  if (path.empty() || path.front() == '/')
    return fail("bad_path", "tar: absolute or empty name: " + std::string(path.substr(0, 200)));
  std::vector<std::string> parts;
  while (!path.empty()) {
    const auto slash = path.find('/');
    const auto part = path.substr(0, slash);
    if (part == "..") return fail("bad_path", "tar: a name with ..");
    if (!part.empty() && part != ".") parts.emplace_back(part);
    path = slash == std::string_view::npos ? std::string_view() : path.substr(slash + 1);
  }
  return parts;
}

}  // namespace

struct TarIn::Impl {
  UniqueFd source;
  UniqueFd target;
  UnpackLimits limits;
  archive* reader = archive_read_new();
  bool opened = false;
  UniqueFd file;  // the member being written
  UniqueFd file_parent;
  std::string file_name;
  mode_t file_mode = 0;
  timespec modified{};
  std::uint64_t count = 0;
  std::uint64_t content = 0;
  NewEntries made;

  ~Impl() { archive_read_free(reader); }
  Expected<void> open();
  Expected<bool> next_entry();
  Expected<bool> copy();
  Expected<UniqueFd> parent_of(const std::vector<std::string>& parts);
  Expected<void> extract(archive_entry* entry, const std::vector<std::string>& parts);
  Expected<void> extract_directory(const std::vector<std::string>& parts, int parent, mode_t mode);
  Expected<void> extract_hardlink(const char* link, int parent, const std::string& name);
  Expected<void> check_limits(archive_entry* entry);
  Error tar_error() const { return {"bad_archive", std::string("tar: ") + archive_error_string(reader), {}}; }
};

TarIn::TarIn(UniqueFd archive, UniqueFd target, UnpackLimits limits) : impl_(std::make_unique<Impl>()) {
  impl_->limits = limits;
  impl_->source = std::move(archive);
  impl_->target = std::move(target);
}
TarIn::~TarIn() = default;

std::uint64_t TarIn::entries() const {
  return impl_->count;
}

void TarIn::undo() {
  if (impl_->file) (void)::unlinkat(impl_->file_parent.get(), impl_->file_name.c_str(), 0);
  impl_->file.reset();
  impl_->made.remove(impl_->target.get());
}

Expected<void> TarIn::Impl::open() {
  opened = true;
  archive_read_support_format_tar(reader);
  archive_read_support_format_empty(reader);
  archive_read_set_options(reader, "hdrcharset=BINARY");
  if (archive_read_open_fd(reader, source.get(), 64 << 10) != ARCHIVE_OK) return tl::unexpected<Error>(tar_error());
  return {};
}

Expected<UniqueFd> TarIn::Impl::parent_of(const std::vector<std::string>& parts) {
  std::string path = ".";
  UniqueFd directory(open_beneath(target.get(), path, O_RDONLY | O_DIRECTORY));
  for (std::size_t i = 0; i + 1 < parts.size() && directory; ++i) {
    if (::mkdirat(directory.get(), parts[i].c_str(), 0755) == 0) {
      made.add_directory(joined(parts, i + 1));
    } else if (errno != EEXIST) {
      return tl::unexpected<Error>(file_error(errno, parts[i]));
    }
    directory.reset(open_beneath(directory.get(), parts[i], O_RDONLY | O_DIRECTORY));
  }
  if (!directory) return tl::unexpected<Error>(file_error(errno, parts.back()));
  return directory;
}

Expected<void> TarIn::Impl::extract_hardlink(const char* link, int parent, const std::string& name) {
  const auto parts = parts_of(link);
  if (!parts || parts->empty()) return fail("bad_path", "tar: a hard link that leads outside");
  auto from = parent_of(*parts);
  if (!from) return tl::unexpected<Error>(from.error());
  struct stat facts {};
  if (::fstatat(from->get(), parts->back().c_str(), &facts, AT_SYMLINK_NOFOLLOW) != 0 || !S_ISREG(facts.st_mode)) {
    return fail("bad_path", "tar: a hard link to what is no file of the archive");
  }
  if (::linkat(from->get(), parts->back().c_str(), parent, name.c_str(), 0) != 0)
    return tl::unexpected<Error>(file_error(errno, name));
  return {};
}

Expected<void> TarIn::Impl::extract_directory(const std::vector<std::string>& parts, int parent, mode_t mode) {
  const auto& name = parts.back();
  if (::mkdirat(parent, name.c_str(), 0755) == 0) {
    made.add_directory(joined(parts, parts.size()));
  } else if (errno != EEXIST) {
    return tl::unexpected<Error>(file_error(errno, name));
  }
  const UniqueFd there(open_beneath(parent, name, O_RDONLY | O_DIRECTORY));
  // Members still have to be written into it: its owner keeps all rights.
  if (!there || ::fchmod(there.get(), mode | 0700U) != 0) return tl::unexpected<Error>(file_error(errno, name));
  return {};
}

Expected<void> TarIn::Impl::extract(archive_entry* entry, const std::vector<std::string>& parts) {
  if (parts.empty()) return {};  // "./" itself
  auto parent = parent_of(parts);
  if (!parent) return tl::unexpected<Error>(parent.error());
  const auto& name = parts.back();
  const auto mode = static_cast<mode_t>(archive_entry_perm(entry) & 0777U);
  const auto type = archive_entry_filetype(entry);
  if (type == AE_IFDIR) return extract_directory(parts, parent->get(), mode);
  if (::unlinkat(parent->get(), name.c_str(), 0) != 0 && errno == ENOENT) made.add_file(joined(parts, parts.size()));
  if (const auto* link = archive_entry_hardlink(entry)) return extract_hardlink(link, parent->get(), name);
  if (type == AE_IFLNK) {
    if (::symlinkat(archive_entry_symlink(entry), parent->get(), name.c_str()) != 0)
      return tl::unexpected<Error>(file_error(errno, name));
    return {};
  }
  if (type != AE_IFREG) return fail("bad_archive", "tar: " + name + " is neither file, directory nor link");
  file.reset(open_beneath(parent->get(), name, O_WRONLY | O_CREAT | O_EXCL, 0600));
  if (!file) return tl::unexpected<Error>(file_error(errno, name));
  file_parent = std::move(*parent);
  file_name = name;
  file_mode = mode;
  modified = {archive_entry_mtime(entry), archive_entry_mtime_nsec(entry)};
  return {};
}

Expected<void> TarIn::Impl::check_limits(archive_entry* entry) {
  if (++count > limits.max_entries)
    return fail("too_many", "tar: more than " + std::to_string(limits.max_entries) + " entries");
  const auto size = archive_entry_size(entry);
  if (size < 0) return fail("bad_archive", "tar: a member of negative size");
  const auto bytes = static_cast<std::uint64_t>(size);
  if (bytes > limits.max_bytes - content)
    return fail("too_large", "tar: the members hold more than " + std::to_string(limits.max_bytes) + " bytes");
  content += bytes;
  return {};
}

Expected<bool> TarIn::Impl::next_entry() {
  archive_entry* entry = nullptr;
  const int status = archive_read_next_header(reader, &entry);
  if (status == ARCHIVE_EOF) return false;
  if (status < ARCHIVE_WARN) return tl::unexpected<Error>(tar_error());
  if (auto fits = check_limits(entry); !fits) return tl::unexpected<Error>(fits.error());
  const auto* path = archive_entry_pathname(entry);
  const auto parts = parts_of(path == nullptr ? "" : path);
  if (!parts) return tl::unexpected<Error>(parts.error());
  if (auto done = extract(entry, *parts); !done) return tl::unexpected<Error>(done.error());
  return true;
}

// A piece of the member's content; closes it at its end.
Expected<bool> TarIn::Impl::copy() {
  for (std::uint64_t copied = 0; copied < kStepBytes;) {
    const void* data = nullptr;
    std::size_t size = 0;
    la_int64_t offset = 0;
    const int status = archive_read_data_block(reader, &data, &size, &offset);
    if (status == ARCHIVE_EOF) {
      const timespec times[2] = {{0, UTIME_OMIT}, modified};
      if (::fchmod(file.get(), file_mode) != 0 || ::futimens(file.get(), times) != 0)
        return tl::unexpected<Error>(file_error(errno, "file"));
      file.reset();
      return true;
    }
    if (status < ARCHIVE_WARN) return tl::unexpected<Error>(tar_error());
    for (std::size_t done = 0; done < size;) {
      const auto written = ::pwrite(file.get(), static_cast<const char*>(data) + done, size - done,
                                    offset + static_cast<la_int64_t>(done));
      if (written < 0 && errno == EINTR) continue;
      if (written < 0) return tl::unexpected<Error>(file_error(errno, "file"));
      done += static_cast<std::size_t>(written);
    }
    copied += size;
  }
  return true;
}

Expected<bool> TarIn::step() {
  if (!impl_->opened) {
    if (auto opened = impl_->open(); !opened) return tl::unexpected<Error>(opened.error());
  }
  return impl_->file ? impl_->copy() : impl_->next_entry();
}

}  // namespace berth::slotd

// SPDX-License-Identifier: Apache-2.0
#include "slotd/files/tar_writer.hpp"

#include <unistd.h>

#include <algorithm>
#include <archive.h>
#include <archive_entry.h>
#include <array>
#include <cerrno>
#include <climits>

#include "slotd/files/workspace.hpp"

namespace berth::slotd {
namespace {

constexpr std::size_t kPiece = std::size_t{64} << 10;

}  // namespace

struct TarWriter::Impl {
  archive* writer = archive_write_new();
  std::string pending;
  UniqueFd file;  // the member being copied
  std::uint64_t left = 0;

  ~Impl() {
    archive_write_free(writer);  // writes what libarchive holds into `pending`
  }
  Error tar_error() const { return {"system", std::string("tar: ") + archive_error_string(writer), {}}; }
  Expected<void> write_header(const std::string& path, const struct stat& facts, const char* target);
};

TarWriter::TarWriter(bool gzip) : impl_(std::make_unique<Impl>()) {
  if (gzip) {
    archive_write_add_filter_gzip(impl_->writer);
    // Equal trees make equal archives: no time of making in the head.
    archive_write_set_filter_option(impl_->writer, "gzip", "timestamp", nullptr);
  }
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
}

TarWriter::~TarWriter() = default;

Expected<void> TarWriter::Impl::write_header(const std::string& path, const struct stat& facts, const char* target) {
  const std::unique_ptr<archive_entry, decltype(&archive_entry_free)> entry(archive_entry_new(), archive_entry_free);
  archive_entry_copy_pathname(entry.get(), path.c_str());
  if (target != nullptr) archive_entry_copy_symlink(entry.get(), target);
  archive_entry_set_filetype(entry.get(), facts.st_mode & S_IFMT);
  archive_entry_set_perm(entry.get(), facts.st_mode & 0777U);
  archive_entry_set_mtime(entry.get(), facts.st_mtim.tv_sec, facts.st_mtim.tv_nsec);
  archive_entry_set_size(entry.get(), S_ISREG(facts.st_mode) ? facts.st_size : 0);
  if (archive_write_header(writer, entry.get()) < ARCHIVE_WARN) return tl::unexpected<Error>(tar_error());
  return {};
}

Expected<void> TarWriter::add_directory(const std::string& path, const struct stat& facts) {
  return impl_->write_header(path + "/", facts, nullptr);
}

Expected<void> TarWriter::add_link(const std::string& path, const struct stat& facts, const std::string& target) {
  return impl_->write_header(path, facts, target.c_str());
}

Expected<void> TarWriter::begin_file(const std::string& path, const struct stat& facts, UniqueFd content) {
  auto written = impl_->write_header(path, facts, nullptr);
  impl_->left = written ? static_cast<std::uint64_t>(facts.st_size) : 0;
  impl_->file = std::move(content);
  return written;
}

bool TarWriter::in_file() const {
  return impl_->left > 0;
}

Expected<void> TarWriter::copy_piece() {
  std::array<char, kPiece> piece;
  const auto want = std::min<std::uint64_t>(impl_->left, piece.size());
  auto count = ::read(impl_->file.get(), piece.data(), want);
  if (count < 0 && errno == EINTR) return {};
  if (count < 0) return tl::unexpected<Error>(file_error(errno, "reading"));
  if (count == 0) {
    piece.fill('\0');
    count = static_cast<ssize_t>(want);
  }
  if (archive_write_data(impl_->writer, piece.data(), static_cast<std::size_t>(count)) < 0)
    return tl::unexpected<Error>(impl_->tar_error());
  impl_->left -= static_cast<std::uint64_t>(count);
  return {};
}

void TarWriter::close() {
  archive_write_close(impl_->writer);
}

std::string& TarWriter::pending() {
  return impl_->pending;
}

Expected<std::string> read_link(int directory, const std::string& name) {
  std::string target(PATH_MAX, '\0');
  const auto length = ::readlinkat(directory, name.c_str(), target.data(), target.size());
  if (length < 0) return tl::unexpected<Error>(file_error(errno, name));
  target.resize(static_cast<std::size_t>(length));
  return target;
}

}  // namespace berth::slotd

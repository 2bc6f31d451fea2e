// SPDX-License-Identifier: Apache-2.0
#include "slotd/files/tar_writer.hpp"

#include <unistd.h>

#include <algorithm>
#include <archive.h>
#include <archive_entry.h>
#include <array>
#include <cerrno>
#include <climits>
#include <optional>
#include <zlib.h>

#include "slotd/files/workspace.hpp"

namespace berth::slotd {
namespace {

constexpr std::size_t kWritePiece = std::size_t{64} << 10;

// A gzip stream into a string. Its head names no time: equal trees make equal archives.
class Gzip {
 public:
  explicit Gzip(std::string& out) : out_(out) {
    constexpr int kGzipWindow = 15 + 16;
    ready_ = deflateInit2(&stream_, Z_DEFAULT_COMPRESSION, Z_DEFLATED, kGzipWindow, 8, Z_DEFAULT_STRATEGY) == Z_OK;
  }
  ~Gzip() { deflateEnd(&stream_); }
  Gzip(const Gzip&) = delete;
  Gzip& operator=(const Gzip&) = delete;

  bool write(const void* data, std::size_t size, int flush) {
    stream_.next_in = static_cast<Bytef*>(const_cast<void*>(data));
    stream_.avail_in = static_cast<uInt>(size);
    int status = ready_ ? Z_OK : Z_MEM_ERROR;
    do {
      stream_.next_out = reinterpret_cast<Bytef*>(piece_.data());
      stream_.avail_out = static_cast<uInt>(piece_.size());
      if (status == Z_OK) status = deflate(&stream_, flush);
      if (status != Z_OK && status != Z_STREAM_END && status != Z_BUF_ERROR) return false;
      out_.append(piece_.data(), piece_.size() - stream_.avail_out);
    } while (stream_.avail_out == 0 && status == Z_OK);
    return true;
  }

 private:
  std::string& out_;
  z_stream stream_{};
  std::array<char, 16384> piece_;
  bool ready_ = false;
};

}  // namespace

struct TarWriter::Impl {
  archive* writer = archive_write_new();
  std::string pending;
  std::optional<Gzip> gzip;
  UniqueFd file;  // the member being copied
  std::uint64_t left = 0;

  ~Impl() {
    // Otherwise an archive that is given up would first be filled up to the size its last member was to have.
    archive_write_fail(writer);
    archive_write_free(writer);
  }
  la_ssize_t take(const void* data, std::size_t size) {
    if (!gzip) {
      pending.append(static_cast<const char*>(data), size);
    } else if (!gzip->write(data, size, Z_NO_FLUSH)) {
      return -1;
    }
    return static_cast<la_ssize_t>(size);
  }
  Error tar_error() const { return {"system", std::string("tar: ") + archive_error_string(writer), {}}; }
  Expected<void> write_header(const std::string& path, const struct stat& facts, const char* target);
};

TarWriter::TarWriter(bool gzip) : impl_(std::make_unique<Impl>()) {
  if (gzip) impl_->gzip.emplace(impl_->pending);
  archive_write_set_format_pax_restricted(impl_->writer);
  archive_write_set_bytes_per_block(impl_->writer, 0);
  archive_write_set_options(impl_->writer, "hdrcharset=BINARY");
  archive_write_open(
      impl_->writer, impl_.get(), nullptr,
      [](archive*, void* self, const void* data, std::size_t size) {
        return static_cast<Impl*>(self)->take(data, size);
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
  std::array<char, kWritePiece> piece;
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
  if (impl_->gzip) (void)impl_->gzip->write(nullptr, 0, Z_FINISH);
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

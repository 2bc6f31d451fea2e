// SPDX-License-Identifier: Apache-2.0
// Writes a pax tar, plain or gzipped, into memory, member by member; the caller takes the bytes as they come. The same
// members give the same bytes. Blocking; single-threaded.
#pragma once

#include <sys/stat.h>

#include <cstdint>
#include <memory>
#include <string>

#include "base/fd.hpp"
#include "berth/error.hpp"

namespace berth::slotd {

class TarWriter {
 public:
  explicit TarWriter(bool gzip);
  ~TarWriter();
  TarWriter(const TarWriter&) = delete;
  TarWriter& operator=(const TarWriter&) = delete;

  [[nodiscard]] Expected<void> add_directory(const std::string& path, const struct stat& facts);
  [[nodiscard]] Expected<void> add_link(const std::string& path, const struct stat& facts, const std::string& target);
  // The content follows by copy_piece(), `facts.st_size` bytes of it.
  [[nodiscard]] Expected<void> begin_file(const std::string& path, const struct stat& facts, UniqueFd content);
  [[nodiscard]] bool in_file() const;
  // A piece of the file's content; a file that has shrunk since is padded with zeroes.
  [[nodiscard]] Expected<void> copy_piece();
  void close();

  // Written and not yet taken.
  [[nodiscard]] std::string& pending();

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

// The text of a link.
[[nodiscard]] Expected<std::string> read_link(int directory, const std::string& name);

}  // namespace berth::slotd

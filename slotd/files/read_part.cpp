// SPDX-License-Identifier: Apache-2.0
#include "slotd/files/read_part.hpp"

#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>

#include "base/text.hpp"
#include "base/utf8.hpp"

namespace berth::slotd {
namespace {

struct Type {
  std::string_view suffix;
  std::string_view mime;
};

constexpr std::array kTypes{
    Type{"png", "image/png"},    Type{"jpg", "image/jpeg"},        Type{"jpeg", "image/jpeg"},
    Type{"webp", "image/webp"},  Type{"gif", "image/gif"},         Type{"txt", "text/plain"},
    Type{"log", "text/plain"},   Type{"json", "application/json"}, Type{"html", "text/html"},
    Type{"md", "text/markdown"}, Type{"xml", "application/xml"},   Type{"tgz", "application/gzip"},
};

// Reads on past the size that was told: a file may grow meanwhile.
Expected<std::string> read_most(int fd, std::uint64_t size, std::uint64_t max_bytes) {
  std::string bytes(static_cast<std::size_t>(std::min(size, max_bytes)), '\0');
  std::size_t filled = 0;
  while (filled < max_bytes) {
    if (filled == bytes.size())
      bytes.resize(static_cast<std::size_t>(std::min<std::uint64_t>(filled + 65536, max_bytes)));
    const auto count = ::pread(fd, bytes.data() + filled, bytes.size() - filled, static_cast<off_t>(filled));
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) return tl::unexpected<Error>(file_error(errno, "reading"));
    if (count == 0) break;
    filled += static_cast<std::size_t>(count);
  }
  bytes.resize(filled);
  return bytes;
}

}  // namespace

std::string_view mime_type(std::string_view path) {
  const auto name = path.substr(path.rfind('/') + 1);
  const auto dot = name.rfind('.');
  std::string suffix(dot == std::string_view::npos || dot == 0 ? "" : name.substr(dot + 1));
  std::transform(suffix.begin(), suffix.end(), suffix.begin(),
                 [](char letter) { return letter >= 'A' && letter <= 'Z' ? static_cast<char>(letter + 32) : letter; });
  const auto* type =
      std::find_if(kTypes.begin(), kTypes.end(), [&](const Type& each) { return each.suffix == suffix; });
  return type == kTypes.end() ? "application/octet-stream" : type->mime;
}

Expected<FilePart> read_part(const Workspace& workspace, std::string_view path, std::uint64_t max_bytes,
                             bool whole_characters, bool digest) {
  auto file = workspace.open_file(path);
  if (!file) return tl::unexpected<Error>(file.error());
  FilePart part;
  auto bytes = read_most(file->fd.get(), static_cast<std::uint64_t>(file->facts.st_size), max_bytes);
  if (!bytes) return tl::unexpected<Error>(bytes.error());
  part.bytes = std::move(*bytes);
  struct stat now = file->facts;
  (void)::fstat(file->fd.get(), &now);
  part.file_size = std::max<std::uint64_t>(static_cast<std::uint64_t>(now.st_size), part.bytes.size());
  part.truncated = part.bytes.size() == max_bytes && part.file_size > max_bytes;
  // A file that shrank while it was read ends where the bytes do.
  if (!part.truncated) part.file_size = part.bytes.size();
  if (part.truncated && whole_characters) part.bytes.resize(without_partial_end(part.bytes).size());
  part.path = workspace.name_of(file->fd.get()).value_or(std::string(path));
  if (digest) part.sha256 = sha256_hex(part.bytes);
  return part;
}

}  // namespace berth::slotd

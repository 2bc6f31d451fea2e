// SPDX-License-Identifier: Apache-2.0
// Files on their way into a container, piece by piece.
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <ctime>

#include "base/fd.hpp"
#include "base/text.hpp"
#include "drivers/docker/engine.hpp"
#include "drivers/docker/tar_header.hpp"

namespace berth::drivers::docker {
namespace {

constexpr std::size_t kPiece = std::size_t{256} << 10;

Expected<std::uint64_t> size_of(const FileToSend& file) {
  if (file.path.empty()) return file.content.size();
  struct stat facts {};
  if (::stat(file.path.c_str(), &facts) != 0) return fail_errno("looking at " + file.path, errno);
  return static_cast<std::uint64_t>(facts.st_size);
}

Expected<std::uint64_t> size_of_all(const std::vector<FileToSend>& files) {
  std::uint64_t total = tar_end().size();
  for (const FileToSend& file : files) {
    const auto size = size_of(file);
    if (!size) return tl::unexpected(size.error());
    total += kTarBlock + *size + tar_padding(*size);
  }
  return total;
}

// The next piece of a file, no longer than `left`.
Expected<std::string> read_piece(int fd, const std::string& path, std::uint64_t left) {
  std::string piece(std::min<std::uint64_t>(kPiece, left), '\0');
  const ssize_t count = ::read(fd, piece.data(), piece.size());
  if (count < 0) return fail_errno("reading " + path, errno);
  if (count == 0) return fail("system", path + " changed while it was sent", "try again");
  piece.resize(static_cast<std::size_t>(count));
  return piece;
}

}  // namespace

asio::awaitable<Expected<void>> Engine::send_file(Stream stream, const FileToSend& file, Deadline deadline) {
  const auto size = size_of(file);
  if (!size) co_return tl::unexpected(size.error());
  const std::string header = tar_header(file.name, *size, file.mode, std::time(nullptr));
  auto sent = co_await stream->write(header, deadline);
  if (sent && file.path.empty()) sent = co_await stream->write(file.content, deadline);
  UniqueFd fd;
  if (!file.path.empty()) fd.reset(::open(file.path.c_str(), O_RDONLY | O_CLOEXEC));
  if (!file.path.empty() && !fd) co_return fail_errno("opening " + file.path, errno);
  for (std::uint64_t left = fd ? *size : 0; sent && left > 0;) {
    const auto piece = read_piece(fd.get(), file.path, left);
    if (!piece) co_return tl::unexpected(piece.error());
    left -= piece->size();
    sent = co_await stream->write(*piece, deadline);
  }
  const std::string padding(tar_padding(*size), '\0');
  if (sent) sent = co_await stream->write(padding, deadline);
  if (!sent) co_return tl::unexpected(lost(sent.error()));
  co_return Expected<void>();
}

asio::awaitable<Expected<void>> Engine::send_files(std::string container, std::string folder,
                                                   std::vector<FileToSend> files, Deadline deadline) {
  const auto total = size_of_all(files);
  if (!total) co_return tl::unexpected(total.error());
  auto agreed = co_await agree(deadline);
  if (!agreed) co_return agreed;
  http::ClientRequest request;
  request.method = "PUT";
  request.target = "/v1." + std::to_string(*version_) + "/containers/" + percent_encode(container) +
                   "/archive?path=" + percent_encode(folder);
  request.content_type = "application/x-tar";
  const Stream stream = new_stream();
  auto begun = co_await stream->begin(request, *total, deadline);
  if (!begun) co_return tl::unexpected(lost(begun.error()));
  Expected<void> sent;
  for (const FileToSend& file : files) {
    if (sent) sent = co_await send_file(stream, file, deadline);
  }
  if (!sent && !sent.error().code.starts_with("engine_")) co_return sent;  // a file that cannot be read
  const std::string end = tar_end();
  if (sent) sent = co_await stream->write(end, deadline);
  // The engine's refusal is a better reason than the cut that came with it.
  const auto head = co_await stream->finish(deadline);
  if (!head) co_return tl::unexpected(lost(head.error()));
  co_return co_await check(stream, head->status, deadline);
}

}  // namespace berth::drivers::docker

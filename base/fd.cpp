// SPDX-License-Identifier: Apache-2.0
#include "base/fd.hpp"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdio>

#include "base/text.hpp"

namespace berth {
namespace {

constexpr std::size_t kReadChunk = std::size_t{64} << 10;

Expected<void> fill_and_rename(UniqueFd file, const std::string& temporary, const std::string& path,
                               std::string_view data, unsigned mode) {
  if (auto written = write_all(file.get(), data); !written) return written;
  // The umask has narrowed the mode given to open().
  if (::fchmod(file.get(), mode) != 0) return fail_errno("setting the mode of " + temporary, errno);
  file.reset();
  if (std::rename(temporary.c_str(), path.c_str()) != 0) return fail_errno("replacing " + path, errno);
  return {};
}

}  // namespace

void UniqueFd::reset(int fd) noexcept {
  const int old = std::exchange(fd_, fd);
  if (old < 0) return;
  const int saved = errno;  // callers report the error that made them close
  ::close(old);             // never retried: Linux has freed the number even when it says EINTR
  errno = saved;
}

Expected<Pipe> make_pipe(int flags) {
  std::array<int, 2> ends{};
  if (::pipe2(ends.data(), flags | O_CLOEXEC) != 0) return fail_errno("making a pipe", errno);
  return Pipe{UniqueFd(ends[0]), UniqueFd(ends[1])};
}

Expected<Pipe> make_seqpacket_pair() {
  std::array<int, 2> ends{};
  if (::socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends.data()) != 0) {
    return fail_errno("making a socket pair", errno);
  }
  return Pipe{UniqueFd(ends[0]), UniqueFd(ends[1])};
}

Expected<UniqueFd> make_sealed_memfd(std::string_view name, std::string_view content) {
  UniqueFd file(::memfd_create(std::string(name).c_str(), MFD_CLOEXEC | MFD_ALLOW_SEALING));
  if (!file) return fail_errno("making an anonymous file", errno);
  if (auto written = write_all(file.get(), content); !written) return tl::unexpected(written.error());
  if (::fcntl(file.get(), F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE | F_SEAL_SEAL) != 0) {
    return fail_errno("sealing an anonymous file", errno);
  }
  if (::lseek(file.get(), 0, SEEK_SET) != 0) return fail_errno("rewinding an anonymous file", errno);
  return file;
}

Expected<std::string> read_all(int fd, std::size_t limit) {
  std::string content;
  for (;;) {
    const std::size_t have = content.size();
    // One byte past the limit is asked for, to tell a file that fits exactly from one that is too long.
    const std::size_t want = limit - have < kReadChunk ? limit - have + 1 : kReadChunk;
    content.resize(have + want);
    const ssize_t got = ::read(fd, content.data() + have, want);
    content.resize(have + static_cast<std::size_t>(std::max<ssize_t>(got, 0)));
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return fail_errno("reading", errno);
    if (got == 0) return content;
    if (content.size() > limit) return fail("too_large", "more than " + std::to_string(limit) + " bytes");
  }
}

Expected<std::string> read_file(const std::string& path, std::size_t limit) {
  const UniqueFd file(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NOCTTY));
  if (!file) return fail_errno("opening " + path, errno);
  auto content = read_all(file.get(), limit);
  if (!content) return tl::unexpected(content.error().within(path));
  return content;
}

Expected<void> write_all(int fd, std::string_view data) {
  while (!data.empty()) {
    const ssize_t put = ::write(fd, data.data(), data.size());
    if (put < 0 && errno == EINTR) continue;
    if (put < 0) return fail_errno("writing", errno);
    data.remove_prefix(static_cast<std::size_t>(put));
  }
  return {};
}

Expected<void> write_file_atomically(const std::string& path, std::string_view data, unsigned mode) {
  const std::string temporary = path + ".tmp-" + random_hex(8);
  UniqueFd file(::open(temporary.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, mode));
  if (!file) return fail_errno("creating " + temporary, errno);
  auto done = fill_and_rename(std::move(file), temporary, path, data, mode);
  if (done) return done;
  ::unlink(temporary.c_str());
  return tl::unexpected(done.error().within(path));
}

}  // namespace berth

// SPDX-License-Identifier: Apache-2.0
#include "drivers/local/log_file.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <charconv>

#include "base/fd.hpp"

namespace berth::drivers {
namespace {

constexpr std::size_t kMostPart = std::size_t{1} << 20;

Expected<std::uint64_t> offset_of(const std::string& after) {
  std::uint64_t offset = 0;
  const char* const end = after.data() + after.size();
  const auto read = std::from_chars(after.data(), end, offset);
  if (after.empty() || (read.ec == std::errc() && read.ptr == end)) return offset;
  return fail("bad_request", "\"after\" is no place of a log", "take it from Berth-Next, or leave it out");
}

}  // namespace

Expected<LogPart> read_log_file(const std::string& path, const std::string& after) {
  auto offset = offset_of(after);
  if (!offset) return tl::unexpected(offset.error());
  const UniqueFd fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW));
  struct stat facts {};
  if (!fd || ::fstat(fd.get(), &facts) != 0) return fail_errno("reading " + path, errno);
  if (*offset > static_cast<std::uint64_t>(facts.st_size)) offset = 0;
  LogPart part;
  part.text.resize(kMostPart);
  const ssize_t count = ::pread(fd.get(), part.text.data(), part.text.size(), static_cast<off_t>(*offset));
  if (count < 0) return fail_errno("reading " + path, errno);
  part.text.resize(static_cast<std::size_t>(count));
  part.next = std::to_string(*offset + part.text.size());
  return part;
}

}  // namespace berth::drivers

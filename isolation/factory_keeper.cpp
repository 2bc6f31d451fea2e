// SPDX-License-Identifier: Apache-2.0
#include <fcntl.h>
#include <sys/mman.h>

#include <cerrno>

#include "isolation/room_impl.hpp"

#ifndef MFD_EXEC
#define MFD_EXEC 0x0010U
#endif

extern "C" const char berth_keeper_begin[];  // keeper_image.S
extern "C" const char berth_keeper_end[];

namespace berth::isolation {
namespace {

UniqueFd make_executable_memfd() {
  const unsigned flags = MFD_CLOEXEC | MFD_ALLOW_SEALING;
  UniqueFd file(::memfd_create("keeper", flags | MFD_EXEC));
  if (!file && errno == EINVAL) file.reset(::memfd_create("keeper", flags));  // before Linux 6.3 all are executable
  return file;
}

}  // namespace

Expected<UniqueFd> make_keeper_file() {
  UniqueFd file = make_executable_memfd();
  if (!file) return fail_errno("making the keeper's file", errno);
  const std::string_view image(berth_keeper_begin, static_cast<std::size_t>(berth_keeper_end - berth_keeper_begin));
  if (auto written = write_all(file.get(), image); !written) return tl::unexpected(written.error());
  if (::fcntl(file.get(), F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE | F_SEAL_SEAL) != 0) {
    return fail_errno("sealing the keeper's file", errno);
  }
  // Through a read-only descriptor: a process cannot exec what somebody holds open for writing.
  UniqueFd reader(::open(("/proc/self/fd/" + std::to_string(file.get())).c_str(), O_RDONLY | O_CLOEXEC));
  if (!reader) return fail_errno("opening the keeper's file", errno);
  file.reset();
  UniqueFd high(::fcntl(reader.get(), F_DUPFD_CLOEXEC, kLowestFd));
  if (!high) return fail_errno("opening the keeper's file", errno);
  return high;
}

}  // namespace berth::isolation

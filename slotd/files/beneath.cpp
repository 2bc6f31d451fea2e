// SPDX-License-Identifier: Apache-2.0
#include "slotd/files/beneath.hpp"

#include <fcntl.h>
#include <linux/openat2.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <cstdint>

namespace berth::slotd {

int open_beneath(int root, const std::string& path, int flags, mode_t mode) {
  constexpr int kMaxTries = 100;
  open_how how{};
  how.flags = static_cast<std::uint64_t>(flags) | O_CLOEXEC;
  how.mode = (flags & O_CREAT) != 0 ? mode : 0;
  how.resolve = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS;
  for (int tries = 0;; ++tries) {
    const auto fd = static_cast<int>(::syscall(SYS_openat2, root, path.c_str(), &how, sizeof how));
    // EAGAIN: a rename happened during resolution; the kernel asks to try again.
    if (fd >= 0 || errno != EAGAIN || tries == kMaxTries) return fd;
  }
}

}  // namespace berth::slotd

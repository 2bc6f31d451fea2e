// SPDX-License-Identifier: Apache-2.0
// What the probe's children try. Runs in a bare clone of the process: system calls only, nothing allocated, nothing
// locked.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

namespace berth::isolation {

enum class ProbeStep : std::uint8_t {
  ids,       // becoming uid and gid 0 of the new user namespace
  mounts,    // a tmpfs in an own mount namespace
  proc,      // a fresh procfs
  overlay,   // overlay over /usr with a tmpfs upper
  removal,   // removing a directory of the lower layer
  idmapped,  // overlay over the id-mapped mount that came with the order: owned by 0, changeable
  loopback,  // raising the loopback of an own network namespace
  hostname,  // an own host name
  leaving,   // pivot_root into the tmpfs, the old root taken away
  seccomp,   // installing a filter
};
inline constexpr std::size_t kProbeSteps = 10;

// errno of each step, 0 where it worked, -1 where it was not tried.
using ProbeFindings = std::array<int, kProbeSteps>;

struct ProbeOrder {
  bool become_root = false;  // there is a user namespace with an id map
};

// Waits on the SOCK_SEQPACKET `socket` for a ProbeOrder (with the id-mapped mount as SCM_RIGHTS, if there is one),
// tries, sends the findings and exits. Everything it makes lives in its own namespaces and dies with it.
[[noreturn]] void run_probe_child(int socket);

}  // namespace berth::isolation

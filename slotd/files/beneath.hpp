// SPDX-License-Identifier: Apache-2.0
// Opening below a held directory through no link at all: what is planted or exchanged meanwhile cannot redirect it.
#pragma once

#include <sys/types.h>

#include <string>

namespace berth::slotd {

// Like openat(2): -1 and errno (ELOOP: a link on the way, EXDEV: it leads above `root`). `mode` counts with O_CREAT.
[[nodiscard]] int open_beneath(int root, const std::string& path, int flags, mode_t mode = 0);

}  // namespace berth::slotd

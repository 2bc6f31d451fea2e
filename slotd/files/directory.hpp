// SPDX-License-Identifier: Apache-2.0
// Owns an open directory stream.
#pragma once

#include <dirent.h>
#include <memory>

namespace berth::slotd {

struct CloseDirectory {
  void operator()(DIR* directory) const { ::closedir(directory); }
};
using Directory = std::unique_ptr<DIR, CloseDirectory>;

}  // namespace berth::slotd

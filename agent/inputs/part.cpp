// SPDX-License-Identifier: Apache-2.0
#include "agent/inputs/part.hpp"

#include <unistd.h>

#include <cerrno>

namespace berth::agent {

Error error_of_keeping(int error_number) {
  const bool full = error_number == ENOSPC || error_number == EDQUOT || error_number == EFBIG;
  if (!full) return errno_error("keeping an input in the agent's state_dir", error_number);
  return {"disk_full", "the disk of the agent's state_dir has no room for the input", "make room there, or send less"};
}

InputUpload::Part::~Part() {
  if (!path.empty()) ::unlink(path.c_str());
}

Expected<void> InputUpload::Part::write(std::string_view bytes) {
  digest.update(bytes);
  while (!bytes.empty()) {
    const ssize_t count = ::write(file.get(), bytes.data(), bytes.size());
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) return tl::unexpected(error_of_keeping(errno));
    bytes.remove_prefix(static_cast<std::size_t>(count));
  }
  return {};
}

}  // namespace berth::agent

// SPDX-License-Identifier: Apache-2.0
// The beginning of a file, as the artifact route answers it. Blocking, bounded by `max_bytes`.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "berth/error.hpp"
#include "slotd/files/workspace.hpp"

namespace berth::slotd {

struct FilePart {
  std::string bytes;
  std::uint64_t file_size = 0;  // as it was when the bytes had been read
  bool truncated = false;       // the file is longer than `bytes`
  std::string path;             // where it really is in the workspace
  std::string sha256;           // of `bytes`; empty unless asked for
};

// `whole_characters`: what is cut ends at the end of a UTF-8 character.
[[nodiscard]] Expected<FilePart> read_part(const Workspace& workspace, std::string_view path, std::uint64_t max_bytes,
                                           bool whole_characters, bool digest);

// By the last suffix of a name.
[[nodiscard]] std::string_view mime_type(std::string_view path);

}  // namespace berth::slotd

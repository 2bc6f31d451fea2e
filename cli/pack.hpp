// SPDX-License-Identifier: Apache-2.0
// Host files as a tar, for a job's inputs. Blocking; runs before anything is started.
#pragma once

#include <cstdint>
#include <string>

#include "berth/error.hpp"

namespace berth::cli {

inline constexpr std::uint64_t kMostInputBytes = std::uint64_t{1} << 30;

// The same tree gives the same bytes: sorted, owner 0, whole seconds. Links stay links; sockets, devices and fifos are
// an error that names them. A directory's own name is not in the tar; a file is called `file_name`.
[[nodiscard]] Expected<std::string> pack(const std::string& path, const std::string& file_name);

// pack() into directory/SHA256; the path of that file. An existing one is not written again.
[[nodiscard]] Expected<std::string> pack_into(const std::string& directory, const std::string& path,
                                              const std::string& file_name);

}  // namespace berth::cli

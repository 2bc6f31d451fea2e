// SPDX-License-Identifier: Apache-2.0
// The frame of a tar of plain files (ustar, owner 0): what the engine unpacks into a container. Pure.
#pragma once

#include <cstdint>
#include <ctime>
#include <string>

namespace berth::drivers::docker {

inline constexpr std::uint64_t kTarBlock = 512;

// `name` up to 100 bytes, `size` below 8 GiB.
[[nodiscard]] std::string tar_header(const std::string& name, std::uint64_t size, unsigned mode, std::time_t changed);
// Zeros that follow a file's content.
[[nodiscard]] inline std::uint64_t tar_padding(std::uint64_t size) {
  return (kTarBlock - size % kTarBlock) % kTarBlock;
}
[[nodiscard]] inline std::string tar_end() {
  return std::string(2 * kTarBlock, '\0');
}

}  // namespace berth::drivers::docker

// SPDX-License-Identifier: Apache-2.0
// What the three artifact routes are asked, read as leniently as their clients expect: limits are clamped or defaulted,
// never refused.
#pragma once

#include <cstdint>
#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <string>

#include "base/json.hpp"

namespace berth::slotd {

inline constexpr std::uint64_t kMaxArtifactBytes = 5'000'000;
inline constexpr std::uint64_t kMaxArtifactEntries = 5'000;

struct ArtifactRequest {
  std::string slot;
  std::optional<std::string> path;  // nothing: it was no text
  std::string encoding;             // normalised: "text", "base64", or what was asked
  std::string format;               // "tar.gz", or what was asked
  std::uint64_t max_bytes = kMaxArtifactBytes;
  std::uint64_t max_entries = kMaxArtifactEntries;
  bool recursive = false;
  bool digest = false;
  std::optional<std::uint64_t> generation;
  bool bad_generation = false;
};

// `body`: an object.
[[nodiscard]] ArtifactRequest parse_artifact_request(const Json& body, const std::string& default_path);

}  // namespace berth::slotd

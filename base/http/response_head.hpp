// SPDX-License-Identifier: Apache-2.0
// Judges the head of an answer as strictly as the gate judges requests: a server in a container is hostile input too.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>

#include "base/http/body.hpp"
#include "base/http/client.hpp"

namespace berth::http {

inline constexpr std::size_t kMaxResponseHead = std::size_t{64} << 10;
inline constexpr std::size_t kMaxResponseFields = 256;

struct ParsedResponse {
  ResponseHead head;
  Body body = Body::none();
  std::optional<std::uint64_t> length;
  bool keep_alive = false;
};

// `text` ends with its first empty line. Error code: "protocol".
[[nodiscard]] Expected<ParsedResponse> parse_response_head(std::string_view text, bool head_request);

}  // namespace berth::http

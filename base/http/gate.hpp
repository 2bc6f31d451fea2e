// SPDX-License-Identifier: Apache-2.0
// The strict gate (wire.md 1.19, facts/threats.md section 1): reads the raw bytes of one request head and refuses every
// message that two readers could understand differently, before Beast or a route acts on it. Pure functions.
#pragma once

#include <cstddef>
#include <string_view>

#include "base/http/message.hpp"
#include "berth/error.hpp"

namespace berth::http {

struct HeadLimits {
  std::size_t max_bytes = std::size_t{16} << 10;
  std::size_t max_fields = 100;
};

// `head` ends with the empty line (CRLF CRLF included). Error codes: "bad_request" (400), "too_large" (431),
// "version" (505), "expectation" (417). The message names the rule that was broken.
[[nodiscard]] Expected<RequestHead> check_request_head(std::string_view head, const HeadLimits& limits = {});

// The HTTP status that goes with an error of the gate or of reading a body (body_too_large 413, too_slow 408,
// busy 429).
[[nodiscard]] int gate_status(const Error& error);

}  // namespace berth::http

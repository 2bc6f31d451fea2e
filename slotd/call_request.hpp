// SPDX-License-Identifier: Apache-2.0
// From one element's JSON text to a CallRequest, or to the reason why not (wire.md 1.2, 1.3, 1.12). Pure functions.
#pragma once

#include <string>
#include <string_view>
#include <tl/expected.hpp>

#include "base/json.hpp"
#include "slotd/execution.hpp"

namespace berth::slotd {

// Of what is sent as one object to any route: beyond them it is refused, within the time that threats.md row 48 allows.
inline constexpr JsonBounds kCallBounds{.max_bytes = std::size_t{2} << 20, .max_depth = 64, .max_values = 65'536};

// A call that does not run. On /execute it is an answer with `status`; inside a batch that element alone.
struct Refusal {
  int status = 400;
  std::string error;
  std::string code;              // also metadata.cause's companion: "stale_generation", "ledger_full", ...
  std::string id_json = "null";  // echoed when it could be read
  bool five_keys = true;         // false: the request is not even an object, two keys
  Cause cause = Cause::rejected;
};

[[nodiscard]] tl::expected<CallRequest, Refusal> parse_call_request(std::string_view text, double max_timeout_seconds);

// A refusal as the five-key result.
[[nodiscard]] Finished finished_refusal(const Refusal& refusal);

}  // namespace berth::slotd

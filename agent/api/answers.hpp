// SPDX-License-Identifier: Apache-2.0
// What every answer of /v1 looks like: JSON, errors as {"error": {"code", "message", "hint"}} (wire.md 1.1). Private to
// agent/api.
#pragma once

#include <boost/asio/awaitable.hpp>
#include <optional>
#include <string>
#include <string_view>

#include "agent/pool/views.hpp"
#include "base/http/server.hpp"
#include "base/json.hpp"
#include "berth/error.hpp"

namespace berth::agent {

// The status that goes with an error's code; 500 for one that nobody thought of.
[[nodiscard]] int status_of(std::string_view code);
[[nodiscard]] std::string error_body(const Error& error);

[[nodiscard]] boost::asio::awaitable<void> send_json(http::Exchange& exchange, int status, std::string body);
// 429 and 503 carry Retry-After; `retry_after` zero: a second.
[[nodiscard]] boost::asio::awaitable<void> send_error(http::Exchange& exchange, Error error, Duration retry_after = {});
[[nodiscard]] boost::asio::awaitable<void> send_error_as(http::Exchange& exchange, int status, Error error,
                                                         Duration retry_after = {});

// The body as a JSON object without keys that nobody knows; it has been answered when there is none. An empty body
// counts as {}.
[[nodiscard]] boost::asio::awaitable<std::optional<std::string>> read_body(http::Exchange& exchange, std::size_t most);
// Error "bad_request" when it is no object, or has a key that is not known.
[[nodiscard]] Expected<void> check_keys(const Json& object, std::initializer_list<std::string_view> known);
[[nodiscard]] Expected<Json> parse_object(std::string_view body, std::initializer_list<std::string_view> known);
// Error "bad_request" when there is such a member and it is no duration ("90s", or a number of seconds) of at most
// `most`.
[[nodiscard]] Expected<std::optional<Duration>> duration_at(const Json& object, const char* key, Duration most);

// RFC 3339 with milliseconds, UTC; "null" for never.
[[nodiscard]] std::string time_json(TimePoint at);

}  // namespace berth::agent

// SPDX-License-Identifier: Apache-2.0
// The routes of the slot server (facts/slot-protocol.md section 2, wire.md section 1). One file a group.
#pragma once

#include <boost/asio/awaitable.hpp>
#include <string>
#include <string_view>

#include "base/http/server.hpp"
#include "base/json.hpp"
#include "slotd/routes/app.hpp"

namespace berth::slotd {

asio::awaitable<void> execute_route(App& app, http::Exchange& exchange);
asio::awaitable<void> batch_route(App& app, http::Exchange& exchange);
asio::awaitable<void> reset_route(App& app, http::Exchange& exchange);
asio::awaitable<void> artifact_read_route(App& app, http::Exchange& exchange);
asio::awaitable<void> artifact_list_route(App& app, http::Exchange& exchange);
asio::awaitable<void> artifact_archive_route(App& app, http::Exchange& exchange);
asio::awaitable<void> health_route(App& app, http::Exchange& exchange);
asio::awaitable<void> slots_route(App& app, http::Exchange& exchange);
asio::awaitable<void> tools_route(App& app, http::Exchange& exchange);
asio::awaitable<void> metrics_route(App& app, http::Exchange& exchange);
// `rest`: the decoded execution id, with "/output" taken off and told by `output`.
asio::awaitable<void> execution_route(App& app, http::Exchange& exchange, Slot& slot, std::string id, bool output);
// `path`: decoded, below the workspace.
asio::awaitable<void> files_route(App& app, http::Exchange& exchange, Slot& slot, std::string path);
asio::awaitable<void> tar_get(App& app, http::Exchange& exchange, Slot& slot, std::string path);
asio::awaitable<void> tar_put(App& app, http::Exchange& exchange, Slot& slot, std::string path);

// Answers.
asio::awaitable<void> send_json(http::Exchange& exchange, int status, std::string body);
asio::awaitable<void> send_error(http::Exchange& exchange, int status, std::string_view error,
                                 std::string_view code = {});

// Goes with 429: what fills up empties within about a second.
inline const std::pair<std::string, std::string> kTryAgain{"Retry-After", "1"};

// The body of a JSON request, or nothing after the error was answered.
[[nodiscard]] asio::awaitable<std::optional<std::string>> read_json_body(http::Exchange& exchange,
                                                                         std::size_t max_bytes);
// The same of one that is one JSON object within kCallBounds.
[[nodiscard]] asio::awaitable<std::optional<Json>> read_json_object(http::Exchange& exchange);

// Header Berth-Boot against this boot: an answer was sent and false returned when the request must not go on.
[[nodiscard]] asio::awaitable<bool> check_boot(App& app, http::Exchange& exchange);
// Header Berth-Generation against the slot's floor, likewise.
[[nodiscard]] asio::awaitable<bool> check_generation(App& app, http::Exchange& exchange, const Slot& slot);

inline constexpr std::size_t kMaxBatchBytes = std::size_t{64} << 20;
inline constexpr std::size_t kMaxBatchElements = 1000;

}  // namespace berth::slotd

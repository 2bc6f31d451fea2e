// SPDX-License-Identifier: Apache-2.0
// Calls and their results: one by one, and in batches.
#pragma once

#include <boost/asio/awaitable.hpp>
#include <optional>
#include <string>
#include <vector>

#include "berth/client.hpp"
#include "client/engine.hpp"

namespace berth::client {

[[nodiscard]] asio::awaitable<Result> execute(Engine& engine, std::string address, Call call);
[[nodiscard]] asio::awaitable<std::vector<Result>> execute_batch(Engine& engine, std::vector<PlacedCall> calls);
[[nodiscard]] asio::awaitable<Result> reset_slot(Engine& engine, SlotPlace place);

// Fills in an id where there is none. Why the call cannot be sent: its arguments would break the request.
[[nodiscard]] std::optional<Result> refuse_call(Call& call);

// How a try, or the last of them, came to nothing.
struct Setback {
  Error error;
  Cause cause = Cause::transport;
  bool unsure = true;  // whether the call ran is unknown
};
[[nodiscard]] Setback setback_of(const Error& error, bool unsure);
// What an answer says that holds no results: its status and what its body tells.
[[nodiscard]] Setback setback_of_answer(const http::WholeResponse& answer, bool unsure);
// `limit`: of one try, for the text of a time-out.
[[nodiscard]] Result result_of(const Call& call, const Setback& setback, unsigned attempts, Seconds limit);
// "Request timed out after 40s: why", "Failed after 3 attempts: why".
[[nodiscard]] std::string failure_text(const Error& error, unsigned attempts, Seconds limit);
// A failure always says something.
[[nodiscard]] Result with_text(Result result);

}  // namespace berth::client

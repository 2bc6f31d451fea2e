// SPDX-License-Identifier: Apache-2.0
// The calls of one request, and what is to be told of them: lines for a stream, or results in their places. Private to
// agent/api. Single-threaded; made by make_shared, because the calls outlive a request whose caller went away.
#pragma once

#include <boost/asio/awaitable.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/steady_timer.hpp>
#include <cstddef>
#include <deque>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "agent/runtime/runtime.hpp"
#include "base/call_wire.hpp"

namespace berth::agent {

// A call as it came over HTTP.
struct WantedCall {
  std::string lease;
  LeaseCall call;
  bool id_given = false;
};
constexpr double kMaxTimeoutSeconds = 3600;

// `batched`: the element names its lease. Errors "bad_request", "bad_timeout", "bad_execution_id", those of parse_json.
// A call that names no timeout gets 30 s, or `max_timeout` where that is less.
[[nodiscard]] Expected<WantedCall> parse_wanted_call(std::string_view text, bool batched,
                                                     Seconds max_timeout = Seconds(kMaxTimeoutSeconds));

// The five keys.
[[nodiscard]] std::string result_json(const Result& result);
// A result that says that the call was refused as a request: for answers to single calls. Nothing for every other one.
[[nodiscard]] std::optional<Error> refusal_of(const Result& result);

class CallSet {
 public:
  // `single` keeps an error as one; in a batch it becomes a result with cause rejected.
  enum class Telling { single, results, result_lines, all_lines };
  // Output that a slow reader has not taken is kept up to here; later lines are dropped, and offsets show the hole.
  static constexpr std::size_t kMostUntold = std::size_t{1} << 20;
  // Results that wait to be sent: beyond it their output is withheld, and asked for by their ids.
  static constexpr std::size_t kMostHeld = std::size_t{64} << 20;

  CallSet(boost::asio::io_context& context, std::size_t size, Telling telling);

  void started(std::size_t index, const std::string& slot, const std::string& execution_id);
  void put_out(const OutputLine& line);
  // `error`: it was not accepted, nothing ran.
  void answered(std::size_t index, Expected<Result> answer, const std::string& execution_id);

  [[nodiscard]] bool done() const { return answers_left_ == 0; }
  [[nodiscard]] bool tells_output() const { return telling_ == Telling::all_lines; }
  [[nodiscard]] std::size_t size() const { return answers_.size(); }
  [[nodiscard]] const std::optional<Expected<Result>>& answer(std::size_t index) const { return answers_[index]; }

  // Returns when there is something new, all is done, the reader has gone, or the deadline has come.
  [[nodiscard]] boost::asio::awaitable<void> news(Deadline until);
  [[nodiscard]] std::string take_lines();
  // The caller has gone: nothing is kept for it any more.
  void leave();
  [[nodiscard]] bool left() const { return left_; }

 private:
  void tell(const std::string& line);

  boost::asio::steady_timer timer_;
  const Telling telling_;
  std::vector<std::optional<Expected<Result>>> answers_;  // empty results where they were told as lines
  std::size_t answers_left_;
  std::string lines_;
  std::size_t held_ = 0;  // bytes of answers_
  bool new_ = false;
  bool left_ = false;
};

}  // namespace berth::agent

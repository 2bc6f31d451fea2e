// SPDX-License-Identifier: Apache-2.0
// Calls of external tools under a key of their caller's (header Idempotency-Key): the same key again is the one call,
// running or ended, so that nobody who lost an answer makes it twice. Private to agent/executor. Single-threaded.
#pragma once

#include <boost/asio/io_context.hpp>
#include <boost/asio/steady_timer.hpp>
#include <cstddef>
#include <deque>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <utility>

#include "agent/executor/trajectories.hpp"
#include "base/clock.hpp"
#include "berth/call.hpp"

namespace berth::agent {

struct KeyedCallLimits {
  std::size_t calls = 16'384;                 // ids that are known; the oldest that have ended go
  std::size_t bytes = std::size_t{64} << 20;  // of results that are kept, oldest go first
  Duration kept_for = std::chrono::minutes(10);
};

class KeyedCalls {
 public:
  using Key = std::pair<Trajectories::Key, std::string>;

  explicit KeyedCalls(boost::asio::io_context& context, KeyedCallLimits limits = {})
      : context_(context), limits_(limits) {}

  struct Call {
    Call(boost::asio::io_context& context, Key named, std::string digest)
        : key(std::move(named)), content(std::move(digest)), news(context, TimePoint::max()) {}

    const Key key;
    const std::string content;     // the same key with another one is another call: refused
    std::optional<Result> result;  // none: it runs, or nothing of it is kept any more
    bool over = false;
    TimePoint ended{};
    boost::asio::steady_timer news;  // never expires; cancelled when it is over, and to wake who waits
  };
  using CallPtr = std::shared_ptr<Call>;

  // Null: the key is new.
  [[nodiscard]] CallPtr find(const Key& key, TimePoint now);
  [[nodiscard]] CallPtr begin(Key key, std::string content);
  void end(const CallPtr& call, Result result, TimePoint now);
  // It never reached anybody: whoever waits is told the result, and the key may be used again.
  void end_unmade(const CallPtr& call, Result result, TimePoint now);
  // The trajectory was released: its keys are free again.
  void forget(const Trajectories::Key& trajectory);

  [[nodiscard]] std::size_t size() const { return calls_.size(); }
  [[nodiscard]] std::size_t bytes() const { return bytes_; }

 private:
  void expire(TimePoint now);
  void drop_result(Call& call);

  boost::asio::io_context& context_;
  const KeyedCallLimits limits_;
  std::map<Key, CallPtr> calls_;
  std::deque<CallPtr> with_result_;  // the last ones of ended_
  std::deque<CallPtr> ended_;        // in the order of their ends, as far as they are known
  std::size_t bytes_ = 0;
};

}  // namespace berth::agent

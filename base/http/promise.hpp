// SPDX-License-Identifier: Apache-2.0
// A value that one coroutine waits for and somebody else sets. Single-threaded (one io_context).
#pragma once

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/awaitable.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <optional>
#include <utility>

#include "base/deadline.hpp"

namespace berth::http {

template <typename T>
class Promise {
 public:
  explicit Promise(boost::asio::io_context& context) : timer_(context, TimePoint::max()) {}

  // The first value stays. The waiter resumes later, never inside this call.
  void set(T value) {
    if (value_) return;
    value_.emplace(std::move(value));
    timer_.cancel();
  }
  [[nodiscard]] bool is_set() const { return value_.has_value(); }

  // The value, once; nothing when the deadline came first (it may be waited for again). The caller keeps the promise
  // alive while it waits; one waiter at a time.
  [[nodiscard]] boost::asio::awaitable<std::optional<T>> wait(Deadline until) {
    while (!value_ && !until.expired(now())) {
      timer_.expires_at(until.at());
      co_await timer_.async_wait(boost::asio::as_tuple(boost::asio::use_awaitable));
    }
    co_return std::exchange(value_, std::nullopt);
  }

 private:
  boost::asio::steady_timer timer_;
  std::optional<T> value_;
};

}  // namespace berth::http

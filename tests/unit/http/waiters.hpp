// SPDX-License-Identifier: Apache-2.0
// Handlers that are at work until their peer goes.
#pragma once

#include <atomic>
#include <boost/asio/as_tuple.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>

#include "tests/unit/http/harness.hpp"

namespace berth::http {

// Waits for ever, until its connection is cut; counts those that wait and those that ended.
struct Waiters {
  std::atomic<int> waiting{0};
  std::atomic<int> gone{0};
  std::atomic<int> ended{0};

  asio::awaitable<void> operator()(Exchange& exchange) {
    struct Count {
      std::atomic<int>& ended;
      ~Count() { ++ended; }
    } count{ended};
    asio::steady_timer timer(co_await asio::this_coro::executor, TimePoint::max());
    static_cast<void>(co_await exchange.read_body(1000));
    exchange.on_disconnect([this, &timer] {
      ++gone;
      timer.cancel();
    });
    ++waiting;
    co_await timer.async_wait(asio::as_tuple(asio::use_awaitable));
    static_cast<void>(co_await exchange.respond(reply("done")));
  }
};

inline Handler handler_of(Waiters& waiters) {
  return [&waiters](Exchange& exchange) { return waiters(exchange); };
}

}  // namespace berth::http

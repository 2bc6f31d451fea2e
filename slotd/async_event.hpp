// SPDX-License-Identifier: Apache-2.0
// A condition for coroutines of one io_context: wait until somebody notifies or the deadline passes. Waiters re-check
// what they wait for, as with a condition variable. Single-threaded.
#pragma once

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/awaitable.hpp>
#include <boost/asio/steady_timer.hpp>
#include <list>
#include <memory>

#include "base/deadline.hpp"

namespace berth::slotd {

namespace asio = boost::asio;

class AsyncEvent {
 public:
  explicit AsyncEvent(asio::any_io_executor executor)
      : executor_(std::move(executor)), waiters_(std::make_shared<Waiters>()) {}
  AsyncEvent(const AsyncEvent&) = delete;
  AsyncEvent& operator=(const AsyncEvent&) = delete;

  // Returns after the next notify_all() or at the deadline. A waiter that is still suspended when the event
  // goes is never resumed by it.
  [[nodiscard]] asio::awaitable<void> wait(Deadline deadline = {});
  void notify_all();

 private:
  using Waiters = std::list<asio::steady_timer*>;
  asio::any_io_executor executor_;
  std::shared_ptr<Waiters> waiters_;
};

}  // namespace berth::slotd

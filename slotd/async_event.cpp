// SPDX-License-Identifier: Apache-2.0
#include "slotd/async_event.hpp"

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/use_awaitable.hpp>

namespace berth::slotd {
namespace {

// Takes the timer off the list even when the coroutine is destroyed while it waits, be it after the event.
struct Registration {
  std::shared_ptr<std::list<asio::steady_timer*>> list;
  std::list<asio::steady_timer*>::iterator at;
  ~Registration() { list->erase(at); }
};

}  // namespace

asio::awaitable<void> AsyncEvent::wait(Deadline deadline) {
  asio::steady_timer timer(executor_, deadline.at());
  const Registration registration{waiters_, waiters_->insert(waiters_->end(), &timer)};
  co_await timer.async_wait(asio::as_tuple(asio::use_awaitable));
}

void AsyncEvent::notify_all() {
  for (auto* timer : *waiters_) timer->cancel();
}

}  // namespace berth::slotd

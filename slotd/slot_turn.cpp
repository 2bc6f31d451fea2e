// SPDX-License-Identifier: Apache-2.0
#include "slotd/slot_turn.hpp"

#include <boost/asio/use_awaitable.hpp>

namespace berth::slotd {

asio::awaitable<Expected<void>> SlotTurn::wait() {
  while (!granted_ && !over_) co_await changed_.wait();
  if (refused_) co_return tl::unexpected<Error>(*refused_);
  if (over_) co_return fail("cancelled", "the caller is gone");
  co_return Expected<void>();
}

void SlotTurn::end() {
  over_ = true;
  stop();
  changed_.notify_all();
}

void SlotTurn::grant() {
  granted_ = true;
  changed_.notify_all();
}

void SlotTurn::refuse(Error why) {
  if (over_) return;
  refused_ = std::move(why);
  end();
}

asio::awaitable<void> SlotTurn::wait_end() {
  while (!over_) co_await changed_.wait();
}

}  // namespace berth::slotd

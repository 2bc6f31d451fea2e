// SPDX-License-Identifier: Apache-2.0
// A turn in a slot's queue for work that is no call: files that are read, listed or packed. It waits among the calls in
// order of arrival, holds the slot until it ends, and is told to stop when the slot is reset. Single-threaded.
#pragma once

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/awaitable.hpp>
#include <optional>

#include "base/deadline.hpp"
#include "berth/error.hpp"
#include "slotd/async_event.hpp"

namespace berth::slotd {

class SlotTurn {
 public:
  // `start_by`: still waiting then, it is refused.
  SlotTurn(const asio::any_io_executor& executor, Deadline start_by) : start_by_(start_by), changed_(executor) {}

  // For who asked. Waits until it is this turn's time; errors: "cancelled", "busy", "isolation".
  [[nodiscard]] asio::awaitable<Expected<void>> wait();
  // The work is done, or nobody wants it any more. Idempotent.
  void end();
  // The caller is gone: a turn that waits ends, work that has begun is told to stop.
  void abandon() { granted_ ? stop() : end(); }
  // The work shall stop where it is.
  [[nodiscard]] bool stopped() const { return stopped_; }

  // For the slot.
  [[nodiscard]] Deadline start_by() const { return start_by_; }
  [[nodiscard]] bool over() const { return over_; }
  void grant();
  void refuse(Error why);
  void stop() { stopped_ = true; }
  [[nodiscard]] asio::awaitable<void> wait_end();

 private:
  const Deadline start_by_;
  AsyncEvent changed_;
  bool granted_ = false;
  bool over_ = false;
  bool stopped_ = false;
  std::optional<Error> refused_;
};

}  // namespace berth::slotd

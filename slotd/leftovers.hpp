// SPDX-License-Identifier: Apache-2.0
// What a slot's last owner leaves when its processes are dead: mounts, and the disk behind them. They are taken down
// beside whoever has the slot next, one owner's at a time, so that a slot never holds more than those of one.
// Single-threaded.
#pragma once

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/awaitable.hpp>
#include <memory>

#include "base/deadline.hpp"
#include "base/fd.hpp"
#include "berth/error.hpp"
#include "slotd/async_event.hpp"

namespace berth::slotd {

class FileWorkers;

class Leftovers {
 public:
  // `workers` outlive this object and close what it is given.
  Leftovers(const asio::any_io_executor& executor, FileWorkers& workers);
  ~Leftovers();
  Leftovers(const Leftovers&) = delete;
  Leftovers& operator=(const Leftovers&) = delete;

  // Waits for what was given before to be gone, then begins with `mounts` and returns. Error: "isolation" at the
  // deadline; then `mounts` are gone when this returns, on the caller's time. One call at a time.
  [[nodiscard]] asio::awaitable<Expected<void>> clear(UniqueFd mounts, Deadline deadline);

 private:
  asio::any_io_executor executor_;
  FileWorkers& workers_;
  bool clearing_ = false;
  AsyncEvent cleared_;
  // Guards the handler that fires after this object is gone.
  std::shared_ptr<bool> alive_ = std::make_shared<bool>(true);
};

}  // namespace berth::slotd

// SPDX-License-Identifier: Apache-2.0
#include "slotd/leftovers.hpp"

#include <boost/asio/co_spawn.hpp>

#include "slotd/files/workers.hpp"

namespace berth::slotd {

Leftovers::Leftovers(const asio::any_io_executor& executor, FileWorkers& workers)
    : executor_(executor), workers_(workers), cleared_(executor) {}

Leftovers::~Leftovers() {
  *alive_ = false;
}

asio::awaitable<Expected<void>> Leftovers::clear(UniqueFd mounts, Deadline deadline) {
  while (clearing_) {
    if (deadline.expired(now())) {
      co_return fail("isolation", "what an earlier owner of the slot left is still being taken down",
                     "look for a file system or a memory limit that is stuck, or replace the container");
    }
    co_await cleared_.wait(deadline);
  }
  if (!mounts) co_return Expected<void>{};
  clearing_ = true;
  auto held = std::make_shared<UniqueFd>(std::move(mounts));
  auto closed = workers_.run([held] { held->reset(); });
  asio::co_spawn(executor_, std::move(closed), [this, alive = alive_](const std::exception_ptr&) {
    if (!*alive) return;
    clearing_ = false;
    cleared_.notify_all();
  });
  co_return Expected<void>{};
}

}  // namespace berth::slotd

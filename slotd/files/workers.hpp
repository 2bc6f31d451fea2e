// SPDX-License-Identifier: Apache-2.0
// A few threads for file work that may take long, so that the event loop never waits for a disk, a digest or an
// archive. They are started by the first work. Used from the event loop's thread; destruction waits for the piece each
// is at.
#pragma once

#include <boost/asio/awaitable.hpp>
#include <functional>
#include <memory>

#include "base/deadline.hpp"
#include "berth/error.hpp"

namespace boost::asio {
class thread_pool;
}

namespace berth::slotd {

class FileWorkers {
 public:
  FileWorkers();
  ~FileWorkers();
  FileWorkers(const FileWorkers&) = delete;
  FileWorkers& operator=(const FileWorkers&) = delete;

  // Runs `work` on one of the threads and comes back to the caller's. The work owns all it touches (a caller may be
  // gone when it ends) and does not throw.
  [[nodiscard]] boost::asio::awaitable<void> run(std::function<void()> work);

  // Work in pieces: `piece` runs for about 20 ms at a time until it says false, so that others get their turns between.
  // Errors: its own; "cancelled" when `wanted`, asked on the caller's thread between, says no; "overtime" at the
  // deadline.
  [[nodiscard]] boost::asio::awaitable<Expected<void>> run_pieces(std::function<Expected<bool>()> piece,
                                                                  std::function<bool()> wanted, Deadline deadline);

 private:
  std::unique_ptr<boost::asio::thread_pool> pool_;
};

}  // namespace berth::slotd

// SPDX-License-Identifier: Apache-2.0
// Notices that nobody asks any more (--lonely-limit): whoever started the server is gone, and it ends itself.
// Single-threaded.
#pragma once

#include <boost/asio/io_context.hpp>
#include <boost/asio/steady_timer.hpp>
#include <chrono>
#include <functional>

namespace berth::slotd {

class LonelyWatch {
 public:
  // `limit` 0: never. `on_lonely` is called once, on the context's thread.
  LonelyWatch(boost::asio::io_context& context, std::chrono::seconds limit, std::function<void()> on_lonely);
  void start();
  void stop();
  // A request came.
  void heard() { quiet_parts_ = 0; }

 private:
  void wait_part();

  boost::asio::steady_timer timer_;
  std::chrono::seconds limit_;
  std::function<void()> on_lonely_;
  int quiet_parts_ = 0;
};

}  // namespace berth::slotd

// SPDX-License-Identifier: Apache-2.0
// As the first process of a container slotd inherits every orphan: they are reaped, while the keepers, which are its
// own children, are left for their rooms to collect. Single-threaded.
#pragma once

#include <boost/asio/io_context.hpp>
#include <boost/asio/signal_set.hpp>
#include <functional>

namespace berth::slotd {

class Reaper {
 public:
  // `is_keeper` tells the pids that somebody else waits for.
  Reaper(boost::asio::io_context& context, std::function<bool(int)> is_keeper);
  void start();
  void stop();

 private:
  void reap();

  boost::asio::signal_set signals_;
  std::function<bool(int)> is_keeper_;
};

}  // namespace berth::slotd

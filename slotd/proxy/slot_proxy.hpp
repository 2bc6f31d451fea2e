// SPDX-License-Identifier: Apache-2.0
// The proxy of one slot: accepts what the slot's programs connect to on their own loopback. Single-threaded.
#pragma once

#include <boost/asio/awaitable.hpp>
#include <memory>

#include "base/fd.hpp"
#include "slotd/proxy/gate.hpp"
#include "slotd/proxy/traffic.hpp"

namespace berth::slotd::proxy {

class SlotProxy {
 public:
  explicit SlotProxy(std::shared_ptr<Gate> gate);
  ~SlotProxy();
  SlotProxy(const SlotProxy&) = delete;
  SlotProxy& operator=(const SlotProxy&) = delete;

  // Serves `listener` until stop(). Nothing of an earlier one is left.
  void start(UniqueFd listener);
  // Closes the listening socket and cuts every connection, before it returns.
  void stop();

  // What the slot's programs talk to while somebody holds the tally.
  [[nodiscard]] std::shared_ptr<Tally> open_tally() { return book_->open_tally(); }

 private:
  class Round;  // from start() to stop()

  const std::shared_ptr<Gate> gate_;
  const std::shared_ptr<TrafficBook> book_ = std::make_shared<TrafficBook>();
  std::shared_ptr<Round> round_;
};

}  // namespace berth::slotd::proxy

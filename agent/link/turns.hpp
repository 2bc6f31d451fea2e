// SPDX-License-Identifier: Apache-2.0
// A bounded number of turns at the same time, first come first served. Single-threaded; made by make_shared.
#pragma once

#include <boost/asio/awaitable.hpp>
#include <boost/asio/io_context.hpp>
#include <cstddef>
#include <deque>
#include <memory>

#include "base/http/promise.hpp"

namespace berth::agent {

class Turns : public std::enable_shared_from_this<Turns> {
 public:
  Turns(boost::asio::io_context& context, std::size_t most) : context_(context), free_(most) {}

  // The right to go on, given back when the last copy goes; empty when the deadline came first.
  using Turn = std::shared_ptr<void>;
  [[nodiscard]] boost::asio::awaitable<Turn> take(Deadline until) {
    const auto self = shared_from_this();
    if (free_ > 0) {
      --free_;
      co_return make_turn();
    }
    const auto mine = std::make_shared<http::Promise<bool>>(context_);
    waiting_.push_back(mine);
    const auto came = co_await mine->wait(until);
    std::erase(waiting_, mine);
    if (!came) co_return nullptr;
    co_return make_turn();
  }

  [[nodiscard]] std::size_t waiting() const { return waiting_.size(); }

 private:
  [[nodiscard]] Turn make_turn() {
    return Turn(this, [self = shared_from_this()](void*) { self->give_back(); });
  }
  // A turn goes from hand to hand: nobody who comes later can take it first.
  void give_back() {
    if (waiting_.empty()) {
      ++free_;
      return;
    }
    waiting_.front()->set(true);
    waiting_.pop_front();
  }

  boost::asio::io_context& context_;
  std::size_t free_;
  std::deque<std::shared_ptr<http::Promise<bool>>> waiting_;
};

}  // namespace berth::agent

// SPDX-License-Identifier: Apache-2.0
// Runs coroutines on an io_context of the test's own, with one generous bound for every wait.
#pragma once

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/awaitable.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <chrono>
#include <functional>
#include <memory>
#include <optional>
#include <stdexcept>
#include <utility>

namespace berth::testing {

inline constexpr std::chrono::seconds kMaxTestWait{20};

class Loop {
 public:
  boost::asio::io_context context;

  // The coroutine's value; a test that waits longer than kMaxTestWait fails by exception.
  template <typename T>
  T run(boost::asio::awaitable<T> work) {
    auto value = std::make_shared<std::optional<T>>();
    auto wrapped = [value](boost::asio::awaitable<T> inner) -> boost::asio::awaitable<void> {
      value->emplace(co_await std::move(inner));
    };
    boost::asio::co_spawn(context, wrapped(std::move(work)), boost::asio::detached);
    until([value] { return value->has_value(); });
    return std::move(**value);
  }

  // Starts the coroutine; the value appears in the pointer's target later.
  template <typename T>
  std::shared_ptr<std::optional<T>> start(boost::asio::awaitable<T> work) {
    auto value = std::make_shared<std::optional<T>>();
    auto wrapped = [](boost::asio::awaitable<T> inner,
                      std::shared_ptr<std::optional<T>> into) -> boost::asio::awaitable<void> {
      into->emplace(co_await std::move(inner));
    };
    boost::asio::co_spawn(context, wrapped(std::move(work), value), boost::asio::detached);
    return value;
  }

  void until(const std::function<bool()>& condition) {
    const auto give_up = std::chrono::steady_clock::now() + kMaxTestWait;
    while (!condition()) {
      if (std::chrono::steady_clock::now() > give_up) throw std::runtime_error("the test waited too long");
      if (context.stopped()) context.restart();
      context.run_one_for(std::chrono::milliseconds(50));
    }
  }

  // Lets everything happen that is due within this time.
  void spin(std::chrono::milliseconds time) {
    if (context.stopped()) context.restart();
    context.run_for(time);
  }
};

}  // namespace berth::testing

// SPDX-License-Identifier: Apache-2.0
// Runs one coroutine of the client to its end.
#pragma once

#include <boost/asio/awaitable.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>
#include <gtest/gtest.h>
#include <optional>

#include "base/deadline.hpp"
#include "tests/unit/http/harness.hpp"

namespace berth::http {

inline Deadline soon() {
  return Deadline(std::chrono::steady_clock::now() + kPatience);
}

template <typename T>
T run(asio::io_context& context, asio::awaitable<T> work) {
  std::optional<T> result;
  asio::co_spawn(context, std::move(work), [&](const std::exception_ptr& error, T value) {
    if (error) std::rethrow_exception(error);
    result.emplace(std::move(value));
  });
  context.restart();
  while (!result && context.run_one_for(kPatience) > 0) {
  }
  if (!result) throw std::runtime_error("the coroutine did not end");
  return std::move(*result);
}

template <typename T>
std::string code_of(const Expected<T>& result) {
  return result ? "ok" : result.error().code;
}

}  // namespace berth::http

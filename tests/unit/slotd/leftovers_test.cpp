// SPDX-License-Identifier: Apache-2.0
// What a slot's last owner left is closed beside the event loop, one owner's at a time.
#include "slotd/leftovers.hpp"

#include <sys/socket.h>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/io_context.hpp>
#include <future>
#include <gtest/gtest.h>
#include <memory>

#include "slotd/files/workers.hpp"

namespace berth::slotd {
namespace {

constexpr auto kAtMost = std::chrono::seconds(20);  // nothing takes so long but a hang
constexpr int kWorkers = 4;                         // at most; all of them are kept busy

class LeftoversTest : public ::testing::Test {
 protected:
  // One end to give away; the other sees it closed.
  UniqueFd give_away() {
    int ends[2] = {-1, -1};
    EXPECT_EQ(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, ends), 0);
    seen_ = UniqueFd(ends[1]);
    return UniqueFd(ends[0]);
  }

  [[nodiscard]] bool is_open() const {
    char byte = 0;
    return ::recv(seen_.get(), &byte, 1, 0) != 0;
  }

  void clear(UniqueFd mounts, Deadline deadline, std::optional<Expected<void>>& result) {
    auto call = [](LeftoversTest* self, UniqueFd given, Deadline until,
                   std::optional<Expected<void>>* into) -> asio::awaitable<void> {
      auto cleared = co_await self->leftovers_->clear(std::move(given), until);
      *into = std::move(cleared);
    };
    asio::co_spawn(context_, call(this, std::move(mounts), deadline, &result), asio::detached);
  }

  // Work of others, until release_.
  void keep_workers_busy() {
    auto wait = [gate = std::shared_future<void>(release_.get_future())] { gate.wait(); };
    for (int i = 0; i < kWorkers; ++i) asio::co_spawn(context_, workers_.run(wait), asio::detached);
  }

  void run_until(const std::function<bool()>& done) {
    const auto end = std::chrono::steady_clock::now() + kAtMost;
    while (!done() && std::chrono::steady_clock::now() < end) {
      context_.restart();
      context_.run_one_for(std::chrono::milliseconds(10));
    }
    EXPECT_TRUE(done());
  }

  asio::io_context context_;
  FileWorkers workers_;
  std::unique_ptr<Leftovers> leftovers_ = std::make_unique<Leftovers>(context_.get_executor(), workers_);
  std::promise<void> release_;
  UniqueFd seen_;
};

TEST_F(LeftoversTest, AreClosedBesideTheCaller) {
  keep_workers_busy();
  std::optional<Expected<void>> result;
  clear(give_away(), Deadline(now() + kAtMost), result);
  run_until([&] { return result.has_value(); });
  EXPECT_TRUE(*result);
  EXPECT_TRUE(is_open());
  release_.set_value();
  run_until([&] { return !is_open(); });
}

TEST_F(LeftoversTest, OfOneOwnerGoBeforeThoseOfTheNext) {
  keep_workers_busy();
  std::optional<Expected<void>> first;
  std::optional<Expected<void>> second;
  clear(give_away(), Deadline(now() + kAtMost), first);
  const UniqueFd first_seen = std::move(seen_);
  run_until([&] { return first.has_value(); });
  clear(give_away(), Deadline(now() + kAtMost), second);
  for (int i = 0; i < 10; ++i) context_.poll();
  EXPECT_FALSE(second.has_value()) << "two owners' mounts at once";
  release_.set_value();
  run_until([&] { return second.has_value(); });
  EXPECT_TRUE(*second);
  char byte = 0;
  EXPECT_EQ(::recv(first_seen.get(), &byte, 1, 0), 0) << "the first was not closed before";
  run_until([&] { return !is_open(); });
}

TEST_F(LeftoversTest, ThatDoNotGoAreAnErrorAtTheDeadline) {
  keep_workers_busy();
  std::optional<Expected<void>> first;
  std::optional<Expected<void>> second;
  clear(give_away(), Deadline(now() + kAtMost), first);
  run_until([&] { return first.has_value(); });
  clear(give_away(), Deadline(now()), second);
  run_until([&] { return second.has_value(); });
  ASSERT_FALSE(*second);
  EXPECT_EQ(second->error().code, "isolation");
  EXPECT_FALSE(is_open()) << "not kept by anybody";
  release_.set_value();
}

TEST_F(LeftoversTest, MayOutliveTheirSlot) {
  keep_workers_busy();
  std::optional<Expected<void>> result;
  clear(give_away(), Deadline(now() + kAtMost), result);
  run_until([&] { return result.has_value(); });
  leftovers_.reset();
  release_.set_value();
  context_.restart();
  context_.run_for(kAtMost);
  EXPECT_TRUE(context_.stopped());
  EXPECT_FALSE(is_open());
}

TEST_F(LeftoversTest, OfNobodyAreNothingToDo) {
  std::optional<Expected<void>> result;
  clear(UniqueFd(), Deadline(now() + kAtMost), result);
  run_until([&] { return result.has_value(); });
  EXPECT_TRUE(*result);
  release_.set_value();
}

}  // namespace
}  // namespace berth::slotd

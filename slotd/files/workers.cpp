// SPDX-License-Identifier: Apache-2.0
#include "slotd/files/workers.hpp"

#include <algorithm>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/thread_pool.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <chrono>
#include <thread>

namespace berth::slotd {
namespace {

namespace asio = boost::asio;

constexpr auto kPieceTime = std::chrono::milliseconds(20);

asio::awaitable<void> call(std::function<void()> work) {
  work();
  co_return;
}

struct Pieces {
  std::function<Expected<bool>()> piece;
  Expected<bool> more = true;

  void work() {
    const auto end = now() + kPieceTime;
    do {
      more = piece();
    } while (more && *more && now() < end);
  }
};

}  // namespace

FileWorkers::FileWorkers() = default;

FileWorkers::~FileWorkers() {
  if (!pool_) return;
  pool_->stop();
  pool_->join();
}

asio::awaitable<void> FileWorkers::run(std::function<void()> work) {
  if (!pool_) pool_ = std::make_unique<asio::thread_pool>(std::clamp(std::thread::hardware_concurrency(), 2U, 4U));
  auto called = call(std::move(work));
  co_await asio::co_spawn(pool_->get_executor(), std::move(called), asio::use_awaitable);
}

asio::awaitable<Expected<void>> FileWorkers::run_pieces(std::function<Expected<bool>()> piece,
                                                        std::function<bool()> wanted, Deadline deadline) {
  const auto pieces = std::make_shared<Pieces>();
  pieces->piece = std::move(piece);
  while (pieces->more && *pieces->more) {
    if (!wanted()) co_return fail("cancelled", "the request was cancelled");
    if (deadline.expired(now())) co_return fail("overtime", "the work took too long");
    std::function<void()> work = [pieces] { pieces->work(); };
    co_await run(std::move(work));
  }
  if (!pieces->more) co_return tl::unexpected<Error>(pieces->more.error());
  co_return Expected<void>();
}

}  // namespace berth::slotd

// SPDX-License-Identifier: Apache-2.0
#include "slotd/proxy/slot_proxy.hpp"

#include <sys/socket.h>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/posix/stream_descriptor.hpp>
#include <boost/asio/steady_timer.hpp>
#include <cerrno>
#include <set>

#include "base/http/await.hpp"
#include "slotd/proxy/conversation.hpp"

namespace berth::slotd::proxy {
namespace {

constexpr auto kPause = std::chrono::milliseconds(100);  // where there is no room for one more
constexpr auto kSecond = std::chrono::seconds(1);

bool is_passing(int error) {
  return error == EMFILE || error == ENFILE || error == ENOBUFS || error == ENOMEM;
}

}  // namespace

class SlotProxy::Round : public std::enable_shared_from_this<Round> {
 public:
  Round(std::shared_ptr<Gate> gate, std::shared_ptr<TrafficBook> book, UniqueFd listener)
      : gate_(std::move(gate)),
        book_(std::move(book)),
        listener_(gate_->context(), listener.release()),
        pause_(gate_->context()) {}

  static asio::awaitable<void> serve(std::shared_ptr<Round> self) {
    while (!self->stopped_) {
      co_await self->listener_.async_wait(asio::posix::stream_descriptor::wait_read, http::kAwait);
      if (self->stopped_) break;
      const Duration pause = self->take_all();
      if (pause == Duration::zero()) continue;
      self->pause_.expires_after(pause);
      co_await self->pause_.async_wait(http::kAwait);
    }
  }

  void stop() {
    stopped_ = true;
    boost::system::error_code ignored;
    listener_.close(ignored);
    pause_.cancel();
    const auto open = std::exchange(open_, {});
    for (const auto& conversation : open) conversation->cut();
  }

 private:
  // Accepts what is there; how long to rest before the next look.
  Duration take_all() {
    while (true) {
      const TimePoint time = now();
      if (time - second_began_ >= kSecond) {
        second_began_ = time;
        accepted_ = 0;
      }
      const bool full = open_.size() >= gate_->limits().connections_per_slot;
      if (accepted_ >= gate_->limits().accepts_a_second) return second_began_ + kSecond - time;
      if (full) return kPause;  // more wait in the kernel's queue
      UniqueFd client(::accept4(listener_.native_handle(), nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC));
      if (!client) return is_passing(errno) ? Duration(kPause) : Duration::zero();
      ++accepted_;
      begin(std::move(client));
    }
  }

  void begin(UniqueFd client) {
    // The set holds it until it is over; what it does holds it while it does it.
    auto conversation = std::make_shared<Conversation>(gate_, book_);
    if (!conversation->adopt(std::move(client))) return;
    conversation->on_over([round = weak_from_this(), raw = conversation.get()] {
      const auto self = round.lock();
      if (self) std::erase_if(self->open_, [raw](const auto& each) { return each.get() == raw; });
    });
    open_.insert(conversation);
    asio::co_spawn(gate_->context(), Conversation::run(conversation), asio::detached);
  }

  const std::shared_ptr<Gate> gate_;
  const std::shared_ptr<TrafficBook> book_;
  asio::posix::stream_descriptor listener_;
  asio::steady_timer pause_;
  std::set<std::shared_ptr<Conversation>> open_;
  TimePoint second_began_{};
  std::size_t accepted_ = 0;
  bool stopped_ = false;
};

SlotProxy::SlotProxy(std::shared_ptr<Gate> gate) : gate_(std::move(gate)) {}

SlotProxy::~SlotProxy() {
  stop();
}

void SlotProxy::start(UniqueFd listener) {
  stop();
  round_ = std::make_shared<Round>(gate_, book_, std::move(listener));
  asio::co_spawn(gate_->context(), Round::serve(round_), asio::detached);
}

void SlotProxy::stop() {
  if (const auto round = std::exchange(round_, nullptr)) round->stop();
}

}  // namespace berth::slotd::proxy

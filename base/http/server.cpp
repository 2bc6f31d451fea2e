// SPDX-License-Identifier: Apache-2.0
#include "base/http/server.hpp"

#include <poll.h>
#include <sys/socket.h>

#include <algorithm>
#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/posix/stream_descriptor.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>
#include <cerrno>
#include <unordered_map>
#include <vector>

#include "base/http/await.hpp"
#include "base/http/connection.hpp"
#include "base/http/listener.hpp"

namespace berth::http {
namespace {

using namespace std::chrono_literals;

// Without a free descriptor or memory accept fails at once and again; waiting lets others give theirs back.
constexpr auto kAcceptBackOff = 100ms;
constexpr std::size_t kPartThatGoes = 16;

bool is_exhausted(int error) {
  return error == EMFILE || error == ENFILE || error == ENOBUFS || error == ENOMEM;
}
bool somebody_waits(int listening) {
  pollfd state{listening, POLLIN, 0};
  return ::poll(&state, 1, 0) > 0;
}
bool is_nothing_waiting(int error) {
  return error == EAGAIN || error == EWOULDBLOCK;
}

// A listening socket while it is served; shared with the coroutine that accepts from it.
struct Door {
  Door(asio::io_context& context, Listener opened, AcceptLayer wanted)
      : listener(std::move(opened)), layer(std::move(wanted)), socket(context), pause(context) {}

  [[nodiscard]] Expected<void> open() {
    UniqueFd fd = listener.take_fd();
    boost::system::error_code error;
    socket.assign(fd.get(), error);
    if (error) return fail("listen", "watching the listening socket: " + error.message());
    static_cast<void>(fd.release());
    return {};
  }

  void close() {
    boost::system::error_code ignored;
    socket.close(ignored);
    pause.cancel();
  }

  Listener listener;
  AcceptLayer layer;  // none: plain
  asio::posix::stream_descriptor socket;
  asio::steady_timer pause;
};

}  // namespace

class Server::Impl : public ServerCore, public std::enable_shared_from_this<Server::Impl> {
 public:
  Impl(asio::io_context& io, Handler on_request, ServerLimits bounds)
      : ServerCore{.context = io, .handler = std::move(on_request), .limits = bounds, .date = {}} {}

  Expected<std::uint16_t> listen(const std::string& address, std::uint16_t port, AcceptLayer layer);
  void stop(std::function<void()> when_idle);
  void close_doors();
  void abort();
  void forget_waiters() { when_idle_ = nullptr; }
  [[nodiscard]] std::size_t connections() const { return connections_.size(); }

 private:
  static asio::awaitable<void> accept_all(std::shared_ptr<Impl> self, std::shared_ptr<Door> door);
  // False when accepting must pause.
  bool accept_waiting(Door& door);
  // Cuts a part of the connections that have waited longest for nothing, so that idle ones keep nobody out.
  void make_room();
  void serve(UniqueFd fd, const Door& door);
  void end(std::uint64_t id);
  [[nodiscard]] std::vector<std::shared_ptr<Connection>> live() const;

  std::vector<std::shared_ptr<Door>> doors_;
  std::unordered_map<std::uint64_t, std::weak_ptr<Connection>> connections_;
  std::function<void()> when_idle_;
};

Expected<std::uint16_t> Server::Impl::listen(const std::string& address, std::uint16_t port, AcceptLayer layer) {
  Expected<Listener> opened = Listener::open(address, port);
  if (!opened) return tl::unexpected(opened.error());
  const std::uint16_t bound = opened->port();
  auto door = std::make_shared<Door>(context, std::move(*opened), std::move(layer));
  if (Expected<void> watched = door->open(); !watched) return tl::unexpected(watched.error());
  doors_.push_back(door);
  asio::co_spawn(context, accept_all(shared_from_this(), std::move(door)), asio::detached);
  return bound;
}

asio::awaitable<void> Server::Impl::accept_all(std::shared_ptr<Impl> self, std::shared_ptr<Door> door) {
  while (door->socket.is_open()) {
    if (self->accept_waiting(*door)) {
      co_await door->socket.async_wait(asio::posix::stream_descriptor::wait_read, kAwait);
    } else {
      door->pause.expires_after(kAcceptBackOff);
      co_await door->pause.async_wait(kAwait);
    }
  }
}

bool Server::Impl::accept_waiting(Door& door) {
  while (connections_.size() < limits.max_connections) {
    UniqueFd fd(::accept4(door.socket.native_handle(), nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC));
    if (fd) {
      serve(std::move(fd), door);
      continue;
    }
    if (is_nothing_waiting(errno)) return true;
    if (is_exhausted(errno)) return false;
  }
  if (somebody_waits(door.socket.native_handle())) make_room();
  return false;
}

void Server::Impl::make_room() {
  const TimePoint old = now() - limits.idle_when_full;
  auto idle = live();
  std::erase_if(idle, [old](const auto& connection) { return connection->waits_since() > old; });
  const std::size_t most = std::min(idle.size(), limits.max_connections / kPartThatGoes + 1);
  std::partial_sort(idle.begin(), idle.begin() + static_cast<std::ptrdiff_t>(most), idle.end(),
                    [](const auto& a, const auto& b) { return a->waits_since() < b->waits_since(); });
  for (std::size_t i = 0; i < most; ++i) idle[i]->cut();
}

void Server::Impl::serve(UniqueFd fd, const Door& door) {
  auto wire = std::make_shared<Wire>(context);
  if (!wire->adopt(std::move(fd), door.listener.family())) return;
  std::unique_ptr<Layer> layer = door.layer ? door.layer(wire->fd()) : nullptr;
  if (door.layer && !layer) return;
  auto connection = std::make_shared<Connection>(shared_from_this(), std::move(wire), std::move(layer));
  connections_.emplace(connection->id(), connection);
  auto ended = [self = shared_from_this(), connection](const std::exception_ptr&) {
    connection->release();
    self->end(connection->id());
  };
  asio::co_spawn(context, Connection::run(connection),
                 asio::bind_cancellation_slot(connection->cancellation_slot(), std::move(ended)));
}

void Server::Impl::end(std::uint64_t id) {
  connections_.erase(id);
  if (!connections_.empty() || !when_idle_) return;
  std::exchange(when_idle_, nullptr)();
}

void Server::Impl::stop(std::function<void()> when_idle) {
  stopping = true;
  close_doors();
  for (const auto& connection : live()) connection->retire();
  when_idle_ = std::move(when_idle);
  if (!connections_.empty() || !when_idle_) return;
  asio::post(context, std::exchange(when_idle_, nullptr));
}

void Server::Impl::close_doors() {
  for (const auto& door : doors_) door->close();
  doors_.clear();
}

void Server::Impl::abort() {
  for (const auto& connection : live()) connection->cut();
}

std::vector<std::shared_ptr<Connection>> Server::Impl::live() const {
  std::vector<std::shared_ptr<Connection>> all;
  all.reserve(connections_.size());
  for (const auto& [id, weak] : connections_) {
    if (auto connection = weak.lock()) all.push_back(std::move(connection));
  }
  return all;
}

Server::Server(asio::io_context& context, Handler handler, ServerLimits limits)
    : impl_(std::make_shared<Impl>(context, std::move(handler), limits)) {}

Server::~Server() {
  impl_->forget_waiters();
  impl_->stopping = true;
  impl_->close_doors();
  impl_->abort();
}

Expected<std::uint16_t> Server::listen(const std::string& address, std::uint16_t port, AcceptLayer layer) {
  return impl_->listen(address, port, std::move(layer));
}
void Server::stop(std::function<void()> when_idle) {
  impl_->stop(std::move(when_idle));
}
void Server::abort() {
  impl_->abort();
}
std::size_t Server::connections() const {
  return impl_->connections();
}
std::uint64_t Server::refused() const {
  return impl_->refused;
}

}  // namespace berth::http

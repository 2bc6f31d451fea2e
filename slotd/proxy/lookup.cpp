// SPDX-License-Identifier: Apache-2.0
#include "slotd/proxy/lookup.hpp"

#include <fcntl.h>
#include <netinet/in.h>

#include <ares.h>
#include <array>
#include <cstring>

#include "base/http/await.hpp"

namespace berth::slotd::proxy {
namespace {

constexpr int kTryMs = 2000;
constexpr int kTries = 3;
constexpr std::size_t kMostAddresses = 32;

Error no_answer(const std::string& name, int status) {
  return Error{"name", "looking up " + name + ": " + ::ares_strerror(status), {}};
}

}  // namespace

Lookup::~Lookup() {
  if (channel_ != nullptr) ::ares_destroy(channel_);
}

Expected<void> Lookup::open() {
  static char lookups[] = "fb";
  ares_options options{};
  options.flags = ARES_FLAG_NOSEARCH | ARES_FLAG_NOALIASES;
  options.timeout = kTryMs;
  options.tries = kTries;
  options.lookups = lookups;
  options.ndomains = 0;
  const int mask = ARES_OPT_FLAGS | ARES_OPT_TIMEOUTMS | ARES_OPT_TRIES | ARES_OPT_LOOKUPS | ARES_OPT_DOMAINS;
  if (const int status = ::ares_init_options(&channel_, &options, mask); status != ARES_SUCCESS) {
    channel_ = nullptr;
    return tl::unexpected(no_answer("names", status));
  }
  if (servers_.empty()) return {};
  const int status = ::ares_set_servers_ports_csv(channel_, servers_.c_str());
  return status == ARES_SUCCESS ? Expected<void>() : tl::unexpected(no_answer(servers_, status));
}

void Lookup::take(const ares_addrinfo& found) {
  for (const ares_addrinfo_node* node = found.nodes; node != nullptr; node = node->ai_next) {
    if (found_.size() == kMostAddresses) return;
    if (node->ai_family == AF_INET) {
      const auto* v4 = reinterpret_cast<const sockaddr_in*>(node->ai_addr);
      found_.emplace_back(asio::ip::address_v4(ntohl(v4->sin_addr.s_addr)));
    } else if (node->ai_family == AF_INET6) {
      asio::ip::address_v6::bytes_type bytes;
      std::memcpy(bytes.data(), &reinterpret_cast<const sockaddr_in6*>(node->ai_addr)->sin6_addr, bytes.size());
      found_.emplace_back(asio::ip::address_v6(bytes));
    }
  }
}

void Lookup::answered(void* self, int status, int /*timeouts*/, ares_addrinfo* found) {
  auto& lookup = *static_cast<Lookup*>(self);
  lookup.status_ = status;
  if (found == nullptr) return;
  if (status == ARES_SUCCESS) lookup.take(*found);
  ::ares_freeaddrinfo(found);
}

// Whatever stirs ends the wait of run().
void Lookup::watch() {
  std::array<ares_socket_t, ARES_GETSOCK_MAXNUM> sockets{};
  const int wanted = ::ares_getsock(channel_, sockets.data(), static_cast<int>(sockets.size()));
  const auto wake = [self = shared_from_this()](const boost::system::error_code& error) {
    if (!error) self->timer_.cancel();
  };
  for (unsigned i = 0; i < sockets.size(); ++i) {
    const bool read = ARES_GETSOCK_READABLE(wanted, i) != 0;
    const bool write = ARES_GETSOCK_WRITABLE(wanted, i) != 0;
    if (!read && !write) continue;
    const int copy = ::fcntl(sockets[i], F_DUPFD_CLOEXEC, 0);
    if (copy < 0) continue;  // the channel's own time limits still hold
    auto& descriptor = watched_.emplace_back(context_, copy);
    if (read) descriptor.async_wait(asio::posix::stream_descriptor::wait_read, wake);
    if (write) descriptor.async_wait(asio::posix::stream_descriptor::wait_write, wake);
  }
}

// Its sockets never block: those with nothing to say are asked in vain.
void Lookup::process() {
  watched_.clear();
  std::array<ares_socket_t, ARES_GETSOCK_MAXNUM> sockets{};
  const int wanted = ::ares_getsock(channel_, sockets.data(), static_cast<int>(sockets.size()));
  for (unsigned i = 0; i < sockets.size(); ++i) {
    const auto read = ARES_GETSOCK_READABLE(wanted, i) != 0 ? sockets[i] : ARES_SOCKET_BAD;
    const auto write = ARES_GETSOCK_WRITABLE(wanted, i) != 0 ? sockets[i] : ARES_SOCKET_BAD;
    if (read != ARES_SOCKET_BAD || write != ARES_SOCKET_BAD) ::ares_process_fd(channel_, read, write);
  }
  ::ares_process_fd(channel_, ARES_SOCKET_BAD, ARES_SOCKET_BAD);
}

Deadline Lookup::next_look(Deadline deadline) const {
  timeval left{};
  if (::ares_timeout(channel_, nullptr, &left) == nullptr) return deadline;
  return deadline.earlier(
      Deadline(now() + std::chrono::seconds(left.tv_sec) + std::chrono::microseconds(left.tv_usec)));
}

asio::awaitable<Expected<std::vector<Address>>> Lookup::run(std::shared_ptr<Lookup> self, std::string name,
                                                            Deadline deadline) {
  if (auto opened = self->open(); !opened) co_return tl::unexpected(opened.error());
  ares_addrinfo_hints hints{};
  hints.ai_flags = ARES_AI_NOSORT;
  hints.ai_family = AF_UNSPEC;
  hints.ai_socktype = SOCK_STREAM;
  ::ares_getaddrinfo(self->channel_, name.c_str(), nullptr, &hints, &Lookup::answered, self.get());
  while (!self->status_ && !self->cancelled_ && !deadline.expired(now())) {
    self->watch();
    self->timer_.expires_at(self->next_look(deadline).at());
    co_await self->timer_.async_wait(http::kAwait);
    self->process();
  }
  self->watched_.clear();
  if (!self->status_) co_return fail("timeout", "no answer about " + name + " from the name servers in time");
  if (*self->status_ != ARES_SUCCESS) co_return tl::unexpected(no_answer(name, *self->status_));
  if (self->found_.empty()) co_return tl::unexpected(no_answer(name, ARES_ENODATA));
  co_return std::move(self->found_);
}

void Lookup::cancel() {
  cancelled_ = true;
  timer_.cancel();
}

}  // namespace berth::slotd::proxy

// SPDX-License-Identifier: Apache-2.0
#include "base/http/listener.hpp"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <optional>

namespace berth::http {
namespace {

constexpr int kBacklog = 1024;

tl::unexpected<Error> refuse(const std::string& where, const std::string& why, std::string hint = {}) {
  return fail("listen", "listening on " + where + ": " + why, std::move(hint));
}

tl::unexpected<Error> refuse_errno(const std::string& where, int error) {
  std::string hint;
  if (error == EADDRINUSE) hint = "another program listens there; stop it or choose another port";
  if (error == EACCES) hint = "choose a port above 1023, or a directory you may write to";
  if (error == EADDRNOTAVAIL) hint = "this machine has no such address";
  return refuse(where, errno_error("bind", error).message, std::move(hint));
}

// Whether somebody answers on the socket file.
bool is_served(const sockaddr_un& address) {
  const UniqueFd probe(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  const auto* const generic = reinterpret_cast<const sockaddr*>(&address);
  return ::connect(probe.get(), generic, sizeof address) == 0 || errno != ECONNREFUSED;
}

// A stale socket file is in the way of bind; anything else with that name is not ours to remove.
Expected<void> clear_stale(const std::string& path, const sockaddr_un& address) {
  struct stat facts {};
  if (::lstat(path.c_str(), &facts) != 0) return {};
  if (!S_ISSOCK(facts.st_mode))
    return refuse("unix:" + path, "a file of that name exists and is no socket", "remove it");
  if (is_served(address)) return refuse("unix:" + path, "in use", "another server answers there; stop it first");
  if (::unlink(path.c_str()) != 0 && errno != ENOENT) return refuse_errno("unix:" + path, errno);
  return {};
}

struct TcpAddress {
  sockaddr_storage storage{};
  socklen_t size = 0;
  int family = AF_INET;
};

std::optional<TcpAddress> parse_literal(std::string address, std::uint16_t port) {
  if (address == "localhost") address = "127.0.0.1";
  if (address.size() > 2 && address.front() == '[' && address.back() == ']')
    address = address.substr(1, address.size() - 2);
  TcpAddress parsed;
  auto* const v4 = reinterpret_cast<sockaddr_in*>(&parsed.storage);
  auto* const v6 = reinterpret_cast<sockaddr_in6*>(&parsed.storage);
  if (::inet_pton(AF_INET, address.c_str(), &v4->sin_addr) == 1) {
    v4->sin_family = AF_INET;
    v4->sin_port = htons(port);
    parsed.size = sizeof *v4;
    return parsed;
  }
  if (::inet_pton(AF_INET6, address.c_str(), &v6->sin6_addr) != 1) return std::nullopt;
  v6->sin6_family = AF_INET6;
  v6->sin6_port = htons(port);
  parsed.size = sizeof *v6;
  parsed.family = AF_INET6;
  return parsed;
}

std::uint16_t bound_port(int fd) {
  sockaddr_storage storage{};
  socklen_t size = sizeof storage;
  if (::getsockname(fd, reinterpret_cast<sockaddr*>(&storage), &size) != 0) return 0;
  // The port stands at the same place in both families.
  return ntohs(reinterpret_cast<const sockaddr_in*>(&storage)->sin_port);
}

}  // namespace

Expected<Listener> Listener::open(const std::string& address, std::uint16_t port) {
  constexpr std::string_view kUnix = "unix:";
  return address.starts_with(kUnix) ? open_unix(address.substr(kUnix.size())) : open_tcp(address, port);
}

Expected<Listener> Listener::open_unix(const std::string& path) {
  const std::string where = "unix:" + path;
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if (path.empty() || path.find('\0') != std::string::npos || path.size() >= sizeof address.sun_path) {
    return refuse(where, "the path must have 1 to 107 bytes", "choose a shorter directory");
  }
  std::memcpy(address.sun_path, path.data(), path.size());
  if (Expected<void> clear = clear_stale(path, address); !clear) return tl::unexpected(clear.error());

  Listener made;
  made.family_ = AF_UNIX;
  made.fd_ = UniqueFd(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  if (!made.fd_) return refuse_errno(where, errno);
  if (::bind(made.fd_.get(), reinterpret_cast<sockaddr*>(&address), sizeof address) != 0)
    return refuse_errno(where, errno);
  made.path_ = path;
  // Nobody can connect before listen(), so the mode is right from the first moment on.
  if (::chmod(path.c_str(), 0600) != 0) return refuse_errno(where, errno);
  if (::listen(made.fd_.get(), kBacklog) != 0) return refuse_errno(where, errno);
  struct stat facts {};
  if (::lstat(path.c_str(), &facts) == 0) made.inode_ = facts.st_ino;
  return made;
}

Expected<Listener> Listener::open_tcp(const std::string& address, std::uint16_t port) {
  const std::string where = address + ":" + std::to_string(port);
  const std::optional<TcpAddress> parsed = parse_literal(address, port);
  if (!parsed) return refuse(where, "not an IP address", "give an address such as 127.0.0.1, or unix:PATH");

  Listener made;
  made.family_ = parsed->family;
  made.fd_ = UniqueFd(::socket(parsed->family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  if (!made.fd_) return refuse_errno(where, errno);
  const int on = 1;
  // Accepted sockets inherit TCP_NODELAY: one system call less for each.
  ::setsockopt(made.fd_.get(), IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  ::setsockopt(made.fd_.get(), SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
  const auto* const generic = reinterpret_cast<const sockaddr*>(&parsed->storage);
  if (::bind(made.fd_.get(), generic, parsed->size) != 0) return refuse_errno(where, errno);
  if (::listen(made.fd_.get(), kBacklog) != 0) return refuse_errno(where, errno);
  made.port_ = bound_port(made.fd_.get());
  return made;
}

Listener::Listener(Listener&& other) noexcept
    : fd_(std::move(other.fd_)),
      family_(other.family_),
      port_(other.port_),
      path_(std::exchange(other.path_, {})),
      inode_(other.inode_) {}

Listener::~Listener() {
  struct stat facts {};
  if (path_.empty() || ::lstat(path_.c_str(), &facts) != 0) return;
  if (S_ISSOCK(facts.st_mode) && facts.st_ino == inode_) ::unlink(path_.c_str());
}

}  // namespace berth::http

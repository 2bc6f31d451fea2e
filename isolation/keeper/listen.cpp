// SPDX-License-Identifier: Apache-2.0
// A socket belongs to the network in which it was made, whoever holds it: slotd accepts from outside what programs of
// the slot connect to.
#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include "isolation/keeper/keeper.hpp"

namespace berth::keeper {
namespace {

constexpr int kBacklog = 128;

}  // namespace

int listen_on_loopback(std::uint16_t port) {
  const int fd = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(port);
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  if (fd < 0 || ::bind(fd, reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0 ||
      ::listen(fd, kBacklog) != 0) {
    die("listening for the proxy");
  }
  return fd;
}

}  // namespace berth::keeper

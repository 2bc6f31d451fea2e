// SPDX-License-Identifier: Apache-2.0
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "isolation/keeper/keeper.hpp"

namespace berth::keeper {

State state;

namespace {

constexpr std::size_t kPostSize = 256;
constexpr unsigned kPosts = 4096;  // an Exited and a Killed for every command that can exist, twice

struct Post {
  std::size_t size;
  char bytes[kPostSize];
};

alignas(8) char packet_buffer[protocol::kPacketLimit];
Post posts[kPosts];
unsigned first_post = 0;
unsigned post_count = 0;

// Never waits: the peer may be slow, and the slot's processes still have to be reaped.
bool send_now(const void* message, std::size_t size) {
  ssize_t sent = -1;
  do sent = ::send(kControl, message, size, MSG_DONTWAIT | MSG_NOSIGNAL);
  while (sent < 0 && errno == EINTR);
  return sent >= 0 || (errno != EAGAIN && errno != ENOBUFS && errno != ENOMEM);  // a dead peer takes everything
}

void take_fds(msghdr& header, Packet& packet) {
  for (cmsghdr* part = CMSG_FIRSTHDR(&header); part != nullptr; part = CMSG_NXTHDR(&header, part)) {
    if (part->cmsg_level != SOL_SOCKET || part->cmsg_type != SCM_RIGHTS) continue;
    const std::size_t count = (part->cmsg_len - CMSG_LEN(0)) / sizeof(int);
    for (std::size_t i = 0; i < count && packet.fd_count < protocol::kFdLimit; ++i) {
      std::memcpy(&packet.fds[packet.fd_count++], CMSG_DATA(part) + i * sizeof(int), sizeof(int));
    }
  }
}

}  // namespace

Received receive(Packet& packet, bool wait) {
  alignas(cmsghdr) char control[CMSG_SPACE(sizeof(int) * protocol::kFdLimit)];
  iovec part{packet_buffer, sizeof packet_buffer};
  msghdr header{};
  header.msg_iov = &part;
  header.msg_iovlen = 1;
  header.msg_control = control;
  header.msg_controllen = sizeof control;
  ssize_t got = -1;
  do got = ::recvmsg(kControl, &header, MSG_CMSG_CLOEXEC | (wait ? 0 : MSG_DONTWAIT));
  while (got < 0 && errno == EINTR);
  if (got < 0 && errno == EAGAIN) return Received::nothing;
  if (got <= 0) return Received::closed;
  packet.data = packet_buffer;
  packet.size = static_cast<std::size_t>(got);
  packet.fd_count = 0;
  take_fds(header, packet);
  // Only a peer from another build sends such a thing; the slot cannot be trusted any more.
  return (header.msg_flags & (MSG_TRUNC | MSG_CTRUNC)) != 0 ? Received::closed : Received::packet;
}

void post(const void* message, std::size_t size) {
  if (post_count == 0 && send_now(message, size)) return;
  if (post_count == kPosts || size > kPostSize) return;  // reap() and start_command() stop before the queue is full
  Post& slot = posts[(first_post + post_count++) % kPosts];
  slot.size = size;
  std::memcpy(slot.bytes, message, size);
}

void flush_posts() {
  while (post_count > 0 && send_now(posts[first_post].bytes, posts[first_post].size)) {
    first_post = (first_post + 1) % kPosts;
    --post_count;
  }
}

bool posts_waiting() {
  return post_count > 0;
}
bool posts_full() {
  return post_count > kPosts / 2;
}

bool post_with_fds(const void* message, std::size_t size, const int* fds, unsigned count) {
  alignas(cmsghdr) char control[CMSG_SPACE(sizeof(int) * 4)] = {};
  iovec part{const_cast<void*>(message), size};
  msghdr header{};
  header.msg_iov = &part;
  header.msg_iovlen = 1;
  if (count > 0) {
    header.msg_control = control;
    header.msg_controllen = CMSG_SPACE(sizeof(int) * count);
    cmsghdr* rights = CMSG_FIRSTHDR(&header);
    rights->cmsg_level = SOL_SOCKET;
    rights->cmsg_type = SCM_RIGHTS;
    rights->cmsg_len = CMSG_LEN(sizeof(int) * count);
    std::memcpy(CMSG_DATA(rights), fds, sizeof(int) * count);
  }
  return ::sendmsg(kControl, &header, MSG_NOSIGNAL) >= 0;
}

void die(const char* step) {
  protocol::BuildFailed message;
  message.error_number = errno;
  std::strncpy(message.step, step, sizeof message.step - 1);
  [[maybe_unused]] const bool sent = send_now(&message, sizeof message);  // nobody is left to tell
  ::_exit(1);
}

}  // namespace berth::keeper

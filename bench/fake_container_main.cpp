// SPDX-License-Identifier: Apache-2.0
// What an agent's local driver starts instead of a slot server: hands its ready pipe and its address to the one process
// that speaks the slot protocol for a thousand of them (fake_containers.hpp), and is there until it is not wanted.
#include <poll.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <cstdlib>
#include <cstring>

namespace {

const char* flag(int argc, char** argv, const char* name) {
  for (int i = 1; i + 1 < argc; ++i)
    if (std::strcmp(argv[i], name) == 0) return argv[i + 1];
  return "";
}

// The meeting point lies beside this program.
int dial_hub(const char* program) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  const char* const end = std::strrchr(program, '/');
  const std::size_t folder = end == nullptr ? 0 : static_cast<std::size_t>(end - program) + 1;
  if (folder + sizeof "hub" > sizeof address.sun_path) return -1;
  std::memcpy(address.sun_path, program, folder);
  std::memcpy(address.sun_path + folder, "hub", sizeof "hub");
  const int hub = ::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (::connect(hub, reinterpret_cast<sockaddr*>(&address), sizeof address) != 0) return -1;
  return hub;
}

bool hand_over(int hub, const char* address, int ready) {
  iovec text{const_cast<char*>(address), std::strlen(address)};
  alignas(cmsghdr) char room[CMSG_SPACE(sizeof(int))] = {};
  msghdr message{};
  message.msg_iov = &text;
  message.msg_iovlen = 1;
  message.msg_control = room;
  message.msg_controllen = sizeof room;
  cmsghdr* const rights = CMSG_FIRSTHDR(&message);
  rights->cmsg_level = SOL_SOCKET;
  rights->cmsg_type = SCM_RIGHTS;
  rights->cmsg_len = CMSG_LEN(sizeof(int));
  std::memcpy(CMSG_DATA(rights), &ready, sizeof ready);
  return ::sendmsg(hub, &message, MSG_NOSIGNAL) == static_cast<ssize_t>(text.iov_len);
}

}  // namespace

int main(int argc, char** argv) {
  const int ready = std::atoi(flag(argc, argv, "--ready-fd"));
  const int lifeline = std::atoi(flag(argc, argv, "--lifeline-fd"));
  const int hub = dial_hub(argv[0]);
  if (hub < 0 || !hand_over(hub, flag(argc, argv, "--listen"), ready)) return 1;
  ::close(ready);
  pollfd ends[] = {{lifeline, POLLIN, 0}, {hub, POLLIN, 0}};
  ::poll(ends, 2, -1);
  return 0;
}

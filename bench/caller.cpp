// SPDX-License-Identifier: Apache-2.0
#include "bench/caller.hpp"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/un.h>

#include <cerrno>
#include <charconv>
#include <cstring>

#include "bench/stats.hpp"

namespace berth::bench {
namespace {

constexpr int kPatienceMs = 300'000;  // the longest single call: 10 GB of output

tl::unexpected<Error> cut(const char* what) {
  return fail("transport", what);
}

tl::unexpected<Error> bad_answer(const Answer& answer) {
  return fail("answer", "status " + std::to_string(answer.status) + ": " + std::string(answer.body.substr(0, 300)));
}

std::size_t length_in(std::string_view head) {
  constexpr std::string_view kName = "Content-Length: ";
  const std::size_t at = head.find(kName);
  std::size_t length = 0;
  if (at != std::string_view::npos) std::from_chars(head.data() + at + kName.size(), head.data() + head.size(), length);
  return length;
}

Expected<UniqueFd> dial_port(std::uint16_t port) {
  UniqueFd fd(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(port);
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  const int on = 1;
  ::setsockopt(fd.get(), IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  if (::connect(fd.get(), reinterpret_cast<sockaddr*>(&address), sizeof address) != 0)
    return fail_errno("connect to 127.0.0.1:" + std::to_string(port), errno);
  return fd;
}

Expected<UniqueFd> dial_path(const std::string& path) {
  UniqueFd fd(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if (path.size() >= sizeof address.sun_path) return fail("connect", path + " is too long for a socket");
  std::memcpy(address.sun_path, path.c_str(), path.size() + 1);
  if (::connect(fd.get(), reinterpret_cast<sockaddr*>(&address), sizeof address) != 0)
    return fail_errno("connect to " + path, errno);
  return fd;
}

}  // namespace

std::string prepare(std::string_view method, std::string_view target, std::string_view body) {
  std::string text(method);
  text.append(" ").append(target).append(" HTTP/1.1\r\nHost: bench\r\n");
  if (method != "GET")
    text += "Content-Type: application/json\r\nContent-Length: " + std::to_string(body.size()) + "\r\n";
  return text.append("\r\n").append(body);
}

Expected<Caller> Caller::connect(const Endpoint& to) {
  auto fd = to.unix_path.empty() ? dial_port(to.port) : dial_path(to.unix_path);
  if (!fd) return tl::unexpected(fd.error());
  return Caller(std::move(*fd));
}

Expected<void> Caller::send(std::string_view request) {
  while (!request.empty()) {
    const ssize_t sent = ::send(fd_.get(), request.data(), request.size(), MSG_NOSIGNAL);
    if (sent <= 0) return cut("the connection was cut while sending");
    request.remove_prefix(static_cast<std::size_t>(sent));
  }
  return {};
}

Expected<Answer> Caller::receive() {
  std::size_t have = 0;
  std::size_t wanted = 0;
  std::size_t head_end = std::string_view::npos;
  while (wanted == 0 || have < wanted) {
    if (have == buffer_.size()) buffer_.resize(buffer_.size() * 2);
    // A reader that sleeps in recv() is woken by its peer's reading too, where the socket is a unix one.
    pollfd wait{fd_.get(), POLLIN, 0};
    if (::poll(&wait, 1, kPatienceMs) <= 0) return cut("no answer came");
    const ssize_t count = ::recv(fd_.get(), buffer_.data() + have, buffer_.size() - have, 0);
    if (count <= 0) return cut("the connection was cut before the answer");
    have += static_cast<std::size_t>(count);
    if (wanted > 0) continue;
    const std::string_view text(buffer_.data(), have);
    head_end = text.find("\r\n\r\n");
    if (head_end != std::string_view::npos) wanted = head_end + 4 + length_in(text.substr(0, head_end));
  }
  const std::string_view text(buffer_.data(), wanted);
  Answer answer;
  std::from_chars(text.data() + 9, text.data() + 12, answer.status);
  answer.body = text.substr(head_end + 4);
  return answer;
}

Expected<Answer> Caller::call(std::string_view request) {
  if (auto sent = send(request); !sent) return tl::unexpected(sent.error());
  return receive();
}

Expected<int> server_behind(const Endpoint& to) {
  const auto caller = Caller::connect(to);
  if (!caller) return tl::unexpected(caller.error());
  ucred peer{};
  socklen_t size = sizeof peer;
  if (::getsockopt(caller->fd(), SOL_SOCKET, SO_PEERCRED, &peer, &size) != 0) return fail_errno("SO_PEERCRED", errno);
  return static_cast<int>(peer.pid);
}

bool is_ok(const Answer& answer) {
  return answer.status == 200;
}

bool is_success(const Answer& answer) {
  const bool yes = answer.body.find("\"success\":true") != std::string_view::npos ||
                   answer.body.find("\"success\": true") != std::string_view::npos;
  return answer.status == 200 && yes;
}

Expected<std::vector<double>> call_serially(Caller& caller, std::string_view request, int count, Judge is_good) {
  std::vector<double> samples;
  samples.reserve(static_cast<std::size_t>(count));
  for (int i = 0; i < count; ++i) {
    const Stopwatch watch;
    const auto answer = caller.call(request);
    const double took = watch.milliseconds();
    if (!answer) return tl::unexpected(answer.error());
    if (!is_good(*answer)) return bad_answer(*answer);
    samples.push_back(took);
  }
  return samples;
}

Expected<double> call_rate(const Endpoint& to, const std::vector<std::string>& requests, int count, Judge is_good) {
  std::vector<Caller> callers;
  std::vector<pollfd> waits;
  for (std::size_t i = 0; i < requests.size(); ++i) {
    auto caller = Caller::connect(to);
    if (!caller) return tl::unexpected(caller.error());
    waits.push_back({caller->fd(), POLLIN, 0});
    callers.push_back(std::move(*caller));
  }
  const Stopwatch watch;
  for (std::size_t i = 0; i < requests.size(); ++i) {
    if (auto sent = callers[i].send(requests[i]); !sent) return tl::unexpected(sent.error());
  }
  int done = 0;
  while (done < count) {
    if (::poll(waits.data(), waits.size(), kPatienceMs) <= 0) return cut("no answer came");
    for (std::size_t i = 0; i < waits.size(); ++i) {
      if (waits[i].revents == 0) continue;
      const auto answer = callers[i].receive();
      if (!answer) return tl::unexpected(answer.error());
      if (!is_good(*answer)) return bad_answer(*answer);
      ++done;
      if (auto sent = callers[i].send(requests[i]); !sent) return tl::unexpected(sent.error());
    }
  }
  const double rate = done * 1000.0 / watch.milliseconds();
  for (Caller& caller : callers) static_cast<void>(caller.receive());
  return rate;
}

}  // namespace berth::bench

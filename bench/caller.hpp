// SPDX-License-Identifier: Apache-2.0
// As lean a client as can be: a blocking socket, requests prepared as bytes, answers read by their length. What it adds
// to a latency is three system calls.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/fd.hpp"
#include "berth/error.hpp"

namespace berth::bench {

[[nodiscard]] std::string prepare(std::string_view method, std::string_view target, std::string_view body = {});

struct Answer {
  int status = 0;
  std::string_view body;  // until the next call
};

// A port of 127.0.0.1, or the path of a unix socket.
struct Endpoint {
  Endpoint(std::uint16_t loopback_port) : port(loopback_port) {}
  Endpoint(std::string path) : unix_path(std::move(path)) {}

  std::uint16_t port = 0;
  std::string unix_path;  // empty: the port
};

class Caller {
 public:
  [[nodiscard]] static Expected<Caller> connect(const Endpoint& to);

  // Errors: "transport".
  [[nodiscard]] Expected<Answer> call(std::string_view request);
  [[nodiscard]] Expected<void> send(std::string_view request);
  [[nodiscard]] Expected<Answer> receive();
  [[nodiscard]] int fd() const { return fd_.get(); }

 private:
  explicit Caller(UniqueFd fd) : fd_(std::move(fd)), buffer_(std::size_t{64} << 10) {}

  UniqueFd fd_;
  std::vector<char> buffer_;
};

// The number that this machine knows the server of a unix socket by.
[[nodiscard]] Expected<int> server_behind(const Endpoint& to);

// Milliseconds of each of `count` calls; an answer that `is_good` refuses is an error that quotes it.
using Judge = bool (*)(const Answer&);
[[nodiscard]] bool is_ok(const Answer& answer);       // 200
[[nodiscard]] bool is_success(const Answer& answer);  // 200 and "success": true
[[nodiscard]] Expected<std::vector<double>> call_serially(Caller& caller, std::string_view request, int count,
                                                          Judge is_good);

// Answers a second: each request on a connection of its own, all at once, until `count` answers have come.
[[nodiscard]] Expected<double> call_rate(const Endpoint& to, const std::vector<std::string>& requests, int count,
                                         Judge is_good);

}  // namespace berth::bench

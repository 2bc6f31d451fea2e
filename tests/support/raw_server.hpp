// SPDX-License-Identifier: Apache-2.0
// A server for the tests of clients that shares no code with ours: it reads a request and sends the bytes that a script
// gives it, true or false. /health is answered by itself unless the script wants it.
#pragma once

#include <atomic>
#include <functional>
#include <list>
#include <map>
#include <mutex>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include "base/fd.hpp"

namespace berth::testing {

struct RawRequest {
  std::string method;
  std::string target;
  std::map<std::string, std::string> fields;  // names in lower case
  std::string body;
};

struct RawReply {
  std::string bytes;    // none: the connection is closed without an answer
  std::string endless;  // sent again and again after them
  enum class Then { next, close, hang } then = Then::next;
};

class RawServer {
 public:
  // `nth` counts the requests that reach the script, from 0. Called on the connections' threads, one at a time.
  using Script = std::function<RawReply(const RawRequest& request, std::size_t nth)>;

  explicit RawServer(Script script, std::string boot_id = "boot-1");
  ~RawServer();
  RawServer(const RawServer&) = delete;
  RawServer& operator=(const RawServer&) = delete;

  [[nodiscard]] std::string address() const { return "http://127.0.0.1:" + std::to_string(port_); }
  [[nodiscard]] std::vector<RawRequest> requests();  // without those for /health
  [[nodiscard]] std::size_t connections() const { return connections_; }
  void set_boot(const std::string& boot_id);
  // From now on connections are accepted, /health is answered, and what comes after it is not read.
  void stop_reading() { deaf_ = true; }
  // Hands /health to the script as well.
  void script_health() { health_scripted_ = true; }

 private:
  void accept_all();
  void serve(int fd);
  [[nodiscard]] RawReply reply(const RawRequest& request);

  Script script_;
  std::mutex mutex_;
  std::string boot_id_;
  std::vector<RawRequest> seen_;
  std::list<UniqueFd> peers_;
  std::vector<std::thread> threads_;
  UniqueFd listener_;
  int port_ = 0;
  std::atomic<std::size_t> connections_{0};
  std::atomic<bool> health_scripted_{false};
  std::atomic<bool> deaf_{false};
  std::thread acceptor_;
};

// Whole answers.
[[nodiscard]] RawReply answer(int status, const std::string& body,
                              const std::string& type = "application/json; charset=utf-8");
[[nodiscard]] RawReply lines(const std::string& body);  // NDJSON
[[nodiscard]] RawReply cut();
[[nodiscard]] RawReply hang();

// The execution ids of an /execute or a /batch body.
[[nodiscard]] std::vector<std::string> ids_of(const RawRequest& request);
// The five keys.
[[nodiscard]] std::string result_json(const std::string& id, const std::string& output);
// A streamed result.
[[nodiscard]] std::string result_line(std::size_t index, const std::string& id, const std::string& output);
[[nodiscard]] std::string end_line(std::size_t results);

}  // namespace berth::testing

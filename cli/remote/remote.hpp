// SPDX-License-Identifier: Apache-2.0
// An agent as the command line talks to it: BERTH_ADDR, BERTH_TOKEN, the /v1 API. One io_context.
#pragma once

#include <boost/asio/awaitable.hpp>
#include <boost/asio/io_context.hpp>
#include <chrono>
#include <functional>
#include <memory>
#include <string>
#include <string_view>

#include "base/http/client.hpp"
#include "base/http/connections.hpp"
#include "base/json.hpp"
#include "berth/error.hpp"

namespace berth::cli {

// Where commands look for an agent when BERTH_ADDR is not set: where one listens that was told nothing else.
inline constexpr std::string_view kDefaultAddress = "http://127.0.0.1:8780";

inline constexpr JsonBounds kListBounds{std::size_t{64} << 20, 32, 4'000'000};
inline constexpr std::chrono::seconds kSilence{35};  // a stream is dead then: the agent says something every 10 s

[[nodiscard]] bool has_agent_address();  // BERTH_ADDR is set

class Remote {
 public:
  // From the environment: BERTH_ADDR, BERTH_TOKEN, BERTH_CACERT. Errors: "bad_address", "tls".
  [[nodiscard]] static Expected<std::unique_ptr<Remote>> open(boost::asio::io_context& context);
  Remote(boost::asio::io_context& context, http::Address address, std::string name, std::string token);

  // The body of an answer of 200 to 299; every other one is its error. Bodies have 64 MiB at most.
  [[nodiscard]] boost::asio::awaitable<Expected<std::string>> ask(std::string method, std::string target,
                                                                  std::string body = {});
  [[nodiscard]] boost::asio::awaitable<Expected<std::string>> ask(http::ClientRequest request, Deadline deadline);

  // For answers that are read piece by piece. The token is in the request.
  [[nodiscard]] http::ClientRequest request(std::string method, std::string target) const;
  [[nodiscard]] boost::asio::awaitable<http::Connections::Loan> borrow();
  // An error that says what to do next.
  [[nodiscard]] Error explain(Error error) const;

  // Ends what is being waited for; later questions are asked all the same.
  void interrupt();
  [[nodiscard]] bool interrupted() const { return interrupted_; }
  [[nodiscard]] boost::asio::io_context& context() { return context_; }
  [[nodiscard]] const std::string& name() const { return name_; }  // as BERTH_ADDR has it

 private:
  boost::asio::io_context& context_;
  std::string name_;
  std::string token_;
  std::shared_ptr<http::Connections> connections_;
  bool interrupted_ = false;
};

// Runs `work` on a loop of its own; errors of the address are told. SIGINT and SIGTERM interrupt it, a second one ends
// the command where it stands; either gives kInterrupted.
using RemoteWork = std::function<boost::asio::awaitable<int>(Remote&)>;
[[nodiscard]] int with_agent(RemoteWork work, int platform_code);

// Tells the error and gives the exit code: kPlatform where asking again may help, else kUsage.
[[nodiscard]] int report(const Remote& remote, const Error& error);

}  // namespace berth::cli

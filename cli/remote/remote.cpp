// SPDX-License-Identifier: Apache-2.0
#include "cli/remote/remote.hpp"

#include <signal.h>

#include <algorithm>
#include <array>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/signal_set.hpp>
#include <cstdlib>

#include "base/call_wire.hpp"
#include "base/tls/client_context.hpp"
#include "cli/options.hpp"
#include "cli/terminal.hpp"

namespace berth::cli {

namespace asio = boost::asio;

namespace {

constexpr std::size_t kMostBody = std::size_t{64} << 20;
constexpr std::size_t kConnections = 256;
constexpr std::chrono::hours kAskLimit{1};

std::string variable(const char* name) {
  const char* value = std::getenv(name);
  return value == nullptr ? std::string() : std::string(value);
}

Expected<http::DialLayer> tls_of_environment() {
  const auto context = tls::ClientContext::read(
      variable("BERTH_CACERT"),
      "set BERTH_CACERT to the PEM file of the authority that signed it, or of the certificate itself");
  if (!context) return tl::unexpected(context.error().within("BERTH_CACERT"));
  return context->dial();
}

// What another try, or another machine, may mend.
constexpr std::array<std::string_view, 18> kPlatformCodes{"connect",
                                                          "transport",
                                                          "timeout",
                                                          "protocol",
                                                          "no_slot",
                                                          "queue_full",
                                                          "too_many_waiters",
                                                          "too_many_slots",
                                                          "too_many_calls",
                                                          "too_many_streams",
                                                          "busy",
                                                          "ledger_full",
                                                          "disk_full",
                                                          "inputs_failed",
                                                          "inputs_under_way",
                                                          "container_failed",
                                                          "container_unavailable",
                                                          "agent_stopping"};

bool is_platform(std::string_view code) {
  return std::find(kPlatformCodes.begin(), kPlatformCodes.end(), code) != kPlatformCodes.end() ||
         code.starts_with("status_5");
}

}  // namespace

bool has_agent_address() {
  return !variable("BERTH_ADDR").empty();
}

Expected<std::unique_ptr<Remote>> Remote::open(asio::io_context& context) {
  const std::string name = has_agent_address() ? variable("BERTH_ADDR") : std::string(kDefaultAddress);
  http::DialLayer tls;
  if (name.starts_with("https://")) {
    auto made = tls_of_environment();
    if (!made) return tl::unexpected(made.error());
    tls = std::move(*made);
  }
  const auto address = http::parse_address(name, tls);
  if (!address) return tl::unexpected(address.error().within("BERTH_ADDR"));
  return std::make_unique<Remote>(context, *address, name, variable("BERTH_TOKEN"));
}

Remote::Remote(asio::io_context& context, http::Address address, std::string name, std::string token)
    : context_(context),
      name_(std::move(name)),
      token_(std::move(token)),
      connections_(std::make_shared<http::Connections>(context, std::move(address), kConnections)) {}

http::ClientRequest Remote::request(std::string method, std::string target) const {
  http::ClientRequest request;
  request.method = std::move(method);
  request.target = std::move(target);
  if (!token_.empty()) request.fields.emplace_back("Authorization", "Bearer " + token_);
  return request;
}

asio::awaitable<http::Connections::Loan> Remote::borrow() {
  return connections_->borrow(Deadline());
}

asio::awaitable<Expected<std::string>> Remote::ask(std::string method, std::string target, std::string body) {
  http::ClientRequest wanted = request(std::move(method), std::move(target));
  wanted.body = std::move(body);
  const Deadline deadline(now() + kAskLimit);
  co_return co_await ask(std::move(wanted), deadline);
}

asio::awaitable<Expected<std::string>> Remote::ask(http::ClientRequest wanted, Deadline deadline) {
  auto loan = co_await borrow();
  const auto head = co_await loan->send(wanted, deadline);
  if (!head) co_return tl::unexpected(head.error());
  auto body = co_await loan->read_body(kMostBody, deadline);
  if (!body) co_return tl::unexpected(body.error());
  if (head->status >= 300) co_return tl::unexpected(error_of_answer(head->status, *body));
  co_return std::move(*body);
}

Error Remote::explain(Error error) const {
  if (error.code == "connect") {
    error.message = "no agent answers at " + name_ + ": " + error.message;
    error.hint = has_agent_address() ? "is it running there? see BERTH_ADDR"
                                     : "start one with berth agent, or set BERTH_ADDR to where one is";
  } else if (error.code == "tls") {
    error.message = "BERTH_ADDR " + name_ + ": " + error.message;
  } else if (error.code == "unauthorized" || error.code == "forbidden") {
    error.hint = token_.empty() ? "set BERTH_TOKEN to a token of the agent's tokens file"
                                : "BERTH_TOKEN is not known there, or has not the right to do this";
  }
  return error;
}

void Remote::interrupt() {
  interrupted_ = true;
  connections_->cut();
}

int with_agent(RemoteWork work, int platform_code) {
  ::signal(SIGPIPE, SIG_IGN);
  asio::io_context context;
  auto remote = Remote::open(context);
  if (!remote) {
    print_error(remote.error());
    return kUsage;
  }
  int code = platform_code;
  asio::signal_set signals(context, SIGINT, SIGTERM);
  std::function<void()> watch = [&] {
    signals.async_wait([&](boost::system::error_code error, int) {
      if (error) return;
      if ((*remote)->interrupted()) return context.stop();
      (*remote)->interrupt();
      watch();
    });
  };
  watch();
  const auto run = [&]() -> asio::awaitable<void> {
    code = co_await work(**remote);
    signals.cancel();
    context.stop();
  };
  asio::co_spawn(context, run, asio::detached);
  context.run();
  return (*remote)->interrupted() ? kInterrupted : code;
}

int report(const Remote& remote, const Error& error) {
  if (remote.interrupted()) return kInterrupted;
  print_error(remote.explain(error));
  return is_platform(error.code) ? kPlatform : kUsage;
}

}  // namespace berth::cli

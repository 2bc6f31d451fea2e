// SPDX-License-Identifier: Apache-2.0
#include "client/engine.hpp"

#include <algorithm>
#include <boost/asio/as_tuple.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <cmath>
#include <csignal>
#include <nlohmann/json.hpp>
#include <pthread.h>

#include "base/call_wire.hpp"
#include "base/http/syntax.hpp"
#include "base/json.hpp"

namespace berth::client {
namespace {

constexpr std::size_t kMaxServers = 1024;  // beyond: those that were not used for longest go
constexpr std::size_t kMaxBootId = 128;
constexpr unsigned kMaxDoublings = 10;

// Signals are for the program's own threads.
std::thread quiet_thread(asio::io_context& context) {
  sigset_t all;
  sigset_t before;
  sigfillset(&all);
  pthread_sigmask(SIG_SETMASK, &all, &before);
  std::thread thread([&context] { context.run(); });
  pthread_sigmask(SIG_SETMASK, &before, nullptr);
  return thread;
}

// Longer than the longest pause between two tries, and hardly longer: a call that was given up shall end.
long detach_seconds(const ClientOptions& options) {
  constexpr double kGrace = 3;
  constexpr double kMost = 24 * 3600;
  const unsigned doublings = std::min(std::max(options.attempts, 2U) - 2, kMaxDoublings);
  const double pause = std::max(0.0, options.retry_delay.count()) * static_cast<double>(1U << doublings);
  return std::lround(std::min(pause + kGrace, kMost));
}

// The boot that /health names, "" for a server that knows none.
Expected<std::string> boot_of(const http::WholeResponse& answer) {
  const auto object = parse_json(answer.body);
  if (answer.head.status != 200 || !object || !object->is_object())
    return fail("connect", "/health answered " + std::to_string(answer.head.status) + " and no object");
  const std::string boot = json_text_at(*object, "boot_id").value_or("");
  if (boot.size() > kMaxBootId || !http::is_field_value(boot)) return not_the_protocol("a malformed boot_id", boot);
  return boot;
}

bool is_worth_another_try(const Answer& answer, Repeat repeat) {
  const bool always = repeat == Repeat::always;
  if (!answer.response) {
    const std::string& code = answer.response.error().code;
    return code == "connect" || (code == "transport" && always);
  }
  const int status = answer.response->head.status;
  if (is_busy(status)) return true;
  const bool refused = status >= 400 && status < 500;
  return !refused && !is_json(answer.response->head) && always;
}

}  // namespace

bool is_json(const http::ResponseHead& head) {
  const std::string_view type = head.field("content-type").value_or("");
  return http::equals_ignoring_case(http::trim_blanks(type.substr(0, type.find(';'))), "application/json");
}

Engine::Engine(ClientOptions options)
    : options_(std::move(options)), guard_(asio::make_work_guard(context_)), thread_(quiet_thread(context_)) {
  options_.attempts = std::max(1U, options_.attempts);
  options_.connections = std::max<std::size_t>(1, options_.connections);
}

Engine::~Engine() {
  asio::post(context_, [this] { close(); });
  std::unique_lock lock(mutex_);
  idle_.wait(lock, [this] { return works_ == 0; });
  lock.unlock();
  context_.stop();
  thread_.join();
}

void Engine::begin_work() {
  const std::lock_guard lock(mutex_);
  ++works_;
}

void Engine::end_work() {
  const std::lock_guard lock(mutex_);
  --works_;
  idle_.notify_all();
}

void Engine::close() {
  closing_ = true;
  for (const auto& [address, server] : servers_) server->connections->close();
  for (asio::steady_timer* timer : pauses_) timer->cancel();
}

Expected<ServerPtr> Engine::server(const std::string& address) {
  const auto found = servers_.find(address);
  if (found != servers_.end()) {
    found->second->used = now();
    return found->second;
  }
  auto parsed = http::parse_address(address);
  if (!parsed) return tl::unexpected(parsed.error());
  drop_idle_servers();
  auto made = std::make_shared<Server>();
  const auto stall = std::chrono::duration_cast<Duration>(options_.write_timeout);
  made->connections = std::make_shared<http::Connections>(context_, std::move(*parsed), options_.connections, stall);
  made->used = now();
  if (closing_) made->connections->close();
  servers_.emplace(address, made);
  return made;
}

void Engine::drop_idle_servers() {
  while (servers_.size() >= kMaxServers) {
    auto oldest = servers_.end();
    for (auto each = servers_.begin(); each != servers_.end(); ++each) {
      const bool idle = each->second.use_count() == 1;
      if (idle && (oldest == servers_.end() || each->second->used < oldest->second->used)) oldest = each;
    }
    if (oldest == servers_.end()) return;
    servers_.erase(oldest);
  }
}

void Engine::add_fields(const Server& server, http::ClientRequest& request) const {
  if (!options_.token.empty()) request.fields.emplace_back("Authorization", "Bearer " + options_.token);
  // Until the next try the server keeps what it does for this one.
  request.fields.emplace_back("Berth-Detach", std::to_string(detach_seconds(options_)));
  const std::string boot = server.boot.value_or("");
  if (!boot.empty()) request.fields.emplace_back("Berth-Boot", boot);
}

bool Engine::has_slot_as_it_was(Server& server, const std::string& slot) {
  const auto [entry, first] = server.slot_boots.try_emplace(slot, server.boot.value_or(""));
  if (first || entry->second == server.boot.value_or("")) return true;
  entry->second = server.boot.value_or("");
  return false;
}

void Engine::forget_boot(Server& server, const std::string& boot) {
  if (server.boot == boot) server.boot.reset();
}

asio::awaitable<void> Engine::pause(unsigned attempt) {
  asio::steady_timer timer(context_);
  const double factor = static_cast<double>(1U << std::min(attempt - 1, kMaxDoublings));
  timer.expires_at(Deadline::after(now(), options_.retry_delay * factor).at());
  pauses_.insert(&timer);
  if (closing_) timer.cancel();
  if (!closing_) co_await timer.async_wait(asio::as_tuple(asio::use_awaitable));
  pauses_.erase(&timer);
}

asio::awaitable<Expected<http::Connections::Loan>> Engine::reach(ServerPtr server, Deadline deadline) {
  auto loan = co_await server->connections->borrow(deadline);
  if (!loan) co_return fail("connect", closing_ ? "the client was closed" : "no connection to the server is free");
  const Deadline patience = deadline.earlier(Deadline::after(now(), options_.connect_timeout));
  const Expected<void> open = co_await loan->open(patience);
  if (!open) co_return tl::unexpected(open.error());
  co_return std::move(loan);
}

asio::awaitable<Expected<http::WholeResponse>> Engine::exchange(ServerPtr server, const http::ClientRequest& request,
                                                                Deadline deadline) {
  auto loan = co_await reach(server, deadline);
  if (!loan) co_return tl::unexpected(loan.error());
  http::ClientConnection& connection = **loan;
  auto head = co_await connection.send(request, deadline);
  if (!head) co_return tl::unexpected(head.error());
  auto body = co_await connection.read_body(options_.max_answer_bytes, deadline);
  if (!body) co_return tl::unexpected(body.error());
  co_return http::WholeResponse{std::move(*head), std::move(*body)};
}

asio::awaitable<Expected<http::WholeResponse>> Engine::ask_health(ServerPtr server) {
  http::ClientRequest request;
  request.target = "/health";
  if (!options_.token.empty()) request.fields.emplace_back("Authorization", "Bearer " + options_.token);
  co_return co_await exchange(server, request, Deadline::after(now(), options_.health_timeout));
}

asio::awaitable<Expected<void>> Engine::learn_boot(ServerPtr server) {
  if (server->boot) co_return Expected<void>();
  const auto answer = co_await ask_health(server);
  if (!answer) {
    const bool lie = answer.error().code == "protocol";
    co_return fail(lie ? "protocol" : "connect", answer.error().message);
  }
  auto boot = boot_of(*answer);
  if (!boot) co_return tl::unexpected(boot.error());
  server->boot = std::move(*boot);
  co_return Expected<void>();
}

// Whether another try may help.
asio::awaitable<bool> Engine::try_once(ServerPtr server, const Ask& ask, Answer& answer) {
  const Expected<void> boot = co_await learn_boot(server);
  if (!boot) {
    answer.response = tl::unexpected(boot.error());
    co_return is_worth_another_try(answer, ask.repeat);
  }
  if (ask.needs_slot_as_it_was && !has_slot_as_it_was(*server, ask.slot)) {
    answer.response = fail("restarted", "the slot server was started anew; what the slot held is lost");
    co_return false;
  }
  http::ClientRequest request = ask.request;
  add_fields(*server, request);
  const std::string sent_boot = server->boot.value_or("");
  answer.response = co_await exchange(server, request, Deadline::after(now(), ask.limit));
  if (!answer.response) {
    answer.unsure = answer.unsure || answer.response.error().code != "connect";
    co_return is_worth_another_try(answer, ask.repeat);
  }
  const int status = answer.response->head.status;
  if (status == 409 && error_of_answer(status, answer.response->body).code == "wrong_boot") {
    forget_boot(*server, sent_boot);
    server->slot_boots.erase(ask.slot);
    co_return !ask.needs_slot_as_it_was;
  }
  const bool again = is_worth_another_try(answer, ask.repeat);
  answer.unsure = answer.unsure || (again && !is_busy(status));
  co_return again;
}

asio::awaitable<Answer> Engine::ask(ServerPtr server, Ask ask) {
  Answer answer;
  for (answer.attempts = 1;; ++answer.attempts) {
    const bool again = co_await try_once(server, ask, answer);
    if (closing_ && !answer.response) answer.response = fail("transport", "the client was closed");
    if (!again || closing_ || answer.attempts >= options_.attempts) co_return std::move(answer);
    co_await pause(answer.attempts);
  }
}

}  // namespace berth::client

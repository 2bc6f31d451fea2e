// SPDX-License-Identifier: Apache-2.0
#include "tests/support/fake_slotd.hpp"

#include <nlohmann/json.hpp>

#include "base/json.hpp"
#include "base/text.hpp"

namespace berth::testing {

FakeSlotd::FakeSlotd(asio::io_context& context, FakeOptions wanted) : options(std::move(wanted)), context_(context) {
  for (unsigned i = 0; i < options.slots; ++i) slots_["slot_" + std::to_string(i)];
  server_ = std::make_unique<http::Server>(context, [this](http::Exchange& exchange) { return handle(exchange); });
}

FakeSlotd::~FakeSlotd() = default;

std::string FakeSlotd::listen(const std::string& address) {
  const auto port = server_->listen(address, 0);
  if (!port) return {};
  return address.starts_with("unix:") ? address : "http://" + address + ":" + std::to_string(*port);
}

void FakeSlotd::die() {
  // On the loop: a connection is only ever cut from there.
  asio::post(context_, [this] { server_->abort(); });
}

asio::awaitable<void> FakeSlotd::handle(http::Exchange& exchange) {
  most_connections = std::max(most_connections, server_->connections());
  const http::RequestHead& head = exchange.head();
  if (head.path == "/health") co_return co_await health(exchange);
  if (refuses_boot(exchange)) {
    http::Response no;
    no.status = 409;
    no.body = R"({"error":{"code":"wrong_boot","message":"another boot","hint":""}})";
    static_cast<void>(co_await exchange.respond(std::move(no)));
    co_return;
  }
  if (head.path == "/batch") co_return co_await batch(exchange);
  if (head.path == "/reset") co_return co_await reset(exchange);
  if (head.path.find("/files/") != std::string::npos) co_return co_await file(exchange);
  if (head.path.find("/executions/") != std::string::npos && head.method == "DELETE")
    co_return co_await cancel(exchange);
  http::Response unknown;
  unknown.status = 404;
  static_cast<void>(co_await exchange.respond(std::move(unknown)));
}

bool FakeSlotd::refuses_boot(const http::Exchange& exchange) const {
  const auto boot = exchange.head().field("berth-boot");
  return boot && *boot != options.boot_id;
}

FakeSlotd::ExecutionPtr FakeSlotd::accept(const std::string& element) {
  const auto parsed = parse_json(element);
  const auto& object = *parsed;
  auto execution = std::make_shared<FakeExecution>();
  execution->slot = object.at("slot_id").get<std::string>();
  execution->id = object.at("execution_id").get<std::string>();
  const auto known = ledger_.find({execution->slot, execution->id});
  if (known != ledger_.end()) return known->second;
  execution->command = object.at("args").value("command", "");
  if (object.at("args").contains("argv"))
    for (const auto& word : object.at("args").at("argv")) execution->command += word.get<std::string>() + " ";
  execution->timeout = object.at("timeout").get<double>();
  execution->generation = object.value("generation", std::uint64_t{0});
  if (object.contains("env"))
    for (const auto& [name, value] : object.at("env").items()) execution->env[name] = value.get<std::string>();
  ledger_[{execution->slot, execution->id}] = execution;
  slots_[execution->slot].queue.push_back(execution);
  run_next(execution->slot);
  return execution;
}

}  // namespace berth::testing

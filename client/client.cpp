// SPDX-License-Identifier: Apache-2.0
#include "berth/client.hpp"

#include <nlohmann/json.hpp>

#include "base/call_wire.hpp"
#include "base/json.hpp"
#include "client/artifacts.hpp"
#include "client/calls.hpp"
#include "client/engine.hpp"

namespace berth {
namespace {

using client::Engine;
namespace asio = boost::asio;

// The object of /health, whatever the server's state.
asio::awaitable<Expected<std::string>> status_of(Engine& engine, std::string address) {
  auto server = engine.server(address);
  if (!server) co_return tl::unexpected(server.error());
  const auto answer = co_await engine.ask_health(*server);
  if (!answer) co_return tl::unexpected(answer.error());
  if (answer->head.status != 200) co_return tl::unexpected(error_of_answer(answer->head.status, answer->body));
  const auto object = parse_json(answer->body);
  const bool readable = client::is_json(answer->head) && object && object->is_object();
  if (!readable) co_return not_the_protocol("/health is not a JSON object", answer->body);
  co_return dump_json(*object);
}

bool says_ok(const Expected<std::string>& status) {
  if (!status) return false;
  const auto object = parse_json(*status);
  return object && json_text_at(*object, "status") == "ok";
}

}  // namespace

class Client::Impl {
 public:
  explicit Impl(ClientOptions options) : engine(std::move(options)) {}
  Engine engine;
};

Client::Client(ClientOptions options) : impl_(std::make_unique<Impl>(std::move(options))) {}
Client::~Client() = default;
Client::Client(Client&&) noexcept = default;
Client& Client::operator=(Client&&) noexcept = default;

std::future<Result> Client::execute_later(std::string address, Call call) {
  return impl_->engine.launch(client::execute(impl_->engine, std::move(address), std::move(call)));
}
Result Client::execute(std::string address, Call call) {
  return execute_later(std::move(address), std::move(call)).get();
}

std::future<std::vector<Result>> Client::execute_batch_later(std::vector<PlacedCall> calls) {
  return impl_->engine.launch(client::execute_batch(impl_->engine, std::move(calls)));
}
std::vector<Result> Client::execute_batch(std::vector<PlacedCall> calls) {
  return execute_batch_later(std::move(calls)).get();
}

Result Client::reset_slot(SlotPlace place) {
  return impl_->engine.launch(client::reset_slot(impl_->engine, std::move(place))).get();
}

Expected<std::string> Client::get_container_status(std::string address) {
  return impl_->engine.launch(status_of(impl_->engine, std::move(address))).get();
}
bool Client::health_check(std::string address) {
  return says_ok(get_container_status(std::move(address)));
}

FileAnswer Client::read_artifact(SlotPlace place, std::string path, ReadOptions options) {
  auto work = client::read_artifact(impl_->engine, std::move(place), std::move(path), options);
  return impl_->engine.launch(std::move(work)).get();
}
ListAnswer Client::list_artifacts(SlotPlace place, std::string path, ListOptions options) {
  auto work = client::list_artifacts(impl_->engine, std::move(place), std::move(path), options);
  return impl_->engine.launch(std::move(work)).get();
}
ArchiveAnswer Client::archive_artifacts(SlotPlace place, std::string path, ArchiveOptions options) {
  auto work = client::archive_artifacts(impl_->engine, std::move(place), std::move(path), options);
  return impl_->engine.launch(std::move(work)).get();
}

Call bash_call(std::string slot, std::string_view command, Seconds timeout) {
  Call call;
  call.slot = std::move(slot);
  call.tool = "bash";
  call.args = "{\"command\": " + quote_json(command) + "}";
  call.timeout = timeout;
  return call;
}

std::string quote_json(std::string_view text) {
  std::string quoted;
  append_json_string(quoted, text);
  return quoted;
}

std::optional<Cause> cause_of(const Result& result) {
  const auto metadata = parse_json(result.metadata);
  if (!metadata || !metadata->is_object()) return std::nullopt;
  return cause_from_string(json_text_at(*metadata, "cause").value_or(""));
}

std::optional<int> exit_code_of(const Result& result) {
  const auto metadata = parse_json(result.metadata);
  if (!metadata || !metadata->is_object() || !metadata->contains("exit_code")) return std::nullopt;
  const auto code = json_int(metadata->at("exit_code"));
  return code && *code >= INT32_MIN && *code <= INT32_MAX ? std::optional(static_cast<int>(*code)) : std::nullopt;
}

}  // namespace berth

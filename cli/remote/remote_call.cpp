// SPDX-License-Identifier: Apache-2.0
// One call through an agent, streamed.
#include <boost/asio/as_tuple.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <nlohmann/json.hpp>

#include "base/call_wire.hpp"
#include "base/json.hpp"
#include "base/text.hpp"
#include "cli/remote/remote_place.hpp"

namespace berth::cli {

namespace asio = boost::asio;

namespace {

constexpr std::size_t kMostResult = std::size_t{8} << 20;
constexpr std::chrono::milliseconds kRetryPause{300};
constexpr int kTries = 5;  // after a connection that broke

Deadline silence() {
  return Deadline(now() + kSilence);
}

std::string body_of(const agent::LeaseCall& call) {
  Json body{{"execution_id", call.execution_id}, {"tool", call.tool}, {"timeout", call.timeout.count()}};
  body["args"] = parse_json(call.args).value_or(Json::object());
  if (!call.env.empty()) body["env"] = call.env;
  return dump_json(body);
}

bool is_broken(const Error& error) {
  return error.code == "transport" || error.code == "timeout" || error.code == "connect";
}

}  // namespace

asio::awaitable<Expected<Result>> RemotePlace::call_once(const http::ClientRequest& request,
                                                         const std::string& execution, const agent::OutputSink& sink,
                                                         Given& given) {
  auto loan = co_await remote_.borrow();
  const auto head = co_await loan->send(request, silence());
  if (!head) co_return tl::unexpected(head.error());
  if (head->status != 200) {
    const auto body = co_await loan->read_body(kMostResult, silence());
    co_return tl::unexpected(error_of_answer(head->status, body.value_or("")));
  }
  std::vector<std::string> ids{execution};
  BatchLines lines(std::move(ids));
  std::optional<Result> result;
  while (!lines.ended()) {
    const auto text = co_await loan->read_line(kMostResult, silence());
    if (!text) co_return tl::unexpected(text.error());
    if (!*text) co_return fail("transport", "the answer ended in the middle");
    auto line = lines.take(**text);
    if (!line) co_return tl::unexpected(line.error());
    if (auto* done = std::get_if<ResultLine>(&*line)) result = std::move(done->result);
    auto* output = std::get_if<OutputLine>(&*line);
    if (output == nullptr || !sink) continue;
    // A repeated answer tells the output from its beginning.
    std::uint64_t& next = given[output->stream];
    const std::uint64_t end = output->offset + output->bytes.size();
    if (end <= next) continue;
    if (output->offset < next) output->bytes.erase(0, next - output->offset);
    next = end;
    sink(*output);
  }
  // The line after the last has to be read for the connection to be used again.
  static_cast<void>(co_await loan->read_line(kMostResult, silence()));
  if (!result) co_return fail("protocol", "the agent gave no result");
  co_return std::move(*result);
}

asio::awaitable<Expected<Result>> RemotePlace::call(std::string lease, agent::LeaseCall call, agent::OutputSink sink) {
  if (call.execution_id.empty()) call.execution_id = random_hex(16);
  http::ClientRequest request = remote_.request("POST", "/v1/leases/" + percent_encode(lease) + "/executions?stream=1");
  request.body = body_of(call);
  Given given;
  asio::steady_timer pause(remote_.context());
  auto result = co_await call_once(request, call.execution_id, sink, given);
  for (int i = 0; i < kTries && !result && is_broken(result.error()) && !interrupted(); ++i) {
    pause.expires_after(kRetryPause);
    co_await pause.async_wait(asio::as_tuple(asio::use_awaitable));
    result = co_await call_once(request, call.execution_id, sink, given);
  }
  if (!result) result = tl::unexpected(remote_.explain(result.error()));
  co_return result;
}

}  // namespace berth::cli

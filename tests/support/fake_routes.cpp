// SPDX-License-Identifier: Apache-2.0
// The routes, and the ways to break them.
#include <boost/asio/as_tuple.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <nlohmann/json.hpp>

#include "base/json.hpp"
#include "base/text.hpp"
#include "tests/support/fake_slotd.hpp"

namespace berth::testing {
namespace {

constexpr auto kAwait = asio::as_tuple(asio::use_awaitable);

asio::awaitable<void> respond(http::Exchange& exchange, int status, std::string body) {
  http::Response answer;
  answer.status = status;
  answer.body = std::move(body);
  static_cast<void>(co_await exchange.respond(std::move(answer)));
}

asio::awaitable<void> wait_for_ever(asio::io_context& context, http::Exchange& exchange) {
  asio::steady_timer never(context, asio::steady_timer::time_point::max());
  exchange.on_disconnect([&never] { never.cancel(); });
  co_await never.async_wait(kAwait);
}

std::string odd_line(Lie lie) {
  if (lie == Lie::garbage) return "<html>\n";
  if (lie == Lie::deep) return std::string(100'000, '[') + "\n";
  if (lie == Lie::long_line) return std::string(std::size_t{20} << 20, 'x') + "\n";
  if (lie == Lie::unknown_type) return "{\"type\":\"surprise\"}\n";
  if (lie == Lie::early_end) return "{\"type\":\"end\",\"results\":0}\n";
  return {};
}

}  // namespace

// Lines wait here until the connection takes them.
struct FakeSlotd::Stream {
  explicit Stream(asio::io_context& context) : more(context, asio::steady_timer::time_point::max()) {}
  asio::steady_timer more;
  std::deque<std::string> lines;
  std::vector<std::size_t> sent_output;
  std::vector<bool> sent_result;
  bool gone = false;
};

// Every connection breaks, this one too. Not from inside the handler that runs on it.
asio::awaitable<void> FakeSlotd::cut(http::Exchange& exchange) {
  asio::post(context_, [this] { server_->abort(); });
  co_await wait_for_ever(context_, exchange);
}

asio::awaitable<void> FakeSlotd::health(http::Exchange& exchange) {
  if (options.deaf) co_return co_await wait_for_ever(context_, exchange);
  const Json body{{"status", "ok"},
                  {"boot_id", options.boot_id},
                  {"slots", options.slots},
                  {"isolation", {{"level", "strict"}, {"missing", Json::array()}}}};
  co_await respond(exchange, 200, dump_json(body));
}

asio::awaitable<void> FakeSlotd::batch(http::Exchange& exchange) {
  const bool output = exchange.head().query_value("output").has_value();
  const auto body = co_await exchange.read_body(std::size_t{64} << 20);
  if (!body) co_return;
  if (options.drop_batches > 0) {
    --options.drop_batches;
    co_return co_await cut(exchange);
  }
  detach.emplace_back(exchange.head().field("berth-detach").value_or(""));
  std::vector<std::string> ids;
  std::vector<ExecutionPtr> executions;
  const auto elements = split_json_array(*body, 1000);
  for (const auto element : *elements) {
    executions.push_back(accept(std::string(element)));
    ids.push_back(executions.back()->id);
  }
  batches.push_back(ids);
  if (options.cut_batches > 0) {
    --options.cut_batches;
    co_return co_await cut(exchange);
  }
  if (options.stall_batches > 0) {
    --options.stall_batches;
    co_return co_await wait_for_ever(context_, exchange);
  }
  if (options.lie == Lie::server_error)
    co_return co_await respond(exchange, 500, R"({"success":false,"error":"oops"})");
  co_await answer_batch(exchange, std::move(executions), output);
}

asio::awaitable<void> FakeSlotd::answer_batch(http::Exchange& exchange, std::vector<ExecutionPtr> executions,
                                              bool output) {
  auto stream = std::make_shared<Stream>(context_);
  exchange.on_disconnect([stream] {
    stream->gone = true;
    stream->more.cancel();
  });
  for (const auto& execution : executions) execution->changed.push_back([stream] { stream->more.cancel(); });
  stream->sent_output.assign(executions.size(), 0);
  stream->sent_result.assign(executions.size(), false);
  http::Response head;
  head.content_type = std::string(http::kNdjsonType);
  if (!co_await exchange.begin_stream(std::move(head))) co_return;
  if (const std::string odd = odd_line(options.lie); !odd.empty() && !co_await exchange.write(odd)) co_return;
  std::size_t results = 0;
  while (results < executions.size() && !stream->gone) {
    std::string lines;
    for (std::size_t i = 0; i < executions.size(); ++i) {
      const FakeExecution& execution = *executions[i];
      if (output && execution.output.size() > stream->sent_output[i]) {
        const Json line{{"type", "output"},
                        {"execution_id", execution.id},
                        {"stream", "stdout"},
                        {"offset", stream->sent_output[i]},
                        {"text", execution.output.substr(stream->sent_output[i])}};
        lines += dump_json(line) + "\n";
        stream->sent_output[i] = execution.output.size();
      }
      if (!execution.finished || stream->sent_result[i]) continue;
      stream->sent_result[i] = true;
      ++results;
      const std::size_t place = options.lie == Lie::swapped ? executions.size() - 1 - i : i;
      lines += result_line(executions[i], place);
      if (options.lie == Lie::repeated) lines += result_line(executions[i], place);
    }
    if (!lines.empty() && !co_await exchange.write(lines)) co_return;
    if (!lines.empty()) continue;
    stream->more.expires_at(asio::steady_timer::time_point::max());
    co_await stream->more.async_wait(kAwait);
  }
  if (stream->gone) co_return;
  if (options.lie != Lie::no_end)
    static_cast<void>(co_await exchange.write("{\"type\":\"end\",\"results\":" + std::to_string(results) + "}\n"));
  static_cast<void>(co_await exchange.end_stream());
}

asio::awaitable<void> FakeSlotd::reset(http::Exchange& exchange) {
  const auto body = co_await exchange.read_body(65536);
  if (!body) co_return;
  const auto parsed = parse_json(*body);
  const auto name = parsed->at("slot_id").get<std::string>();
  const auto generation = json_uint(parsed->at("generation")).value_or(0);
  resets.emplace_back(name, generation);
  slots_[name].floor = std::max(slots_[name].floor, generation);
  for (const auto& execution : slots_[name].queue) {
    execution->cancelled = true;
    if (execution->sleep) execution->sleep->cancel();
  }
  std::erase_if(files, [&name](const auto& each) { return each.first.starts_with(name + "/"); });
  const bool fails = options.fail_resets > 0;
  if (fails) --options.fail_resets;
  const Json answer{{"success", !fails},
                    {"output", ""},
                    {"error", fails ? "Failed to reset workspace: busy" : ""},
                    {"execution_id", nullptr},
                    {"metadata", Json::object()}};
  co_await respond(exchange, 200, dump_json(answer));
}

asio::awaitable<void> FakeSlotd::file(http::Exchange& exchange) {
  const std::string& path = exchange.head().path;  // /slots/slot_0/files/PATH
  const std::size_t files_at = path.find("/files/");
  const std::string key = path.substr(7, files_at - 7) + "/" + percent_decode(path.substr(files_at + 7)).value_or("");
  if (exchange.head().method == "PUT") {
    ++puts;
    asio::steady_timer pause(context_);
    while (options.hold_puts) {
      pause.expires_after(std::chrono::milliseconds(1));
      const auto [error] = co_await pause.async_wait(kAwait);
      if (error) co_return;
    }
    if (options.full_puts > 0) {
      --options.full_puts;
      co_return co_await respond(exchange, 507,
                                 R"({"success":false,"error":"No space left on device","code":"disk_full"})");
    }
    auto body = co_await exchange.read_body(std::size_t{64} << 20);
    if (!body) co_return;
    files[key] = std::move(*body);
    co_return co_await respond(exchange, 200, "{}");
  }
  const auto found = files.find(key);
  if (found != files.end()) co_return co_await respond(exchange, 200, found->second);
  co_await respond(exchange, 404, R"({"error":{"code":"not_found","message":"Not found","hint":""}})");
}

asio::awaitable<void> FakeSlotd::cancel(http::Exchange& exchange) {
  const std::string& path = exchange.head().path;  // /slots/slot_0/executions/ID
  const std::size_t at = path.find("/executions/");
  const std::string id = path.substr(at + 12);
  cancelled.push_back(id);
  const auto found = ledger_.find({path.substr(7, at - 7), id});
  if (found != ledger_.end()) {
    found->second->cancelled = true;
    if (found->second->sleep) found->second->sleep->cancel();
  }
  co_await respond(exchange, 200, "{}");
}

}  // namespace berth::testing

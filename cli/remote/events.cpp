// SPDX-License-Identifier: Apache-2.0
// berth events: server-sent events as lines. With --follow a cut stream is taken up again after the last one seen.
#include <boost/asio/as_tuple.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <nlohmann/json.hpp>

#include "base/call_wire.hpp"
#include "base/json.hpp"
#include "base/text.hpp"
#include "cli/remote/commands.hpp"
#include "cli/remote/remote.hpp"
#include "cli/remote/table.hpp"
#include "cli/terminal.hpp"

namespace berth::cli {

namespace asio = boost::asio;

namespace {

constexpr std::size_t kMostEvent = std::size_t{1} << 20;
constexpr std::chrono::seconds kReconnectPause{1};
constexpr std::size_t kMostShown = 1000;

struct Stream {
  std::string last;  // id of the last event
  std::string id, type, data;
};

std::string text_of(const Stream& event) {
  std::string line = event.type + std::string(event.type.size() < 10 ? 10 - event.type.size() : 1, ' ');
  const auto data = parse_json(event.data);
  if (!data || !data->is_object()) return line + event.data;
  for (const auto& [key, value] : data->items())
    line += " " + key + "=" + (value.is_string() ? value.get<std::string>() : dump_json(value));
  return line;
}

void show(const Stream& event, bool json) {
  if (!json) return print_out(harmless_line(text_of(event), kMostShown) + "\n");
  Json data = parse_json(event.data).value_or(Json());
  print_out(dump_json(Json{{"id", event.id}, {"event", event.type}, {"data", std::move(data)}}) + "\n");
}

// One line of the stream.
void take(Stream& stream, std::string_view line, bool json) {
  if (line.ends_with('\r')) line.remove_suffix(1);
  if (line.empty()) {
    if (!stream.id.empty()) stream.last = stream.id;
    if (!stream.type.empty()) show(stream, json);
    stream.id = stream.type = stream.data = {};
    return;
  }
  const std::size_t colon = line.find(':');
  if (colon == 0 || colon == std::string_view::npos) return;
  std::string_view value = line.substr(colon + 1);
  if (value.starts_with(' ')) value.remove_prefix(1);
  if (line.substr(0, colon) == "id") stream.id = value;
  if (line.substr(0, colon) == "event") stream.type = value;
  if (line.substr(0, colon) == "data") stream.data += value;
}

asio::awaitable<Expected<void>> read_events(Remote& remote, const EventsOptions& options, Stream& stream) {
  std::string target = options.follow ? "/v1/events" : "/v1/events?follow=0";
  http::ClientRequest request = remote.request("GET", target);
  if (!stream.last.empty()) request.fields.emplace_back("Last-Event-ID", stream.last);
  auto loan = co_await remote.borrow();
  const auto silence = [] { return Deadline(now() + kSilence); };
  const auto head = co_await loan->send(request, silence());
  if (!head) co_return tl::unexpected(head.error());
  if (head->status != 200) {
    const auto body = co_await loan->read_body(kMostEvent, silence());
    co_return tl::unexpected(error_of_answer(head->status, body.value_or("")));
  }
  while (true) {
    const auto line = co_await loan->read_line(kMostEvent, silence());
    if (!line) co_return tl::unexpected(line.error());
    if (!*line) co_return Expected<void>{};
    take(stream, **line, options.json);
  }
}

asio::awaitable<int> show_events(Remote& remote, const EventsOptions& options) {
  Stream stream;
  stream.last = options.after;
  asio::steady_timer pause(remote.context());
  bool seen = false;
  while (true) {
    const std::string before = stream.last;
    const auto done = co_await read_events(remote, options, stream);
    seen = seen || stream.last != before;
    if (remote.interrupted()) co_return kInterrupted;
    if (done && !options.follow) co_return kSuccess;
    // An agent that has never answered is an error at once; one that went away may come back.
    const bool cut = done || done.error().code == "transport" || done.error().code == "timeout";
    const bool gone = !done && done.error().code == "connect" && seen;
    if (!options.follow || !(cut || gone)) co_return report(remote, done.error());
    pause.expires_after(kReconnectPause);
    co_await pause.async_wait(asio::as_tuple(asio::use_awaitable));
  }
}

}  // namespace

int events_command(const EventsOptions& options) {
  return with_agent([&options](Remote& remote) { return show_events(remote, options); }, kPlatform);
}

}  // namespace berth::cli

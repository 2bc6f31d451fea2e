// SPDX-License-Identifier: Apache-2.0
// GET /v1/events: server-sent events, resumed by id. `Last-Event-ID` or ?after=ID goes on after that event; ?after=0
// begins with the oldest that is kept; neither begins with what comes next. ?follow=0 ends after what is there.
// What has left the ring is told as an event `gap`. Nothing waits for a slow reader: the ring moves on.
#include <nlohmann/json.hpp>

#include "agent/api/impl.hpp"

namespace berth::agent {

namespace asio = boost::asio;

namespace {

constexpr std::size_t kAtOnce = 200;

struct Start {
  std::uint64_t after = 0;
  bool other_life = false;  // the id is of an earlier agent, or of none
};

Start start_of(const EventLog& events, const http::RequestHead& head, bool follow) {
  auto id = head.query_value("after");
  if (const auto field = head.field("last-event-id"); field && !field->empty()) id = std::string(*field);
  if (!id && follow) return {events.newest(), false};
  if (!id || *id == "0") return {events.oldest() - 1, false};
  const auto number = events.number_of(*id);
  return number ? Start{*number, false} : Start{events.oldest() - 1, true};
}

std::string gap_text(std::uint64_t from, std::uint64_t to, bool other_life) {
  Json data{{"missed", to - from}};
  if (other_life) data = Json{{"missed", nullptr}, {"why", "the id is of another life of the agent"}};
  return "event: gap\ndata: " + dump_json(data) + "\n\n";
}

// Holds a place among the streams.
class Place {
 public:
  explicit Place(std::size_t& count) : count_(count) { ++count_; }
  Place(const Place&) = delete;
  Place& operator=(const Place&) = delete;
  ~Place() { --count_; }

 private:
  std::size_t& count_;
};

}  // namespace

asio::awaitable<void> Api::Impl::get_events(Request& request) {
  http::Exchange& exchange = request.exchange;
  EventLog& events = parts_.events;
  Error full{"too_many_streams", "as many event streams as there may be are open", "close one"};
  if (event_streams_ >= options_.max_event_streams) co_return co_await send_error(exchange, std::move(full));
  const Place place(event_streams_);
  const bool follow = !request.asks("follow", "0");
  const Start start = start_of(events, exchange.head(), follow);
  http::Response head;
  head.content_type = "text/event-stream; charset=utf-8";
  head.fields.emplace_back("Cache-Control", "no-store");
  if (!co_await exchange.begin_stream(std::move(head))) co_return;
  const auto gone = std::make_shared<bool>(false);
  exchange.on_disconnect([gone, &events] {
    *gone = true;
    events.wake();
  });
  std::uint64_t told = start.after;
  // The first bytes tell the reader that it is connected, and from where.
  std::string text = "id: " + events.id_of(told) + "\nretry: 1000\n: connected\n\n";
  if (start.other_life) text += gap_text(0, 0, true);
  auto ping_at = now() + options_.ping_every;
  while (!*gone) {
    if (told + 1 < events.oldest()) {
      text += gap_text(told, events.oldest() - 1, false);
      told = events.oldest() - 1;
    }
    const auto news = events.after(told, kAtOnce);
    for (const Event& event : news) {
      told = event.number;
      if (!request.caller.sees(event.owner) && !event.owner.empty()) continue;
      text += "id: " + events.id_of(event.number) + "\nevent: " + event.type + "\ndata: " + event.data + "\n\n";
    }
    if (text.empty() && now() >= ping_at) text = ": ping\n\n";
    if (!text.empty()) {
      const auto sent = co_await exchange.write(text);
      if (!sent) co_return;
      text.clear();
      ping_at = now() + options_.ping_every;
    }
    if (!news.empty()) continue;
    // A token that was taken away while the stream was open sees no more.
    const bool still_known = parts_.tokens.caller(exchange.head()).has_value();
    if (!follow || draining_ || !still_known) break;
    co_await events.wait(told, Deadline(ping_at));
  }
  if (!*gone) (void)co_await exchange.end_stream();
}

}  // namespace berth::agent

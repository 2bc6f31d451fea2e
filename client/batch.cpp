// SPDX-License-Identifier: Apache-2.0
// Batches: one request to each server, read result by result where the server sends them so.
#include <algorithm>
#include <boost/asio/detached.hpp>
#include <map>
#include <nlohmann/json.hpp>

#include "base/call_wire.hpp"
#include "base/http/promise.hpp"
#include "base/json.hpp"
#include "client/calls.hpp"

namespace berth::client {
namespace {

constexpr std::size_t kMostCalls = 1000;  // what a slot server takes at once
constexpr std::size_t kMostBytes = std::size_t{32} << 20;
constexpr std::size_t kMostLine = std::size_t{8} << 20;
constexpr std::size_t kMostErrorBody = std::size_t{64} << 10;
constexpr JsonBounds kResultBounds{kMostLine, 32, 100'000};

struct Entry {
  const Call* call = nullptr;
  Result* result = nullptr;
  std::string body;
  bool answered = false;
  bool unsure = false;  // it went out in a try whose fate is unknown
};
using Entries = std::vector<Entry*>;

// How a try ended before every call had its result.
struct Stop {
  Setback setback;
  bool again = false;
};

std::string media_type(const http::ResponseHead& head) {
  return std::string(head.field("content-type").value_or("no media type"));
}

// The calls for one server.
class Group {
 public:
  Group(Engine& engine, ServerPtr server) : engine_(engine), server_(std::move(server)) {}

  void add(const Call& call, Result& result) { entries_.push_back(Entry{&call, &result, encode_call(call)}); }

  asio::awaitable<void> run() {
    std::size_t next = 0;
    while (next < entries_.size()) {
      const Entries part = take_part(next);
      co_await run_part(part);
    }
  }

 private:
  // As many of the calls from `next` on as one request may carry.
  Entries take_part(std::size_t& next) {
    Entries part;
    std::size_t bytes = 0;
    while (next < entries_.size() && part.size() < kMostCalls) {
      bytes += entries_[next].body.size() + 1;
      if (!part.empty() && bytes > kMostBytes) break;
      part.push_back(&entries_[next++]);
    }
    return part;
  }

  asio::awaitable<void> run_part(Entries part) {
    for (unsigned attempt = 1;; ++attempt) {
      std::erase_if(part, [](const Entry* entry) { return entry->answered; });
      const Seconds limit = time_limit(part);
      const std::optional<Stop> stop = co_await try_once(part, Deadline::after(now(), limit));
      if (!stop) co_return;
      const bool last = !stop->again || engine_.closing() || attempt >= engine_.options().attempts;
      if (last) {
        give_up(part, *stop, attempt, limit);
        co_return;
      }
      co_await engine_.pause(attempt);
    }
  }

  // Calls of one slot run one after the other, slots side by side.
  [[nodiscard]] Seconds time_limit(const Entries& part) const {
    std::map<std::string_view, Seconds> slots;
    Seconds longest{0};
    for (const Entry* entry : part) longest = std::max(longest, slots[entry->call->slot] += entry->call->timeout);
    return longest + engine_.options().answer_margin;
  }

  void give_up(const Entries& part, const Stop& stop, unsigned attempts, Seconds limit) {
    for (Entry* entry : part) {
      if (entry->answered) continue;
      Setback setback = stop.setback;
      setback.unsure = setback.unsure || entry->unsure;
      if (engine_.closing()) setback.error.message = "the client was closed";
      settle(*entry, result_of(*entry->call, setback, attempts, limit));
    }
  }

  static void settle(Entry& entry, Result result) {
    entry.answered = true;
    *entry.result = with_text(std::move(result));
  }

  http::ClientRequest request_of(const Entries& part) {
    http::ClientRequest request;
    request.method = "POST";
    request.target = "/batch?stream=1";
    for (const Entry* entry : part) {
      request.body += request.body.empty() ? '[' : ',';
      request.body += entry->body;
    }
    request.body += ']';
    engine_.add_fields(*server_, request);
    return request;
  }

  // Calls of slots whose server was started anew meanwhile end here.
  Entries those_as_they_were(const Entries& part) {
    Entries kept;
    std::map<std::string_view, bool> slots;
    for (Entry* entry : part) {
      const auto [known, first] = slots.try_emplace(entry->call->slot, true);
      if (first) known->second = Engine::has_slot_as_it_was(*server_, entry->call->slot);
      if (known->second) kept.push_back(entry);
      if (known->second) continue;
      const Error lost{"restarted", "the slot server was started anew; what the slot held is lost", {}};
      settle(*entry, result_of(*entry->call, setback_of(lost, entry->unsure), 1, Seconds()));
    }
    return kept;
  }

  asio::awaitable<std::optional<Stop>> try_once(Entries part, Deadline deadline) {
    const Expected<void> boot = co_await engine_.learn_boot(server_);
    if (!boot) co_return Stop{setback_of(boot.error(), false), boot.error().code == "connect"};
    part = those_as_they_were(part);
    if (part.empty()) co_return std::nullopt;
    auto loan = co_await engine_.reach(server_, deadline);
    if (!loan) co_return Stop{setback_of(loan.error(), false), true};
    http::ClientConnection& connection = **loan;
    const std::string sent_boot = server_->boot.value_or("");
    const http::ClientRequest request = request_of(part);
    const auto head = co_await connection.send(request, deadline);
    if (!head) co_return broken(part, head.error());
    const bool streamed = head->status == 200 && media_type(*head).starts_with("application/x-ndjson");
    std::optional<Stop> stop;
    if (streamed) {
      stop = co_await read_stream(connection, part, deadline);
    } else {
      stop = co_await read_whole(connection, *head, part, sent_boot, deadline);
    }
    if (stop && streamed) connection.close();
    co_return stop;
  }

  // The connection failed or fell silent, so whether the calls of this try run is unknown.
  static Stop broken(const Entries& part, const Error& error) {
    for (Entry* entry : part) entry->unsure = true;
    return Stop{setback_of(error, true), error.code == "transport"};
  }

  static Stop lie(const Error& error) { return Stop{Setback{error, Cause::protocol, true}, false}; }

  asio::awaitable<std::optional<Stop>> read_stream(http::ClientConnection& connection, const Entries& part,
                                                   Deadline deadline) {
    std::vector<std::string> ids;
    for (const Entry* entry : part) ids.push_back(entry->call->execution_id);
    BatchLines lines(std::move(ids));
    std::size_t budget = engine_.options().max_answer_bytes;
    while (true) {
      const Deadline silence = Deadline::after(now(), engine_.options().silence_timeout);
      const auto text = co_await connection.read_line(std::min(budget, kMostLine), deadline.earlier(silence));
      if (!text) co_return stopped_reading(part, text.error(), deadline);
      if (!*text && lines.ended()) co_return std::nullopt;
      if (!*text) co_return broken(part, Error{"transport", "the answer was cut before its end", {}});
      budget -= std::min(budget, (*text)->size() + 1);
      auto line = lines.take(**text);
      if (!line) co_return lie(line.error());
      if (std::holds_alternative<OutputLine>(*line)) co_return lie(Error{"protocol", "output nobody asked for", {}});
      if (auto* result = std::get_if<ResultLine>(&*line)) settle(*part[result->index], std::move(result->result));
    }
  }

  // A server that says nothing for a while is cut off like one that broke off; the calls' own time limit is final.
  static Stop stopped_reading(const Entries& part, const Error& error, Deadline deadline) {
    if (error.code == "protocol") return lie(error);
    const bool silent = error.code == "timeout" && !deadline.expired(now());
    return broken(part, silent ? Error{"transport", "the server has fallen silent", {}} : error);
  }

  asio::awaitable<std::optional<Stop>> read_whole(http::ClientConnection& connection, const http::ResponseHead& head,
                                                  const Entries& part, const std::string& sent_boot,
                                                  Deadline deadline) {
    const bool array = head.status == 200 && is_json(head);
    const auto body =
        co_await connection.read_body(array ? engine_.options().max_answer_bytes : kMostErrorBody, deadline);
    if (!body) co_return stopped_reading(part, body.error(), deadline);
    if (array) co_return take_array(*body, part);
    const http::WholeResponse answer{head, *body};
    Stop stop{setback_of_answer(answer, false), false};
    if (stop.setback.cause == Cause::container_lost) {
      Engine::forget_boot(*server_, sent_boot);
      for (const Entry* entry : part) server_->slot_boots.erase(entry->call->slot);
    }
    const bool foreign = stop.setback.cause == Cause::protocol && !is_json(head);
    stop.again = is_busy(head.status) || foreign;
    co_return stop;
  }

  // The answer of a server that does not stream: an array, matched by place and by id.
  static std::optional<Stop> take_array(const std::string& body, const Entries& part) {
    const auto elements = split_json_array(body, part.size());
    if (!elements && elements.error().code == "json_too_large")
      return lie(Error{"protocol", "more results than calls in the answer to a batch", {}});
    if (!elements) return lie(not_the_protocol("Expected list response", body).value());
    for (std::size_t i = 0; i < elements->size(); ++i) settle(*part[i], read_element(*part[i]->call, (*elements)[i]));
    if (elements->size() == part.size()) return std::nullopt;
    return lie(Error{"protocol", "Missing result in batch response", {}});
  }

  static Result read_element(const Call& call, std::string_view text) {
    const auto object = parse_json(text, kResultBounds);
    if (!object) return local_result(call, Cause::protocol, object.error().message, Started::unknown);
    if (auto result = parse_result(*object, call.execution_id)) return std::move(*result);
    // An element that was refused may have two keys only; it holds no output that could be another call's.
    const bool refused = object->is_object() && !object->contains("output") && object->contains("success") &&
                         object->at("success") == false;
    if (refused)
      return local_result(call, Cause::rejected, json_text_at(*object, "error").value_or(""), Started::unknown);
    const Error error = parse_result(*object, call.execution_id).error();
    return local_result(call, Cause::protocol, error.message, Started::unknown);
  }

  Engine& engine_;
  ServerPtr server_;
  std::vector<Entry> entries_;
};

// In the order in which the servers are first named.
using Groups = std::vector<std::unique_ptr<Group>>;

Groups group_calls(Engine& engine, std::vector<PlacedCall>& calls, std::vector<Result>& results) {
  Groups groups;
  std::map<std::string, Group*> by_address;
  for (std::size_t i = 0; i < calls.size(); ++i) {
    Call& call = calls[i].call;
    if (auto refused = refuse_call(call)) {
      results[i] = std::move(*refused);
      continue;
    }
    const auto server = engine.server(calls[i].address);
    if (!server) {
      results[i] = local_result(call, Cause::rejected, server.error().message, Started::no, server.error().code);
      continue;
    }
    Group*& group = by_address[calls[i].address];
    if (group == nullptr) group = groups.emplace_back(std::make_unique<Group>(engine, *server)).get();
    results[i] = local_result(call, Cause::transport, "Batch execution failed", Started::unknown);
    group->add(call, results[i]);
  }
  return groups;
}

}  // namespace

asio::awaitable<std::vector<Result>> execute_batch(Engine& engine, std::vector<PlacedCall> calls) {
  std::vector<Result> results(calls.size());
  const Groups groups = group_calls(engine, calls, results);
  std::size_t left = groups.size();
  http::Promise<bool> done(engine.context());
  for (const auto& group : groups)
    asio::co_spawn(engine.context(), group->run(), [&left, &done](const std::exception_ptr&) {
      if (--left == 0) done.set(true);
    });
  if (left > 0) co_await done.wait(Deadline());
  co_return std::move(results);
}

}  // namespace berth::client

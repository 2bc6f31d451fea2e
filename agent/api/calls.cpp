// SPDX-License-Identifier: Apache-2.0
// Running calls: POST /v1/leases/{lease}/executions and POST /v1/batch. A caller that closes its connection cancels
// nothing (wire.md 1.4): what it asked for runs on and can be asked for by id.
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <nlohmann/json.hpp>

#include "agent/api/impl.hpp"
#include "agent/events/call_note.hpp"
#include "base/text.hpp"

namespace berth::agent {

namespace asio = boost::asio;

namespace {

constexpr std::size_t kMostCall = std::size_t{2} << 20;
constexpr std::size_t kMostBatch = std::size_t{64} << 20;
constexpr std::size_t kMostElements = 1000;
// The loop's other work gets its turn after so much of a batch.
constexpr std::size_t kReadAtOnce = std::size_t{256} << 10;
constexpr std::size_t kWriteAtOnce = std::size_t{256} << 10;

CallSet::Telling telling_of(const Request& request, bool batch) {
  using Telling = CallSet::Telling;
  if (!request.asks("stream", "1")) return batch ? Telling::results : Telling::single;
  return !batch || request.asks("output", "1") ? Telling::all_lines : Telling::result_lines;
}

std::string accepted_json(const std::string& lease, const std::string& id) {
  return dump_json(Json{{"execution_id", id}, {"lease", lease}, {"state", "queued"}});
}

}  // namespace

asio::awaitable<void> Api::Impl::run_call(std::shared_ptr<Impl> self, std::shared_ptr<CallSet> set, std::size_t index,
                                          WantedCall wanted, std::shared_ptr<CallBook::Record> record,
                                          [[maybe_unused]] CallBook::Admission admission) {
  Runtime& runtime = self->parts_.runtime;
  const CallNote note{wanted.lease, record->id, wanted.call.tool, now()};
  OutputSink sink;
  std::function<void()> on_start;
  if (set->tells_output()) {
    const auto lease = runtime.live_lease(wanted.lease);
    const std::string slot = lease ? pool::slot_name(lease->slot) : "";
    sink = [set](const OutputLine& line) { set->put_out(line); };
    on_start = [set, index, slot, id = record->id] { set->started(index, slot, id); };
  }
  auto answer = co_await runtime.call(wanted.lease, std::move(wanted.call), std::move(sink), std::move(on_start));
  note_call(self->parts_.metrics, note, answer);
  std::optional<Result> result;
  if (answer) result = *answer;
  // Whoever waited has it; who went away, or never waited, asks later.
  const bool keep = set->left();
  self->book_.close(record, std::move(result), keep, now());
  set->answered(index, std::move(answer), record->id);
}

void Api::Impl::start_call(const std::shared_ptr<CallSet>& set, std::size_t index, const Caller& caller,
                           WantedCall wanted, std::size_t bytes) {
  const auto lease = parts_.runtime.live_lease(wanted.lease);
  Expected<void> may;
  if (!lease) may = tl::unexpected(lease.error());
  // The same words for what there is not and for what is another's.
  if (lease ? !caller.may_use(lease->owner) : lease.error().code == "unknown_lease")
    may = fail("unknown_lease", "there is no lease " + wanted.lease);
  auto admission = book_.admit(caller, bytes);
  if (may && !admission) may = tl::unexpected(admission.error());
  if (!may) {
    parts_.metrics.call_refused(may.error().code);
    return set->answered(index, tl::unexpected(may.error()), wanted.call.execution_id);
  }
  if (!wanted.id_given) wanted.call.execution_id = random_hex(16);
  auto record = book_.open(wanted.lease, wanted.call.execution_id);
  asio::co_spawn(parts_.context,
                 run_call(shared_from_this(), set, index, std::move(wanted), std::move(record), *std::move(admission)),
                 asio::detached);
}

asio::awaitable<void> Api::Impl::post_execution(Request& request) {
  http::Exchange& exchange = request.exchange;
  const auto lease = lease_used(request);
  if (!lease) co_return co_await send_error(exchange, lease.error());
  const auto body = co_await read_body(exchange, kMostCall);
  if (!body) co_return;
  auto wanted = parse_wanted_call(*body, false, options_.max_timeout);
  if (!wanted) co_return co_await send_error(exchange, wanted.error());
  wanted->lease = lease->id;
  if (!wanted->id_given) wanted->call.execution_id = random_hex(16);
  wanted->id_given = true;
  const std::string id = wanted->call.execution_id;
  const auto set = std::make_shared<CallSet>(parts_.context, 1, telling_of(request, false));
  const std::string lease_id = lease->id;
  start_call(set, 0, request.caller, *std::move(wanted), body->size());
  exchange.body_used();
  if (request.asks("wait", "0")) {
    // What is refused is refused at once: a moment later only accepted calls are left.
    co_await asio::post(parts_.context, asio::use_awaitable);
    const auto& answer = set->answer(0);
    if (answer && !*answer) co_return co_await send_error(exchange, answer->error());
    set->leave();
    http::Response accepted;
    accepted.status = 202;
    accepted.body = accepted_json(lease_id, id);
    accepted.fields.emplace_back("Location", "/v1/leases/" + lease_id + "/executions/" + id);
    (void)co_await exchange.respond(std::move(accepted));
    co_return;
  }
  exchange.on_disconnect([weak = std::weak_ptr(set)] {
    if (const auto alive = weak.lock()) alive->leave();
  });
  if (set->tells_output()) co_return co_await stream_set(exchange, set);
  co_await answer_single(exchange, set);
}

asio::awaitable<void> Api::Impl::answer_single(http::Exchange& exchange, std::shared_ptr<CallSet> set) {
  while (!set->done() && !set->left()) co_await set->news(Deadline());
  if (set->left()) co_return;
  const auto& answer = *set->answer(0);
  if (!answer) co_return co_await send_error(exchange, answer.error());
  auto refusal = refusal_of(*answer);
  if (refusal) co_return co_await send_error(exchange, *std::move(refusal));
  co_await send_json(exchange, 200, result_json(*answer));
}

asio::awaitable<void> Api::Impl::answer_array(http::Exchange& exchange, std::shared_ptr<CallSet> set) {
  while (!set->done() && !set->left()) co_await set->news(Deadline());
  if (set->left()) co_return;
  http::Response head;
  if (!co_await exchange.begin_stream(std::move(head))) co_return;
  std::string part = "[";
  for (std::size_t i = 0; i < set->size(); ++i) {
    if (i > 0) part += ", ";
    part += result_json(**set->answer(i));
    if (part.size() < kWriteAtOnce) continue;
    const auto sent = co_await exchange.write(part);
    if (!sent) co_return;
    part.clear();
  }
  part += "]";
  (void)co_await exchange.end_stream(part);
}

// A stream that is refused as a whole is answered with a status; once its first line is out it always ends with `end`.
asio::awaitable<void> Api::Impl::stream_set(http::Exchange& exchange, std::shared_ptr<CallSet> set) {
  http::Response head;
  head.content_type = http::kNdjsonType;
  if (!co_await exchange.begin_stream(std::move(head))) co_return set->leave();
  auto ping_at = now() + options_.ping_every;
  while (true) {
    co_await set->news(Deadline(ping_at));
    if (set->left()) co_return;
    const bool done = set->done();
    std::string lines = set->take_lines();
    if (done) {
      lines += R"({"type": "end", "results": )" + std::to_string(set->size()) + "}\n";
      const auto sent = co_await exchange.end_stream(lines);
      if (!sent) set->leave();
      co_return;
    }
    if (lines.empty() && now() >= ping_at) lines = "{\"type\": \"ping\"}\n";
    if (lines.empty()) continue;
    ping_at = now() + options_.ping_every;
    const auto sent = co_await exchange.write(lines);
    if (!sent) co_return set->leave();
  }
}

asio::awaitable<void> Api::Impl::post_batch(Request& request) {
  http::Exchange& exchange = request.exchange;
  auto body = co_await read_body(exchange, kMostBatch);
  if (!body) co_return;
  const auto elements = split_json_array(*body, kMostElements);
  if (!elements) {
    Error error = elements.error();
    if (error.code == "json_too_large") error.message = "a batch has at most 1000 elements";
    co_return co_await send_error(exchange, std::move(error));
  }
  const auto set = std::make_shared<CallSet>(parts_.context, elements->size(), telling_of(request, true));
  std::size_t read = 0;
  for (std::size_t i = 0; i < elements->size(); ++i) {
    const auto element = (*elements)[i];
    read += element.size();
    if (read > kReadAtOnce) co_await asio::post(parts_.context, asio::use_awaitable);
    if (read > kReadAtOnce) read = 0;
    Expected<WantedCall> wanted = fail("call_too_large", "the call is larger than 2 MiB");
    if (element.size() <= kMostCall) wanted = parse_wanted_call(element, true, options_.max_timeout);
    if (!wanted) {
      set->answered(i, tl::unexpected(wanted.error()), "");
      continue;
    }
    start_call(set, i, request.caller, *std::move(wanted), element.size());
  }
  body.reset();
  exchange.body_used();
  exchange.on_disconnect([weak = std::weak_ptr(set)] {
    if (const auto alive = weak.lock()) alive->leave();
  });
  if (request.asks("stream", "1")) co_return co_await stream_set(exchange, set);
  co_await answer_array(exchange, set);
}

}  // namespace berth::agent

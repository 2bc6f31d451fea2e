// SPDX-License-Identifier: Apache-2.0
// One batch: POST /batch?stream=1 and the lines that come back.
#include <algorithm>

#include "agent/link/link.hpp"
#include "agent/link/pending.hpp"

namespace berth::agent {

namespace asio = boost::asio;

namespace {

constexpr std::size_t kErrorBody = std::size_t{64} << 10;

// Notes a connection as one that carries calls, as long as it lives.
class Carrying {
 public:
  Carrying(std::set<http::ClientConnection*>& all, http::ClientConnection& connection)
      : all_(all), place_(all.insert(&connection).first) {}
  Carrying(const Carrying&) = delete;
  Carrying& operator=(const Carrying&) = delete;
  ~Carrying() { all_.erase(place_); }

 private:
  std::set<http::ClientConnection*>& all_;
  std::set<http::ClientConnection*>::iterator place_;
};

// Holds the link's only right to write, until done() or the end.
class Writing {
 public:
  explicit Writing(bool& flag) : flag_(&flag) {}
  Writing(const Writing&) = delete;
  Writing& operator=(const Writing&) = delete;
  ~Writing() { done(); }
  void done() {
    if (flag_ != nullptr) *flag_ = false;
    flag_ = nullptr;
  }

 private:
  bool* flag_;
};

}  // namespace

http::ClientRequest ContainerLink::batch_request(const Batch& batch) const {
  http::ClientRequest request;
  request.method = "POST";
  request.target = batch.front()->sink ? "/batch?stream=1&output=1" : "/batch?stream=1";
  request.fields.emplace_back("Berth-Detach", std::to_string(options_.detach.count()));
  add_fields(request, std::nullopt);
  std::size_t bytes = 2;
  for (const PendingPtr& pending : batch) bytes += pending->body.size() + 1;
  request.body.reserve(bytes);
  for (const PendingPtr& pending : batch) {
    request.body += request.body.empty() ? '[' : ',';
    request.body += pending->body;
  }
  request.body += ']';
  return request;
}

void ContainerLink::note_sending(const Batch& batch) {
  for (const PendingPtr& pending : batch) {
    const Call& call = pending->call;
    pending->sending = true;
    slots_[call.slot].sent.add(call.generation.value_or(0), call.execution_id);
  }
}

void ContainerLink::note_sent(const Batch& batch, bool sent) {
  for (const PendingPtr& pending : batch) {
    const Call& call = pending->call;
    pending->sending = false;
    pending->sent = pending->sent || sent;
    if (!sent) slots_[call.slot].sent.take_back(call.generation.value_or(0), call.execution_id);
  }
}

asio::awaitable<ContainerLink::Outcome> ContainerLink::exchange(const Batch& batch) {
  using Kind = Outcome::Kind;
  Writing writing(writing_);
  const Deadline patience(now() + options_.limits.silence);
  auto loan = co_await work_->borrow(patience);
  if (!loan) co_return Outcome{Kind::cut, Error{"connect", "no connection to the container is free", {}}};
  const Carrying carrying(carriers_, *loan);
  note_sending(batch);
  ++options_.counts->batches;
  unheard_ = &*loan;
  const auto head = co_await loan->send(batch_request(batch), patience);
  unheard_ = nullptr;
  note_sent(batch, head || head.error().code != "connect");
  if (!head) co_return Outcome{head.error().code == "protocol" ? Kind::nonsense : Kind::cut, head.error()};
  backoff_ = std::chrono::milliseconds(0);
  writing.done();
  pump();
  if (head->status == 200) {
    Outcome outcome = co_await read_results(*loan, batch);
    if (outcome.kind != Kind::complete) loan->close();
    co_return outcome;
  }
  const auto body = co_await loan->read_body(kErrorBody, Deadline(now() + options_.limits.silence));
  if (!body) loan->close();
  const Error error = error_of_answer(head->status, body.value_or(""));
  if (error.code == "wrong_boot") co_return Outcome{Kind::lost, error};
  co_return Outcome{head->status >= 400 && head->status < 500 ? Kind::refused : Kind::nonsense, error};
}

asio::awaitable<ContainerLink::Outcome> ContainerLink::read_results(http::ClientConnection& connection,
                                                                    const Batch& batch) {
  using Kind = Outcome::Kind;
  std::vector<std::string> ids;
  for (const PendingPtr& pending : batch) ids.push_back(pending->call.execution_id);
  BatchLines lines(std::move(ids));
  while (true) {
    const auto text =
        co_await connection.read_line(options_.limits.line_bytes, Deadline(now() + options_.limits.silence));
    if (!text) co_return Outcome{text.error().code == "protocol" ? Kind::nonsense : Kind::cut, text.error()};
    if (!*text && lines.ended()) co_return Outcome{};
    if (!*text) co_return Outcome{Kind::cut, Error{"transport", "the answer was cut before its end line", {}}};
    const auto taken = take_line(**text, batch, lines);
    if (!taken) co_return Outcome{Kind::nonsense, taken.error()};
  }
}

Expected<void> ContainerLink::take_line(std::string_view text, const Batch& batch, BatchLines& lines) {
  auto line = lines.take(text);
  if (!line) return tl::unexpected(line.error());
  if (auto* result = std::get_if<ResultLine>(&*line)) take_result(std::move(*result), batch);
  if (const auto* start = std::get_if<StartLine>(&*line)) take_start(start->execution_id, batch);
  if (auto* output = std::get_if<OutputLine>(&*line)) return take_output(std::move(*output), batch);
  return {};
}

void ContainerLink::take_result(ResultLine line, const Batch& batch) {
  const PendingPtr pending = batch[line.index];
  finish(*pending, std::move(line.result));
  leave_slot(*pending);
  pump();
}

void ContainerLink::take_start(std::string_view execution_id, const Batch& batch) {
  for (const PendingPtr& pending : batch) {
    if (pending->call.execution_id != execution_id || pending->answered || !pending->on_start) continue;
    std::exchange(pending->on_start, nullptr)();
  }
}

Expected<void> ContainerLink::take_output(OutputLine line, const Batch& batch) {
  const auto found = std::find_if(batch.begin(), batch.end(), [&line](const PendingPtr& each) {
    return each->call.execution_id == line.execution_id;
  });
  if (found == batch.end() || !(*found)->sink) return fail("protocol", "output that nobody asked for");
  if ((*found)->answered) return {};
  // After a broken connection the server begins again; what the sink has seen it does not get twice.
  std::uint64_t& next = (*found)->next_offset[line.stream];
  const std::uint64_t end = line.offset + line.bytes.size();
  if (end <= next) return {};
  if (line.offset < next) line.bytes.erase(0, next - line.offset);
  line.offset = end - line.bytes.size();
  next = end;
  (*found)->sink(line);
  return {};
}

}  // namespace berth::agent

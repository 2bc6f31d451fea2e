// SPDX-License-Identifier: Apache-2.0
// The queue: what is accepted, when it is sent, how every call comes to its answer.
#include "agent/link/link.hpp"

#include <algorithm>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>

#include "agent/link/pending.hpp"

namespace berth::agent {

namespace asio = boost::asio;

ContainerLink::ContainerLink(asio::io_context& context, LinkOptions options)
    : context_(context),
      options_(std::move(options)),
      work_(std::make_shared<http::Connections>(context, options_.address, options_.slots + 1)),
      urgent_(std::make_shared<http::Connections>(context, options_.address, 1)),
      transfers_(std::make_shared<Turns>(context, (options_.slots + 1) / 2)),
      retry_timer_(context) {}

ContainerLink::~ContainerLink() = default;

asio::awaitable<Expected<Result>> ContainerLink::call(Call call, OutputSink sink, std::function<void()> on_start) {
  const auto self = shared_from_this();
  if (closed_) co_return local_result(call, Cause::container_lost, *closed_, started(call));
  if (unanswered_.size() >= options_.limits.queue)
    co_return fail("queue_full", "the container has " + std::to_string(unanswered_.size()) + " unanswered calls",
                   "try again later");
  std::string body = encode_call(call);
  if (body.size() > options_.limits.call_bytes)
    co_return fail("call_too_large",
                   "the call has " + std::to_string(body.size()) + " bytes, the limit is " +
                       std::to_string(options_.limits.call_bytes),
                   "bring large data in as a file");
  auto pending = std::make_shared<Pending>(context_, std::move(call), std::move(body), std::move(sink));
  pending->on_start = std::move(on_start);
  enqueue(pending);
  pump();
  co_return co_await wait_for(std::move(pending));
}

void ContainerLink::enqueue(const PendingPtr& pending) {
  SlotQueue& queue = slots_[pending->call.slot];
  const TimePoint start = queue.unanswered == 0 ? now() : std::max(now(), queue.busy_until);
  pending->answer_by = Deadline::after(start, pending->call.timeout).at();
  queue.busy_until = pending->answer_by;
  ++queue.unanswered;
  unanswered_.emplace(pending.get(), pending);
  queue.waiting.push_back(pending);
  mark_ready(pending->call.slot, queue);
}

asio::awaitable<Result> ContainerLink::wait_for(PendingPtr pending) {
  const LinkLimits& limits = options_.limits;
  auto result = co_await pending->answer.wait(Deadline::after(pending->answer_by, limits.answer_grace));
  if (result) co_return std::move(*result);
  // A busy server answers late, a stopped one never: only the first is worth more patience.
  const bool alive = (co_await health(limits.probe_limit)).has_value();
  if (alive) result = co_await pending->answer.wait(Deadline(now() + limits.alive_grace));
  if (result) co_return std::move(*result);
  give_up(pending, alive);
  result = co_await pending->answer.wait(Deadline());
  co_return std::move(*result);
}

void ContainerLink::give_up(const PendingPtr& pending, bool alive) {
  const bool may_run = started(pending->call) == Started::unknown;
  finish(*pending, local_result(pending->call, Cause::transport, "the container did not answer by the call's deadline",
                                started(pending->call)));
  // Connections to a server that does not answer would hold up every other call; ids make asking again safe. So would
  // a batch that it does not begin to answer, though it lives. A file on its way cannot be asked for again, and holds
  // up nobody: it keeps its connection.
  if (!alive)
    for (http::ClientConnection* carrier : carriers_) carrier->close();
  else if (pending->sending && unheard_ != nullptr)
    unheard_->close();
  if (!may_run) return;
  // The work owns the link from the start: it may outlive whoever asked for it.
  auto work = [self = shared_from_this(), pending]() -> asio::awaitable<void> {
    const Call& call = pending->call;
    co_await self->cancel(call.slot, call.execution_id, call.generation.value_or(0));
  };
  asio::co_spawn(context_, std::move(work), asio::detached);
}

Started ContainerLink::started(const Call& call) const {
  const auto slot = slots_.find(call.slot);
  if (slot == slots_.end()) return Started::no;
  return slot->second.sent.may_hold(call.generation.value_or(0), call.execution_id) ? Started::unknown : Started::no;
}

void ContainerLink::finish(Pending& pending, Result result) {
  if (pending.answered) return;
  pending.answered = true;
  --slots_[pending.call.slot].unanswered;
  pending.answer.set(std::move(result));
  unanswered_.erase(&pending);  // last: it may be the last owner
}

void ContainerLink::mark_ready(const std::string& slot, SlotQueue& queue) {
  if (queue.ready || queue.in_flight > 0 || queue.waiting.empty()) return;
  queue.ready = true;
  ready_.push_back(slot);
}

void ContainerLink::leave_slot(Pending& pending) {
  if (!pending.in_batch) return;
  pending.in_batch = false;
  SlotQueue& queue = slots_[pending.call.slot];
  --queue.in_flight;
  mark_ready(pending.call.slot, queue);
}

// Sends at once when nothing is being written; what arrives meanwhile rides in the next batch.
void ContainerLink::pump() {
  if (writing_ || waiting_to_retry_ || closed_) return;
  Batch batch = choose();
  if (batch.empty()) return;
  writing_ = true;
  auto work = [self = shared_from_this(), batch = std::move(batch)]() -> asio::awaitable<void> {
    self->settle(batch, co_await self->exchange(batch));
  };
  asio::co_spawn(context_, std::move(work), asio::detached);
}

ContainerLink::Batch ContainerLink::choose() {
  Batch batch;
  std::size_t bytes = 0;
  while (!ready_.empty() && batch.size() < options_.limits.batch_calls && bytes < options_.limits.batch_bytes) {
    SlotQueue& queue = slots_[ready_.front()];
    while (!queue.waiting.empty() && queue.waiting.front()->answered) queue.waiting.pop_front();
    const bool other_kind =
        !batch.empty() && !queue.waiting.empty() && !queue.waiting.front()->sink != !batch.front()->sink;
    if (other_kind) break;
    bytes = take_prefix(queue, batch, bytes);
    queue.ready = false;
    ready_.pop_front();
  }
  return batch;
}

// As many of the slot's calls as fit, in order; calls with and without streamed output never share a batch.
std::size_t ContainerLink::take_prefix(SlotQueue& queue, Batch& batch, std::size_t bytes) const {
  while (!queue.waiting.empty() && batch.size() < options_.limits.batch_calls && bytes < options_.limits.batch_bytes) {
    const PendingPtr& next = queue.waiting.front();
    if (!batch.empty() && !next->sink != !batch.front()->sink) break;
    if (!next->answered) {
      next->in_batch = true;
      bytes += next->body.size();
      ++queue.in_flight;
      batch.push_back(next);
    }
    queue.waiting.pop_front();
  }
  return bytes;
}

void ContainerLink::repeat(const Batch& batch, const Error& error) {
  const LinkLimits& limits = options_.limits;
  for (auto each = batch.rbegin(); each != batch.rend(); ++each) {
    Pending& pending = **each;
    if (pending.answered) continue;
    if (pending.sent && !pending.first_break) pending.first_break = now();
    const bool too_long = pending.first_break && now() - *pending.first_break > limits.repeat_limit;
    if (too_long) finish(pending, local_result(pending.call, Cause::transport, error.message, Started::unknown));
    if (too_long) continue;
    slots_[pending.call.slot].waiting.push_front(*each);
    if (pending.sent) ++options_.counts->repeats;
  }
  waiting_to_retry_ = true;
  retry_timer_.expires_after(backoff_);
  backoff_ = std::min(limits.most_backoff, std::max(backoff_ * 2, std::chrono::milliseconds(10)));
  retry_timer_.async_wait([weak = weak_from_this()](boost::system::error_code) {
    const auto self = weak.lock();
    if (!self) return;
    self->waiting_to_retry_ = false;
    self->pump();
  });
}

void ContainerLink::answer_rest(const Batch& batch, Cause cause, const Error& error) {
  for (const PendingPtr& pending : batch) {
    if (pending->answered) continue;
    // What is refused did not begin now; what was sent before a break may have.
    const bool not_begun = cause == Cause::rejected && !pending->first_break;
    const Started begun = not_begun ? Started::no : Started::unknown;
    finish(*pending, local_result(pending->call, cause, error.message, begun, error.code));
  }
}

void ContainerLink::settle(const Batch& batch, const Outcome& outcome) {
  using Kind = Outcome::Kind;
  if (outcome.kind == Kind::nonsense) ++options_.counts->protocol_errors;
  switch (outcome.kind) {
    case Kind::complete: break;
    case Kind::cut: repeat(batch, outcome.error); break;
    case Kind::refused: answer_rest(batch, Cause::rejected, outcome.error); break;
    case Kind::lost: answer_rest(batch, Cause::container_lost, outcome.error); break;
    case Kind::nonsense: answer_rest(batch, Cause::protocol, outcome.error); break;
  }
  for (const PendingPtr& pending : batch) leave_slot(*pending);
  pump();
}

void ContainerLink::end_slot(std::string_view slot, std::uint64_t generation, Cause cause, const std::string& message) {
  const auto all = unanswered_;
  for (const auto& [key, pending] : all) {
    if (pending->call.slot != slot || pending->call.generation.value_or(0) > generation) continue;
    finish(*pending, local_result(pending->call, cause, message, started(pending->call)));
  }
}

void ContainerLink::close(const std::string& why) {
  if (closed_) return;
  closed_ = why;
  retry_timer_.cancel();
  const auto all = unanswered_;
  for (const auto& [key, pending] : all)
    finish(*pending, local_result(pending->call, Cause::container_lost, why, started(pending->call)));
  work_->close();
  urgent_->close();
}

}  // namespace berth::agent

// SPDX-License-Identifier: Apache-2.0
#include "slotd/routes/app.hpp"

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <malloc.h>

#include "base/text.hpp"
#include "slotd/routes/file_answers.hpp"
#include "slotd/setup.hpp"

namespace berth::slotd {
namespace {

constexpr std::size_t kMaxQueued = 4096;  // calls a container (wire.md 1.11)
// One slot's flood leaves room for the others; a whole batch fits.
constexpr std::size_t kMaxQueuedPerSlot = 1024;
// Memory of all calls that have not ended: two of the largest batches.
constexpr std::size_t kMaxWaitingBytes = std::size_t{128} << 20;
constexpr std::size_t kWorthTrimming = std::size_t{1} << 20;
constexpr auto kExpiryPeriod = std::chrono::seconds(10);
// Clients of slot servers give up when the asked time has passed, so from here on the answer comes a little before.
constexpr Seconds kEarlyFrom{10};
constexpr Seconds kEarlyBy{0.3};

tl::unexpected<Refusal> refuse(int status, std::string error, std::string code, const CallRequest& request,
                               Cause cause = Cause::rejected) {
  return tl::unexpected<Refusal>(Refusal{status, std::move(error), std::move(code), request.id_json, true, cause});
}

std::shared_ptr<proxy::Gate> make_gate(asio::io_context& context, const AppOptions& options) {
  if (options.spec.slot.network != NetworkMode::allow) return nullptr;
  proxy::GateOptions gate = options.proxy;
  gate.allow = options.spec.slot.allow;
  return std::make_shared<proxy::Gate>(context, std::move(gate));
}

}  // namespace

App::App(asio::io_context& context, AppOptions options, std::unique_ptr<isolation::RoomFactory> factory)
    : context_(context),
      options_(std::move(options)),
      factory_(std::move(factory)),
      boot_id_(random_hex(16)),
      // One upload of the largest size for each slot.
      spool_bytes_(options_.spec.slots * (options_.spec.slot.disk_bytes + kTarOverhead)),
      calls_(metrics_.counter("berth_slotd_calls_total", "Calls that ended, by tool and cause.")),
      refused_calls_(metrics_.counter("berth_slotd_calls_refused_total", "Calls refused before they ran, by code.")),
      denied_requests_(metrics_.counter("berth_slotd_requests_denied_total", "Requests without the right token.")),
      durations_(metrics_.histogram("berth_slotd_call_duration_seconds", "From the start of a call to its end.",
                                    {0.001, 0.002, 0.005, 0.01, 0.05, 0.1, 0.5, 1, 5, 30, 120, 600, 3600})),
      environment_{options_.spec,
                   *factory_,
                   tools_,
                   cleaners_,
                   ledger_,
                   options_.data_dir,
                   [this](Execution& execution) { count(execution); },
                   make_gate(context, options_)},
      abandoned_news_(context.get_executor()),
      closing_(context.get_executor()) {
  for (unsigned index = 0; index < options_.spec.slots; ++index) {
    slots_.push_back(std::make_unique<Slot>(context_.get_executor(), environment_, index));
    by_id_[slots_.back()->id()] = slots_.back().get();
  }
}

App::~App() = default;

asio::awaitable<Expected<void>> App::open() {
  auto ready = co_await run_setup_commands(context_.get_executor(), *factory_, cleaners_, options_.spec);
  if (!ready) co_return ready;
  for (auto& slot : slots_) slot->open();
  asio::co_spawn(context_, expire_results(), asio::detached);
  asio::co_spawn(context_, watch_abandoned(), asio::detached);
  co_return Expected<void>{};
}

asio::awaitable<void> App::expire_results() {
  std::size_t held_before = 0;
  while (!closed_) {
    co_await closing_.wait(Deadline(now() + kExpiryPeriod));
    ledger_.expire(now());
    // What calls and results leave is scattered over the heap: the allocator keeps it unless it is told.
    const std::size_t held = ledger_.held_bytes();
    const std::size_t let_go = ended_bytes_ + (held < held_before ? held_before - held : 0);
    if (let_go > kWorthTrimming) ::malloc_trim(0);
    held_before = held;
    ended_bytes_ = 0;
  }
}

void App::cancel_all() {
  for (auto& slot : slots_) slot->cancel_all();
}

asio::awaitable<void> App::close() {
  closed_ = true;
  closing_.notify_all();
  abandoned_news_.notify_all();
  // All rooms die at once; only waiting for them is one after the other.
  std::size_t left = slots_.size();
  AsyncEvent done(context_.get_executor());
  for (auto& slot : slots_) {
    asio::co_spawn(context_, slot->close(), [&](const std::exception_ptr&) {
      --left;
      done.notify_all();
    });
  }
  while (left > 0) co_await done.wait();
}

Slot* App::find_slot(std::string_view id) {
  const auto found = by_id_.find(id);
  return found == by_id_.end() ? nullptr : found->second;
}

void App::count(Execution& execution) {
  waiting_bytes_ -= execution.call.memory_bytes;
  ended_bytes_ += execution.call.memory_bytes + execution.result->output.size();
  const auto& metadata = execution.result->metadata;
  // The cause is the first key of every result's metadata (Tool results are built that way).
  const auto start = metadata.find(R"("cause":")");
  const auto from = start == std::string::npos ? metadata.size() : start + 9;
  const auto cause = metadata.substr(from, metadata.find('"', from) - from);
  const bool known = tools_.find(execution.call.tool) != nullptr;
  calls_.add(1, metric_label("tool", known ? execution.call.tool : "unknown") + "," + metric_label("cause", cause));
  if (execution.started_at != TimePoint{}) {
    durations_.observe(std::chrono::duration<double>(execution.finished_at - execution.started_at).count());
  }
}

void App::count_refused(const Refusal& refusal) {
  refused_calls_.add(1, metric_label("code", refusal.code));
}

tl::expected<App::Submitted, Refusal> App::submit(CallRequest request, const CallContext& context) {
  auto* slot = find_slot(request.slot);
  if (slot == nullptr) return refuse(200, "Unknown slot: " + request.slot, "unknown_slot", request);
  if (!request.generation && strict_callers()) return refuse(400, "generation is required", "bad_generation", request);
  if (request.generation && *request.generation < slot->generation()) {
    return refuse(409, "stale_generation: the slot is at generation " + std::to_string(slot->generation()),
                  "stale_generation", request);
  }
  if (request.id_given) {
    auto found = ledger_.find(request.slot, request.id, request.digest);
    if (found.match == Ledger::Match::same) return Submitted{std::move(found.execution), true};
    if (found.match == Ledger::Match::other_content) {
      return refuse(409, "execution_id was used for a call with other content", "execution_id_reused", request);
    }
    if (found.match == Ledger::Match::gone)
      return refuse(410, "result_gone: the call ran, its result is not kept any more", "result_gone", request);
  }
  if (const auto* tool = tools_.find(request.tool)) {
    if (const auto objection = tool->objection(*request.args)) return refuse(400, *objection, "bad_args", request);
  }
  if (auto refusal = overload(*slot, request)) return tl::unexpected<Refusal>(*std::move(refusal));
  const auto arrival = now();
  const auto timeout = request.timeout;
  const Seconds early = !context.from_agent && timeout >= kEarlyFrom ? kEarlyBy : Seconds(0);
  const auto start_by =
      Deadline::after(arrival, timeout + std::chrono::duration_cast<Seconds>(context.queue_allowance));
  const auto generation = request.generation.value_or(slot->generation());
  auto execution = std::make_shared<Execution>(std::move(request), generation, arrival, start_by);
  ledger_.add(execution);
  waiting_bytes_ += execution->call.memory_bytes;
  slot->submit(execution, early);
  return Submitted{std::move(execution), false};
}

std::optional<Refusal> App::overload(const Slot& slot, const CallRequest& request) const {
  const auto full = [&](const std::string& code, const std::string& why) {
    return Refusal{429, code + ": " + why, code, request.id_json, true, Cause::rejected};
  };
  if (ledger_.full()) return full("ledger_full", "results that nobody has fetched fill the memory for them");
  if (slot.waiting() >= kMaxQueuedPerSlot)
    return full("queue_full", std::to_string(kMaxQueuedPerSlot) + " calls wait for " + slot.id());
  std::size_t waiting = 0;
  for (const auto& each : slots_) waiting += each->waiting();
  if (waiting >= kMaxQueued) return full("queue_full", std::to_string(kMaxQueued) + " calls are waiting");
  if (waiting_bytes_ + request.memory_bytes > kMaxWaitingBytes)
    return full("queue_full", "the calls that wait fill the memory for them");
  return std::nullopt;
}

void App::abandon(const std::shared_ptr<Execution>& execution, Duration grace) {
  if (execution->state == ExecutionState::finished || execution->delivered) return;
  execution->wanted_until = std::max(execution->wanted_until, now() + grace);
  if (!std::exchange(execution->abandoned, true)) abandoned_.push_back(execution);
  abandoned_news_.notify_all();
}

asio::awaitable<void> App::watch_abandoned() {
  while (!closed_) {
    const Deadline next = end_abandoned();
    co_await abandoned_news_.wait(next);
  }
}

Deadline App::end_abandoned() {
  Deadline next;
  const auto time = now();
  std::erase_if(abandoned_, [&](const std::weak_ptr<Execution>& weak) {
    const auto execution = weak.lock();
    if (!execution) return true;
    const bool settled = execution->state == ExecutionState::finished || execution->delivered || execution->waiters > 0;
    if (!settled && time < execution->wanted_until) {
      next = next.earlier(Deadline(execution->wanted_until));
      return false;
    }
    execution->abandoned = false;
    auto* slot = settled ? nullptr : find_slot(execution->call.slot);
    if (slot != nullptr) slot->cancel(*execution);
    return true;
  });
  return next;
}

bool App::authorised(const http::RequestHead& head) const {
  if (options_.token_sha256.empty()) return true;
  const auto field = head.field("authorization");
  constexpr std::string_view kScheme = "Bearer ";
  if (!field || field->substr(0, kScheme.size()) != kScheme) return false;
  // Digests of equal length, compared without an early way out: the time tells nothing of the token.
  const auto digest = sha256_hex(trim(field->substr(kScheme.size())));
  unsigned difference = digest.size() == options_.token_sha256.size() ? 0 : 1;
  for (std::size_t i = 0; i < digest.size() && i < options_.token_sha256.size(); ++i) {
    difference |= static_cast<unsigned char>(digest[i]) ^ static_cast<unsigned char>(options_.token_sha256[i]);
  }
  return difference == 0;
}

}  // namespace berth::slotd

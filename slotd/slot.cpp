// SPDX-License-Identifier: Apache-2.0
#include "slotd/slot.hpp"

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/use_awaitable.hpp>

#include "base/log.hpp"
#include "slotd/slot_storage.hpp"

namespace berth::slotd {
namespace {

constexpr int kBuildTries = 3;

ToolResult not_started(Cause cause, std::string error) {
  auto result = refused(std::move(error), cause);
  if (cause == Cause::timeout) result.metadata.boolean("timeout", true).integer("exit_code", -1);
  return result;
}

}  // namespace

std::string_view to_string(SlotState state) {
  switch (state) {
    case SlotState::starting: return "starting";
    case SlotState::available: return "available";
    case SlotState::executing: return "executing";
    case SlotState::resetting: return "releasing";
    case SlotState::error: return "error";
  }
  return "error";
}

std::string_view peer_word(SlotState state) {
  return state == SlotState::starting ? "releasing" : to_string(state);
}

Slot::Slot(const asio::any_io_executor& executor, SlotEnvironment& environment, unsigned index)
    : executor_(executor),
      environment_(environment),
      id_("slot_" + std::to_string(index)),
      workspace_dir_(environment.data_dir + "/" + id_),
      room_(executor, environment.factory, environment.cleaners,
            isolation::RoomSpec{id_, index, host_workspace(environment.spec, workspace_dir_), false}, environment.gate),
      session_(executor, room_),
      wake_(executor),
      idle_(executor),
      deadlines_(executor) {
  room_.on_keeper_lost([this] { keeper_lost(); });
}

Slot::~Slot() {
  *alive_ = false;
}

SlotState Slot::state() const {
  if (resetting_) return opened_ ? SlotState::resetting : SlotState::starting;
  if (trouble_) return SlotState::error;
  return current_ ? SlotState::executing : SlotState::available;
}

std::string Slot::current_execution_id() const {
  return current_ ? current_->call.id : std::string();
}

void Slot::open() {
  asio::co_spawn(
      executor_,
      [this]() -> asio::awaitable<void> {
        (void)co_await renew();
        opened_ = true;
      },
      asio::detached);
  asio::co_spawn(executor_, serve(), asio::detached);
  asio::co_spawn(executor_, watch_deadlines(), asio::detached);
}

// Builds a room until one stands, a few times: a slot that cannot be built is in error and never handed out.
asio::awaitable<Expected<void>> Slot::renew() {
  resetting_ = true;
  Expected<void> built;
  for (int tries = 0; tries < kBuildTries && !closed_; ++tries) {
    // A directory kept from an earlier life of the server is shown as it is; only a reset empties it.
    auto prepared = co_await prepare_workspace(environment_.spec, workspace_dir_, opened_);
    // No co_await inside ?: anywhere: g++ 12 destroys the operands twice.
    built = prepared;
    if (prepared) built = co_await room_.rebuild();
    if (built) break;
    log(LogLevel::warning, "room could not be built", {{"slot", id_}, {"error", built.error().message}});
  }
  resetting_ = false;
  trouble_ = built ? std::nullopt : std::optional<Error>(built.error());
  wake_.notify_all();
  idle_.notify_all();
  co_return built;
}

void Slot::keeper_lost() {
  trouble_ = Error{"isolation", "the keeper of " + id_ + " died; its workspace is gone", "reset the slot"};
  log(LogLevel::error, "keeper died", {{"slot", id_}});
  if (turn_) turn_->stop();
  wake_.notify_all();
}

void Slot::submit(const std::shared_ptr<Execution>& execution, Seconds early) {
  const auto* tool = environment_.tools.find(execution->call.tool);
  if (tool == nullptr) {
    finish(*execution, refused("Unknown tool: " + execution->call.tool));
    return;
  }
  if (!tool->takes_turn(*execution->call.args)) {
    beside_.insert(execution);
    asio::co_spawn(executor_, run_beside({execution, early}), asio::detached);
    return;
  }
  queue_.push_back({execution, early});
  wake_.notify_all();
  if (current_ || resetting_ || queue_.size() > 1) deadlines_.notify_all();
}

void Slot::cancel(Execution& execution) {
  if (execution.state == ExecutionState::finished || execution.cancel_requested) return;
  execution.cancel_requested = true;
  execution.notify();
  if (execution.state == ExecutionState::queued) {
    deadlines_.notify_all();
    wake_.notify_all();
  }
}

asio::awaitable<void> Slot::serve() {
  while (!closed_) {
    if (queue_.empty() || resetting_) {
      co_await wake_.wait();
      continue;
    }
    auto next = std::move(queue_.front());
    queue_.pop_front();
    if (next.turn) {
      co_await run_turn(next.turn);
      continue;
    }
    current_ = next.execution;
    co_await run(std::move(next));
    current_.reset();
    idle_.notify_all();
  }
}

void Slot::submit(const std::shared_ptr<SlotTurn>& turn) {
  queue_.push_back({nullptr, Seconds(0), turn});
  wake_.notify_all();
  deadlines_.notify_all();
}

asio::awaitable<void> Slot::run_turn(std::shared_ptr<SlotTurn> turn) {
  if (turn->over()) co_return;
  if (trouble_) {
    turn->refuse(*trouble_);
    co_return;
  }
  turn_ = turn;
  turn->grant();
  co_await turn->wait_end();
  turn_.reset();
  idle_.notify_all();
}

Deadline Slot::next_deadline() const {
  Deadline next;
  for (const auto& queued : queue_) next = next.earlier(queued.start_by());
  return next;
}

asio::awaitable<void> Slot::watch_deadlines() {
  while (!closed_) {
    co_await deadlines_.wait(next_deadline());
    expire_queue();
  }
}

// Deadlines and cancellations of calls that still wait.
void Slot::expire_queue() {
  const auto time = now();
  std::deque<Queued> kept;
  std::deque<Queued> ended;
  for (auto& queued : queue_) {
    const bool unwanted = queued.turn ? queued.turn->over() : queued.execution->cancel_requested;
    const bool over = unwanted || queued.start_by().expired(time);
    (over ? ended : kept).push_back(std::move(queued));
  }
  queue_ = std::move(kept);
  for (const auto& queued : ended) {
    if (queued.turn) {
      queued.turn->refuse({"busy", id_ + " was busy for too long", "try again when its calls have ended"});
      continue;
    }
    auto& execution = *queued.execution;
    finish(execution, execution.cancel_requested
                          ? not_started(Cause::cancelled, "Call was cancelled before it started")
                          : not_started(Cause::timeout, "Command timed out after " + execution.call.timeout_text +
                                                            "s while it was queued"));
  }
}

asio::awaitable<void> Slot::run(Queued queued) {
  const auto execution = queued.execution;
  if (execution->cancel_requested) {
    finish(*execution, not_started(Cause::cancelled, "Call was cancelled before it started"));
    co_return;
  }
  if (execution->start_by.expired(now())) {
    finish(*execution, not_started(Cause::timeout, "Command timed out after " + execution->call.timeout_text +
                                                       "s while it was queued"));
    co_return;
  }
  if (trouble_) {
    finish(*execution, refused(trouble_->message, Cause::isolation));
    co_return;
  }
  const auto* tool = environment_.tools.find(execution->call.tool);
  execution->state = ExecutionState::running;
  execution->started_at = now();
  execution->notify();
  ToolContext context{
      room_, session_, execution, environment_.spec, workspace_dir_, execution->call.timeout - queued.early, {}};
  context.answer_now = [this, execution](ToolResult result) {
    execution->reply = complete(*execution, std::move(result));
    execution->notify();
  };
  const auto traffic = room_.proxy() != nullptr ? room_.proxy()->open_tally() : nullptr;
  auto result = co_await tool->run(std::move(context));
  if (traffic && !traffic->empty()) result.metadata.json("network", traffic->json());
  finish(*execution, std::move(result));
}

asio::awaitable<void> Slot::run_beside(Queued queued) {
  while (resetting_ && !closed_ && !queued.execution->cancel_requested) co_await wake_.wait(queued.execution->start_by);
  const auto execution = queued.execution;
  co_await run(std::move(queued));
  beside_.erase(execution);
  idle_.notify_all();
}

Finished Slot::complete(const Execution& execution, ToolResult result) const {
  const auto queued_for = (execution.started_at == TimePoint{} ? now() : execution.started_at) - execution.arrival;
  result.metadata.milliseconds("queued_ms", std::chrono::duration<double, std::milli>(queued_for).count());
  result.metadata.text("execution", execution.call.id);
  result.metadata.integer("request_bytes", static_cast<std::int64_t>(execution.call.request_bytes));
  result.metadata.integer("response_bytes", static_cast<std::int64_t>(result.output.size() + result.error.size()));
  return Finished{result.success, std::move(result.output), std::move(result.error), result.metadata.str()};
}

void Slot::finish(Execution& execution, ToolResult result) {
  execution.result = complete(execution, std::move(result));
  if (!execution.reply) execution.reply = execution.result;
  execution.state = ExecutionState::finished;
  execution.finished_at = now();
  execution.call.args.reset();
  environment_.ledger.finished(execution.shared_from_this());
  if (environment_.on_finished) environment_.on_finished(execution);
  execution.notify();
}

void Slot::cancel_queue(std::string_view why) {
  auto queue = std::exchange(queue_, {});
  for (const auto& queued : queue) {
    if (queued.turn) {
      queued.turn->refuse({"cancelled", std::string(why), {}});
    } else {
      finish(*queued.execution, not_started(Cause::cancelled, std::string(why)));
    }
  }
}

void Slot::cancel_all() {
  cancel_queue("Call was cancelled: the slot is being reset");
  if (current_) cancel(*current_);
  if (turn_) turn_->stop();
  for (const auto& execution : beside_) cancel(*execution);
}

asio::awaitable<Expected<void>> Slot::reset(std::optional<std::uint64_t> generation) {
  if (generation && *generation < floor_) {
    co_return fail("stale_generation", "stale_generation: the slot is at generation " + std::to_string(floor_));
  }
  if (generation && reset_to_ == generation && !resetting_ && !trouble_) co_return Expected<void>{};
  const bool joining = resetting_ && opened_;
  floor_ = generation.value_or(floor_ + 1);
  const auto target = generation;
  cancel_all();
  if (joining) {
    while (resetting_) co_await idle_.wait();
    if (trouble_) co_return tl::unexpected<Error>(*trouble_);
    if (target) reset_to_ = target;
    co_return Expected<void>{};
  }
  while (resetting_) co_await idle_.wait();  // its first room is still being built
  resetting_ = true;
  auto built = co_await renew();
  // What ran has seen its room go; nobody may find its calls any more.
  while (current_ || turn_ || !beside_.empty()) co_await idle_.wait();
  environment_.ledger.forget_slot(id_);
  if (built && target) reset_to_ = target;
  co_return built;
}

asio::awaitable<bool> Slot::settled(Deadline deadline) {
  while (resetting_ && !closed_ && !deadline.expired(now())) co_await idle_.wait(deadline);
  co_return room_.usable() && !resetting_;
}

asio::awaitable<void> Slot::close() {
  closed_ = true;
  cancel_all();
  (void)co_await room_.tear_down();
  while (current_ || turn_ || !beside_.empty()) co_await idle_.wait(Deadline(now() + std::chrono::seconds(2)));
  wake_.notify_all();
  deadlines_.notify_all();
}

}  // namespace berth::slotd

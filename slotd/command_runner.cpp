// SPDX-License-Identifier: Apache-2.0
#include "slotd/command_runner.hpp"

#include <fcntl.h>
#include <sys/statvfs.h>
#include <sys/wait.h>

#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <csignal>

#include "slotd/metadata.hpp"
#include "slotd/pipe_reader.hpp"
#include "slotd/session/pty.hpp"

namespace berth::slotd {
namespace {

// Most commands end within moments and write little: their output is then taken at the end, in one go. The closing of
// two watched pipes would wake this thread twice more, while the command is still on its way out.
constexpr auto kWatchOutputAfter = std::chrono::milliseconds(2);
constexpr auto kDrainAfterExit = std::chrono::milliseconds(200);  // wire.md 1.13
constexpr auto kTermBeforeKill = std::chrono::seconds(2);         // wire.md 1.6
constexpr auto kCommandKillLimit = std::chrono::seconds(5);

// Wakes the runner when the call is cancelled or floods its output.
class Watcher final : public ExecutionListener {
 public:
  Watcher(RunningCommand& running, std::optional<std::uint64_t> output_kill_bytes)
      : running_(running), output_kill_bytes_(output_kill_bytes) {}
  void execution_changed(Execution& execution) override {
    if (execution.cancel_requested || flooded(execution)) running_.changed.notify_all();
  }
  [[nodiscard]] bool flooded(const Execution& execution) const {
    return output_kill_bytes_ && execution.stdout_ring.total() + execution.stderr_ring.total() > *output_kill_bytes_;
  }

 private:
  RunningCommand& running_;
  std::optional<std::uint64_t> output_kill_bytes_;
};

struct Stream {
  std::shared_ptr<PipeReader> reader;
  UniqueFd write_end;
};

Expected<Stream> open_stream(const asio::any_io_executor& executor, OutputRing& ring, std::function<void()> on_change) {
  auto pipe = make_pipe();
  if (!pipe) return tl::unexpected<Error>(pipe.error());
  if (::fcntl(pipe->read.get(), F_SETFL, O_NONBLOCK) != 0) return fail_errno("pipe", errno);
  return Stream{std::make_shared<PipeReader>(executor, std::move(pipe->read), ring, std::move(on_change)),
                std::move(pipe->write)};
}

// A terminal takes all three standard streams of the command; what it shows comes as one.
Expected<isolation::CommandFds> open_terminal(const isolation::Room& room, UniqueFd& master) {
  auto pty = open_pty(room, TerminalSize{});
  if (!pty) return tl::unexpected<Error>(pty.error());
  isolation::CommandFds fds;
  for (auto* copy : {&fds.out, &fds.err}) {
    *copy = UniqueFd(::fcntl(pty->slave.get(), F_DUPFD_CLOEXEC, 0));
    if (!*copy) return fail_errno("terminal", errno);
  }
  fds.in = std::move(pty->slave);
  master = std::move(pty->master);
  return fds;
}

// One run of one command, from start to nothing left.
class Run {
 public:
  Run(SlotRoom& room, std::shared_ptr<Execution> execution, CommandLimits limits)
      : room_(room), execution_(std::move(execution)), limits_(limits) {}
  ~Run() {
    if (out_) out_->stop();
    if (err_) err_->stop();
  }
  Run(const Run&) = delete;
  Run& operator=(const Run&) = delete;

  asio::awaitable<CommandOutcome> operator()(isolation::Command command, UniqueFd stdin_fd,
                                             const std::function<void()>& on_started);

 private:
  Expected<void> open_streams(const asio::any_io_executor& executor, bool tty, isolation::CommandFds& fds);
  Expected<void> start(const asio::any_io_executor& executor, const isolation::Command& command, UniqueFd stdin_fd);
  asio::awaitable<void> until_exit();
  asio::awaitable<void> stop_politely();
  asio::awaitable<void> kill_everything();
  asio::awaitable<void> clear_leftovers();
  void watch_output() {
    if (out_->started() || err_->started()) return;
    out_->start();
    err_->start();
  }
  [[nodiscard]] bool output_open() const { return !out_->at_end() || !err_->at_end(); }
  void drain() {
    out_->drain_now();
    err_->drain_now();
  }
  void read_usage();
  void conclude();
  void judge_failure();

  SlotRoom& room_;
  std::shared_ptr<Execution> execution_;
  CommandLimits limits_;
  std::shared_ptr<RunningCommand> running_;
  std::shared_ptr<Watcher> watcher_;
  std::shared_ptr<PipeReader> out_;
  std::shared_ptr<PipeReader> err_;
  std::uint64_t oom_kills_before_ = 0;
  bool oom_killed_ = false;
  TimePoint started_at_{};
  std::optional<Cause> ended_by_us_;
  CommandOutcome outcome_;
};

Expected<void> Run::open_streams(const asio::any_io_executor& executor, bool tty, isolation::CommandFds& fds) {
  auto changed = [execution = execution_.get(), this] {
    execution->notify();
    if (running_ && running_->exited) running_->changed.notify_all();
  };
  auto out = open_stream(executor, execution_->stdout_ring, changed);
  auto err = open_stream(executor, execution_->stderr_ring, changed);
  if (!out || !err) return tl::unexpected<Error>(out ? err.error() : out.error());
  out_ = out->reader;
  err_ = err->reader;
  fds.out = std::move(out->write_end);
  fds.err = std::move(err->write_end);
  if (!tty) return {};
  UniqueFd master;
  auto terminal = open_terminal(room_.room(), master);
  if (!terminal) return tl::unexpected<Error>(terminal.error());
  fds = std::move(*terminal);  // the pipes have no writer any more and end at once
  out_ = std::make_shared<PipeReader>(executor, std::move(master), execution_->stdout_ring, std::move(changed));
  execution_->output_stream = "terminal";
  return {};
}

Expected<void> Run::start(const asio::any_io_executor& executor, const isolation::Command& command, UniqueFd stdin_fd) {
  if (!room_.usable()) return fail("isolation", "the slot's room is gone", "reset the slot");
  isolation::CommandFds fds;
  fds.in = std::move(stdin_fd);
  if (auto opened = open_streams(executor, command.tty, fds); !opened) return opened;
  const auto usage = room_.room().memory_usage();
  oom_kills_before_ = usage.oom_kills.value_or(0);
  room_.room().reset_peak();
  auto started = room_.start(command, std::move(fds));
  if (!started) return tl::unexpected<Error>(started.error());
  running_ = std::move(*started);
  watcher_ = std::make_shared<Watcher>(*running_, limits_.output_kill_bytes);
  execution_->add_listener(watcher_);
  return {};
}

asio::awaitable<void> Run::until_exit() {
  const auto deadline = Deadline::after(started_at_, limits_.timeout);
  const Deadline moment(started_at_ + kWatchOutputAfter);
  co_await running_->changed.wait(moment.earlier(deadline));
  if (!running_->over()) watch_output();
  while (!running_->over()) {
    if (execution_->cancel_requested) {
      ended_by_us_ = Cause::cancelled;
      co_await stop_politely();
      co_return;
    }
    if (watcher_->flooded(*execution_) || deadline.expired(now())) {
      ended_by_us_ = watcher_->flooded(*execution_) ? Cause::output_limit : Cause::timeout;
      co_await kill_everything();
      co_return;
    }
    co_await running_->changed.wait(deadline);
  }
}

asio::awaitable<void> Run::stop_politely() {
  if (running_->room_gone) co_return;
  (void)room_.room().signal(running_->id, SIGTERM);
  const Deadline deadline(now() + kTermBeforeKill);
  while (!running_->over() && !deadline.expired(now())) co_await running_->changed.wait(deadline);
  co_await kill_everything();
}

asio::awaitable<void> Run::kill_everything() {
  if (running_->room_gone || running_->start_failed) co_return;
  if (!room_.room().kill_all(running_->id)) co_return;
  const Deadline deadline(now() + kCommandKillLimit);
  while (!running_->room_gone && !(running_->killed && running_->over()) && !deadline.expired(now())) {
    co_await running_->changed.wait(deadline);
  }
  if (running_->room_gone || running_->killed) co_return;
  // A keeper that does not answer may itself have been stopped from inside: its slot is not to be trusted any more.
  outcome_.problem = "some processes could not be killed; reset the slot";
  room_.condemn();
}

// The main process has ended by itself: its output gets a moment to end, then what it left dies (wire.md 1.13).
asio::awaitable<void> Run::clear_leftovers() {
  drain();
  if (output_open()) watch_output();
  const Deadline deadline(now() + kDrainAfterExit);
  while (output_open() && !running_->room_gone && !deadline.expired(now())) {
    co_await running_->changed.wait(deadline);
    drain();
  }
  if (running_->room_gone || !running_->exited->others_alive) co_return;
  co_await kill_everything();
  if (running_->killed) outcome_.background_killed = running_->killed->processes;
}

void Run::read_usage() {
  if (!room_.usable()) return;
  const auto usage = room_.room().memory_usage();
  outcome_.memory_peak_bytes = usage.memory_peak_bytes;
  outcome_.usage_from_group = usage.memory_peak_bytes.has_value();
  oom_killed_ = usage.oom_kills.value_or(0) > oom_kills_before_;
}

// A failed command in a slot whose limit struck meanwhile failed for that reason, as far as anyone can tell from
// outside.
void Run::judge_failure() {
  if (oom_killed_) {
    outcome_.cause = Cause::memory;
    return;
  }
  struct statvfs disk {};
  const bool known = room_.usable() && ::fstatvfs(room_.room().workspace_fd(), &disk) == 0 && disk.f_blocks > 0;
  if (known && (disk.f_bavail == 0 || disk.f_favail == 0)) outcome_.cause = Cause::disk;
}

void Run::conclude() {
  outcome_.wall = now() - started_at_;
  if (running_->start_failed) {
    outcome_.started = false;
    outcome_.cause = Cause::rejected;
    outcome_.start_step = running_->start_failed->step;
    outcome_.start_errno = running_->start_failed->error_number;
    return;
  }
  read_usage();
  if (!running_->exited) {
    outcome_.cause = ended_by_us_.value_or(execution_->cancel_requested ? Cause::cancelled : Cause::isolation);
    if (outcome_.problem.empty() && outcome_.cause == Cause::isolation)
      outcome_.problem = "the slot's keeper died; reset the slot";
    return;
  }
  const auto& exited = *running_->exited;
  const auto micros = [](const timeval& time) {
    return static_cast<double>(time.tv_sec) * 1e6 + static_cast<double>(time.tv_usec);
  };
  outcome_.cpu_milliseconds = (micros(exited.usage.ru_utime) + micros(exited.usage.ru_stime)) / 1000;
  if (!outcome_.memory_peak_bytes)
    outcome_.memory_peak_bytes = static_cast<std::uint64_t>(exited.usage.ru_maxrss) * 1024;
  if (WIFSIGNALED(exited.wait_status)) outcome_.signal = WTERMSIG(exited.wait_status);
  outcome_.exit_code = outcome_.signal ? 128 + *outcome_.signal : WEXITSTATUS(exited.wait_status);
  if (ended_by_us_) {
    outcome_.cause = *ended_by_us_;
    return;
  }
  outcome_.cause = outcome_.signal ? Cause::signal : Cause::exit;
  if (*outcome_.exit_code != 0) judge_failure();
}

asio::awaitable<CommandOutcome> Run::operator()(isolation::Command command, UniqueFd stdin_fd,
                                                const std::function<void()>& on_started) {
  const auto asked = now();
  const auto executor = co_await asio::this_coro::executor;
  if (auto started = start(executor, command, std::move(stdin_fd)); !started) {
    outcome_.cause = Cause::isolation;
    outcome_.problem = started.error().message;
    co_return std::move(outcome_);
  }
  started_at_ = now();
  outcome_.setup = started_at_ - asked;
  outcome_.started = true;
  if (on_started) on_started();
  co_await until_exit();
  if (!ended_by_us_ && running_->exited) co_await clear_leftovers();
  drain();
  conclude();
  co_return std::move(outcome_);
}

}  // namespace

asio::awaitable<CommandOutcome> run_command(SlotRoom& room, std::shared_ptr<Execution> execution,
                                            isolation::Command command, UniqueFd stdin_fd, CommandLimits limits,
                                            std::function<void()> on_started) {
  Run run(room, std::move(execution), limits);
  co_return co_await run(std::move(command), std::move(stdin_fd), on_started);
}

void describe(const CommandOutcome& outcome, const Execution& execution, Metadata& metadata) {
  const auto milliseconds = [](Duration time) { return std::chrono::duration<double, std::milli>(time).count(); };
  metadata.text("cause", to_string(outcome.cause)).boolean("started", outcome.started);
  if (outcome.exit_code) metadata.integer("exit_code", outcome.cause == Cause::timeout ? -1 : *outcome.exit_code);
  if (!outcome.exit_code && outcome.cause == Cause::timeout) metadata.integer("exit_code", -1);
  if (outcome.signal) metadata.integer("signal", *outcome.signal);
  if (outcome.cause == Cause::timeout) metadata.boolean("timeout", true);
  metadata.milliseconds("setup_ms", milliseconds(outcome.setup));
  metadata.milliseconds("wall_ms", milliseconds(outcome.wall));
  metadata.milliseconds("cpu_ms", outcome.cpu_milliseconds);
  metadata.integer_or_null("memory_peak_bytes", outcome.memory_peak_bytes);
  metadata.text("usage_source", outcome.usage_from_group ? "cgroup" : "rusage");
  metadata.integer("stdout_bytes", static_cast<std::int64_t>(execution.stdout_ring.total()));
  metadata.integer("stderr_bytes", static_cast<std::int64_t>(execution.stderr_ring.total()));
  metadata.integer("background_killed", outcome.background_killed);
}

}  // namespace berth::slotd

// SPDX-License-Identifier: Apache-2.0
// One command for a waiting shell, from handing it over to knowing how it ended.
#include <sys/wait.h>
#include <unistd.h>

#include <boost/asio/use_awaitable.hpp>
#include <cerrno>
#include <csignal>

#include "base/text.hpp"
#include "slotd/session/session_impl.hpp"

namespace berth::slotd {
namespace {

// What a command in the foreground is told at its time limit, and how long it may take to obey. The last ones go to
// whatever the shell put there next.
constexpr struct {
  int signal;
  std::chrono::milliseconds patience;
} kSteps[] = {{SIGINT, std::chrono::milliseconds(100)},
              {SIGTERM, std::chrono::milliseconds(60)},
              {SIGKILL, std::chrono::milliseconds(60)},
              {SIGKILL, std::chrono::milliseconds(100)},
              {SIGKILL, std::chrono::milliseconds(200)}};

SessionOutcome not_started(const Execution& execution, bool lives) {
  SessionOutcome outcome;
  outcome.session_kept = lives;
  outcome.cause = execution.cancel_requested ? Cause::cancelled : Cause::timeout;
  if (lives || execution.cancel_requested) return outcome;
  outcome.cause = Cause::isolation;
  outcome.problem = "the session's shell ended before the command could start";
  return outcome;
}

}  // namespace

asio::awaitable<SessionOutcome> Session::Impl::run(SessionCommand command, Deadline deadline,
                                                   std::shared_ptr<Execution> execution) {
  const auto self = shared_from_this();
  const auto waker = std::make_shared<Waker>(changed_);
  execution->add_listener(waker);
  if (shell_ && mode_ == Mode::keys) {
    const bool entered = co_await leave_keys(deadline, execution);
    if (!entered) co_return not_started(*execution, shell_ != nullptr);
  }
  if (!shell_ || mode_ != Mode::commands) co_return not_started(*execution, shell_ != nullptr);
  SessionOutcome outcome;
  const auto begun = now();
  if (auto handed = hand_over(command, execution); !handed) {
    outcome.cause = Cause::isolation;
    outcome.problem = handed.error().message;
    co_return outcome;
  }
  outcome.started = true;
  co_await until_ended(deadline, outcome);
  outcome.wall = now() - begun;
  conclude(outcome);
  co_return outcome;
}

Expected<void> Session::Impl::hand_over(const SessionCommand& command, std::shared_ptr<Execution> execution) {
  drain_master();  // what background jobs wrote until now belongs to no call
  discipline({true, false});
  const auto text = command_text(command, last_status_);
  if (::ftruncate(text_.get(), 0) != 0 ||
      ::pwrite(text_.get(), text.data(), text.size(), 0) != static_cast<ssize_t>(text.size())) {
    return fail_errno("handing the command over", errno);
  }
  running_ = std::move(execution);
  running_->output_stream = "terminal";
  run_secret_ = random_hex(kSecretBytes);
  ended_.reset();
  hint_ = false;
  asked_ = false;
  if (send(run_message(run_secret_))) return {};
  running_.reset();
  return fail("isolation", "the session's shell does not listen any more", "stop the session or reset the slot");
}

asio::awaitable<void> Session::Impl::until_ended(Deadline deadline, SessionOutcome& outcome) {
  while (!running_over()) {
    if (hint_ && !asked_) type_waiting_line(false);
    const bool late = deadline.expired(now());
    if (late || running_->cancel_requested) {
      outcome.cause = late ? Cause::timeout : Cause::cancelled;
      co_await interrupt();
      co_return;
    }
    co_await changed_.wait(deadline);
  }
}

// INT, TERM and KILL to what is in the foreground; the shell itself is only given up when that does not bring it back.
asio::awaitable<void> Session::Impl::interrupt() {
  for (const auto& step : kSteps) {
    if (running_over() || !room_.usable()) break;
    (void)room_.room().signal_foreground(master_->native_handle(), step.signal);
    const Deadline patience(now() + step.patience);
    while (!running_over() && !patience.expired(now())) {
      if (hint_ && !asked_) type_waiting_line(false);
      co_await changed_.wait(patience);
    }
    // Perhaps it is at a prompt without our mark, which the slot has changed.
    const bool may_wait = !running_over() && !asked_ && !control_unread();
    if (may_wait && leader_in_foreground(master_->native_handle())) type_waiting_line(false);
  }
  if (!running_over()) co_await stop();
}

void Session::Impl::conclude(SessionOutcome& outcome) {
  outcome.session_kept = shell_ != nullptr;
  if (ended_) outcome.exit_code = ended_;
  if (!shell_ && !ended_ && wait_status_) {
    const bool killed = WIFSIGNALED(*wait_status_);
    outcome.exit_code = killed ? 128 + WTERMSIG(*wait_status_) : WEXITSTATUS(*wait_status_);
    if (killed && outcome.cause == Cause::exit) outcome.cause = Cause::signal;
  }
  if (!shell_ && !outcome.exit_code && outcome.cause == Cause::exit) {
    outcome.cause = running_->cancel_requested ? Cause::cancelled : Cause::isolation;
    outcome.problem = "the slot's room is gone; reset the slot";
  }
  running_.reset();
  run_secret_.clear();
  hint_ = false;
  held_.clear();
}

}  // namespace berth::slotd

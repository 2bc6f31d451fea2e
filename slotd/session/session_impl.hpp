// SPDX-License-Identifier: Apache-2.0
// Inside of Session; for slotd/session/ only.
#pragma once

#include <boost/asio/posix/stream_descriptor.hpp>

#include "slotd/async_event.hpp"
#include "slotd/session/prompt_filter.hpp"
#include "slotd/session/pty.hpp"
#include "slotd/session/session.hpp"
#include "slotd/session/shell_text.hpp"

namespace berth::slotd {

inline constexpr std::size_t kSecretBytes = 8;

// Wakes the session when the call is cancelled.
class Waker final : public ExecutionListener {
 public:
  explicit Waker(AsyncEvent& changed) : changed_(changed) {}
  void execution_changed(Execution& execution) override {
    if (execution.cancel_requested) changed_.notify_all();
  }

 private:
  AsyncEvent& changed_;
};

class Session::Impl : public std::enable_shared_from_this<Session::Impl> {
 public:
  Impl(const asio::any_io_executor& executor, SlotRoom& room)
      : executor_(executor), room_(room), changed_(executor), filter_({}) {}

  // --- session.cpp: the life of the shell ---
  asio::awaitable<Expected<bool>> ensure(SessionWish wish, Deadline deadline);
  asio::awaitable<void> stop();
  // Lets go of everything; nothing is told or waited for.
  void let_go();

  // --- session_run.cpp ---
  asio::awaitable<SessionOutcome> run(SessionCommand command, Deadline deadline, std::shared_ptr<Execution> execution);

  // --- session_keys.cpp ---
  asio::awaitable<Expected<void>> write(std::string bytes, Deadline deadline);
  asio::awaitable<bool> wait_for_prompt(Deadline deadline, std::shared_ptr<Execution> execution);
  asio::awaitable<void> show_prompt(Deadline deadline);
  void resize(TerminalSize size);

  std::shared_ptr<RunningCommand> shell_;  // none: no shell lives
  TerminalSize size_;
  std::uint64_t generation_ = 0;
  std::unique_ptr<TerminalListener> listener_;

 private:
  enum class Mode : std::uint8_t {
    entering,  // a waiting line was typed, its report has not come
    commands,  // the shell waits on the control socket, or runs what it was given
    keys,      // the shell reads the terminal
  };

  // --- session.cpp ---
  asio::awaitable<Expected<void>> start(const SessionWish& wish, Deadline deadline);
  Expected<void> launch(const SessionWish& wish);
  asio::awaitable<void> watch_shell(std::shared_ptr<RunningCommand> shell);
  asio::awaitable<void> end_rest(std::shared_ptr<RunningCommand> shell);

  // --- session_run.cpp ---
  Expected<void> hand_over(const SessionCommand& command, std::shared_ptr<Execution> execution);
  asio::awaitable<void> until_ended(Deadline deadline, SessionOutcome& outcome);
  asio::awaitable<void> interrupt();
  void conclude(SessionOutcome& outcome);
  [[nodiscard]] bool running_over() const { return !shell_ || ended_.has_value(); }

  // --- session_keys.cpp ---
  // From key mode to command mode; false when the deadline came first or the shell went.
  asio::awaitable<bool> leave_keys(Deadline deadline, std::shared_ptr<Execution> execution);
  asio::awaitable<bool> await_report(Deadline deadline);
  void type_waiting_line(bool first);

  // --- session_io.cpp ---
  void watch_master();
  void watch_control();
  // Takes what the terminal has to show now, to the last byte written before this call.
  void drain_master();
  bool read_master();
  void read_control();
  void hear(const Report& report);
  void feed(std::string_view bytes);
  void see_prompt(Prompt prompt);
  void show(std::string_view text);
  void emit(std::string_view text);
  void release_held();
  void discipline(LineDiscipline wanted);
  void type_replies();
  [[nodiscard]] bool send(std::string_view message);
  [[nodiscard]] bool control_unread() const;

  asio::any_io_executor executor_;
  SlotRoom& room_;
  AsyncEvent changed_;  // anything below
  PromptFilter filter_;
  std::unique_ptr<asio::posix::stream_descriptor> master_;
  std::unique_ptr<asio::posix::stream_descriptor> control_;
  UniqueFd text_;
  Mode mode_ = Mode::entering;
  LineDiscipline line_;
  bool no_network_ = false;
  int last_status_ = 0;             // $? of the shell, as far as it was reported
  std::string entry_secret_;        // of the waiting line that was typed
  std::string heard_;               // a control line that is not complete yet
  std::optional<int> wait_status_;  // how the last shell ended

  // While a command runs.
  std::shared_ptr<Execution> running_;
  std::string run_secret_;
  std::optional<int> ended_;  // its status
  bool hint_ = false;         // a prompt's mark was seen: it may have been aborted
  bool asked_ = false;        // a waiting line was typed to find out
  std::string held_;          // what came after the mark

  // In key mode.
  unsigned prompts_due_ = 0;   // until all typed lines have been run
  bool prompt_seen_ = false;   // since the last keys
  bool partial_line_ = false;  // typed, but not entered
  std::uint64_t news_ = 0;     // pieces of output so far
};

}  // namespace berth::slotd

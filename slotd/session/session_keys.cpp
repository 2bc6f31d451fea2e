// SPDX-License-Identifier: Apache-2.0
// The shell at its own prompt: keys for it, waiting for it, and the way back to command mode.
#include <unistd.h>

#include <algorithm>
#include <boost/asio/as_tuple.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <cerrno>

#include "base/text.hpp"
#include "slotd/session/session_impl.hpp"

namespace berth::slotd {
namespace {

constexpr auto kPromptLimit = std::chrono::seconds(2);
constexpr auto kEntryLimit = std::chrono::seconds(5);
// A program may have eaten lines that were meant for the shell: quiet for so long at a prompt means idle.
constexpr auto kQuiet = std::chrono::milliseconds(50);
// The slot may have given its prompt another text, without our mark: a longer quiet has to do.
constexpr auto kQuietWithoutMark = std::chrono::milliseconds(500);
constexpr auto kMostQuiet = std::chrono::seconds(10);
constexpr std::string_view kInterruptKey = "\x03";

bool is_line_end(char c) {
  return c == '\r' || c == '\n';
}

}  // namespace

void Session::Impl::resize(TerminalSize size) {
  const auto wanted = clamped(size);
  if (wanted == size_) return;
  size_ = wanted;
  if (!shell_) return;
  set_terminal_size(master_->native_handle(), size_);
  if (listener_) listener_->terminal_resized(size_);
}

asio::awaitable<void> Session::Impl::show_prompt(Deadline deadline) {
  const auto self = shared_from_this();
  if (!shell_) co_return;
  if (mode_ == Mode::commands) {
    drain_master();
    discipline({true, true});
    mode_ = Mode::keys;
    prompts_due_ = 1;
    prompt_seen_ = false;
    partial_line_ = false;
    (void)send(prompt_message(filter_));
    const auto limit = deadline.earlier(Deadline(now() + kPromptLimit));
    while (shell_ && prompts_due_ > 0 && !limit.expired(now())) co_await changed_.wait(limit);
  }
  drain_master();
}

asio::awaitable<Expected<void>> Session::Impl::write(std::string bytes, Deadline deadline) {
  const auto self = shared_from_this();
  co_await show_prompt(deadline);
  if (!bytes.empty()) {
    prompts_due_ += static_cast<unsigned>(std::count_if(bytes.begin(), bytes.end(), is_line_end));
    prompt_seen_ = false;
    partial_line_ = !is_line_end(bytes.back());
  }
  std::size_t sent = 0;
  while (shell_ && sent < bytes.size() && !deadline.expired(now())) {
    const auto count = ::write(master_->native_handle(), bytes.data() + sent, bytes.size() - sent);
    if (count > 0) sent += static_cast<std::size_t>(count);
    if (count >= 0 || errno == EINTR) continue;
    if (errno != EAGAIN) co_return fail_errno("writing to the terminal", errno);
    master_->async_wait(asio::posix::stream_descriptor::wait_write,
                        [self](const boost::system::error_code&) { self->changed_.notify_all(); });
    co_await changed_.wait(deadline);
  }
  if (!shell_) co_return fail("gone", "the session's shell has ended");
  if (sent < bytes.size()) co_return fail("timeout", "nothing in the terminal reads the keys");
  co_return Expected<void>{};
}

asio::awaitable<bool> Session::Impl::wait_for_prompt(Deadline deadline, std::shared_ptr<Execution> execution) {
  const auto self = shared_from_this();
  const auto waker = std::make_shared<Waker>(changed_);
  if (execution) execution->add_listener(waker);
  Duration patience = kQuietWithoutMark;
  while (shell_ && !deadline.expired(now()) && !(execution && execution->cancel_requested)) {
    if (mode_ == Mode::commands || (prompt_seen_ && prompts_due_ == 0)) co_return true;
    const auto before = news_;
    const Deadline quiet(now() + (prompt_seen_ && patience == kQuietWithoutMark ? Duration(kQuiet) : patience));
    co_await changed_.wait(deadline.earlier(quiet));
    if (!shell_ || before != news_ || !quiet.expired(now())) continue;
    if (leader_in_foreground(master_->native_handle())) {
      prompts_due_ = 0;
      prompt_seen_ = true;
    }
    // Something else is in the foreground: looked at again, less and less often.
    patience = std::min<Duration>(2 * patience, kMostQuiet);
  }
  co_return false;
}

asio::awaitable<bool> Session::Impl::leave_keys(Deadline deadline, std::shared_ptr<Execution> execution) {
  if (prompts_due_ > 0) {
    const bool idle = co_await wait_for_prompt(deadline, execution);
    if (!idle) co_return false;
  }
  if (partial_line_) {
    // A line that was begun and never entered is given up.
    auto written = co_await write(std::string(kInterruptKey), deadline);
    if (!written) co_return false;
    prompts_due_ = 1;
    const bool idle = co_await wait_for_prompt(deadline.earlier(Deadline(now() + kPromptLimit)), execution);
    if (!idle) co_return false;
  }
  drain_master();
  type_waiting_line(false);
  const auto limit = deadline.earlier(Deadline(now() + kEntryLimit));
  const bool entered = co_await await_report(limit);
  if (entered || !shell_) co_return entered;
  drop_unread_keys(master_->native_handle());
  entry_secret_.clear();
  mode_ = Mode::keys;
  discipline({true, true});
  co_return false;
}

void Session::Impl::type_waiting_line(bool first) {
  entry_secret_ = random_hex(kSecretBytes);
  asked_ = true;
  mode_ = Mode::entering;
  discipline({false, line_.crlf_out});
  drop_unread_keys(master_->native_handle());
  const auto line = waiting_line(entry_secret_, first);
  (void)::write(master_->native_handle(), line.data(), line.size());
}

asio::awaitable<bool> Session::Impl::await_report(Deadline deadline) {
  while (shell_ && !entry_secret_.empty() && !deadline.expired(now())) co_await changed_.wait(deadline);
  co_return shell_&& entry_secret_.empty();
}

}  // namespace berth::slotd

// SPDX-License-Identifier: Apache-2.0
// What comes from the terminal and from the control socket, and where it goes.
#include <linux/sockios.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <utility>

#include "slotd/session/session_impl.hpp"

namespace berth::slotd {
namespace {

constexpr std::size_t kScreenPiece = std::size_t{16} << 10;
// A flood gives way to other slots after so many pieces; what is taken at a command's end is bounded by the kernel's
// own buffers, unless something keeps writing.
constexpr int kScreenPieces = 16;
constexpr int kPiecesAtEnd = 256;
constexpr std::size_t kLongestReport = 128;
constexpr std::size_t kMostHeld = std::size_t{8} << 10;

std::array<char, kScreenPiece>& screen_buffer() {
  static std::array<char, kScreenPiece> buffer;  // one thread, copied out at once
  return buffer;
}

}  // namespace

void Session::Impl::watch_master() {
  master_->async_wait(asio::posix::stream_descriptor::wait_read,
                      [self = shared_from_this(), watched = master_.get()](const boost::system::error_code& error) {
                        if (error || self->master_.get() != watched) return;
                        bool open = true;
                        for (int i = 0; i < kScreenPieces && open; ++i) open = self->read_master();
                        // Without a reader of its other end the terminal stays "readable" with an error: the exit of
                        // the shell is told by the keeper, so nothing is lost by not looking again.
                        if (open || errno == EAGAIN) self->watch_master();
                        if (self->running_) self->running_->notify();
                      });
}

bool Session::Impl::read_master() {
  auto& buffer = screen_buffer();
  const auto count = ::read(master_->native_handle(), buffer.data(), buffer.size());
  if (count < 0 && errno == EINTR) return true;
  if (count <= 0) return false;
  feed({buffer.data(), static_cast<std::size_t>(count)});
  return true;
}

void Session::Impl::drain_master() {
  if (!master_) return;
  for (int i = 0; i < kPiecesAtEnd && read_master(); ++i) {
  }
}

void Session::Impl::watch_control() {
  control_->async_wait(asio::posix::stream_descriptor::wait_read,
                       [self = shared_from_this(), watched = control_.get()](const boost::system::error_code& error) {
                         if (error || self->control_.get() != watched) return;
                         self->read_control();
                       });
}

void Session::Impl::read_control() {
  std::array<char, 512> bytes{};
  const auto count = ::recv(control_->native_handle(), bytes.data(), bytes.size(), MSG_DONTWAIT);
  if (count == 0 || (count < 0 && errno != EAGAIN && errno != EINTR)) return;  // nobody holds the other end any more
  heard_.append(bytes.data(), count > 0 ? static_cast<std::size_t>(count) : 0);
  for (auto end = heard_.find('\n'); end != std::string::npos; end = heard_.find('\n')) {
    const auto report = parse_report(std::string_view(heard_).substr(0, end));
    heard_.erase(0, end + 1);
    if (report) hear(*report);
  }
  if (heard_.size() > kLongestReport) heard_.clear();
  watch_control();
}

// Only the two secrets that are due count; anything else was written by somebody who has no say.
void Session::Impl::hear(const Report& report) {
  const bool ends_command = !run_secret_.empty() && report.secret == run_secret_;
  const bool entered = !entry_secret_.empty() && report.secret == entry_secret_;
  if (!ends_command && !entered) return;
  drain_master();
  last_status_ = report.status;
  if (running_) {
    ended_ = report.status;
    // A waiting shell proves that the mark was a prompt; a command that ends by itself, that it was its own output.
    if (ends_command) release_held();
    if (ends_command && asked_) drop_unread_keys(master_->native_handle());
    held_.clear();
    (void)filter_.flush();
    run_secret_.clear();
  }
  entry_secret_.clear();
  mode_ = Mode::commands;
  if (!line_.echo) discipline({true, line_.crlf_out});
  changed_.notify_all();
}

void Session::Impl::feed(std::string_view bytes) {
  ++news_;
  if (mode_ == Mode::entering && !running_) return;
  for (const auto& piece : filter_.take(bytes)) {
    show(piece.text);
    if (piece.prompt) see_prompt(*piece.prompt);
  }
  type_replies();
  changed_.notify_all();
}

void Session::Impl::see_prompt(Prompt prompt) {
  if (running_) {
    if (hint_ || prompt == Prompt::continuation) return show(filter_.mark(prompt));
    hint_ = true;
    held_ = filter_.mark(prompt);
    return;
  }
  // A signal can end the waiting of an idle shell: it is at its prompt then.
  if (mode_ == Mode::commands) discipline({true, true});
  mode_ = Mode::keys;
  prompt_seen_ = true;
  partial_line_ = prompt == Prompt::continuation;
  prompts_due_ = prompts_due_ > 0 && prompt == Prompt::command ? prompts_due_ - 1 : 0;
}

void Session::Impl::show(std::string_view text) {
  if (text.empty()) return;
  if (!running_ || !hint_) return emit(text);
  held_ += text;
  if (held_.size() > kMostHeld) release_held();
}

void Session::Impl::emit(std::string_view text) {
  if (running_) running_->stdout_ring.append(text);
  if (!listener_) return;
  line_.crlf_out ? listener_->terminal_output(text) : listener_->terminal_output(with_carriage_returns(text));
}

void Session::Impl::release_held() {
  hint_ = false;
  emit(std::exchange(held_, {}));
  emit(filter_.flush());
}

void Session::Impl::discipline(LineDiscipline wanted) {
  line_ = wanted;
  if (master_) set_line_discipline(master_->native_handle(), wanted);
}

// What a terminal answers is typed for it, but never into a command that is to see no keys.
void Session::Impl::type_replies() {
  if (!listener_) return;
  const auto replies = listener_->take_replies();
  if (replies.empty() || mode_ != Mode::keys) return;
  (void)::write(master_->native_handle(), replies.data(), replies.size());
}

bool Session::Impl::send(std::string_view message) {
  return control_ && ::send(control_->native_handle(), message.data(), message.size(), MSG_DONTWAIT | MSG_NOSIGNAL) ==
                         static_cast<ssize_t>(message.size());
}

bool Session::Impl::control_unread() const {
  int bytes = 0;
  return control_ && ::ioctl(control_->native_handle(), SIOCOUTQ, &bytes) == 0 && bytes != 0;
}

}  // namespace berth::slotd

// SPDX-License-Identifier: Apache-2.0
#include "slotd/session/session.hpp"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <cerrno>

#include "base/log.hpp"
#include "base/text.hpp"
#include "slotd/session/session_impl.hpp"

namespace berth::slotd {
namespace {

constexpr auto kStartLimit = std::chrono::seconds(10);
constexpr auto kSessionKillLimit = std::chrono::seconds(5);

struct Sockets {
  UniqueFd near;
  UniqueFd far;
};

Expected<Sockets> make_control() {
  int ends[2];
  if (::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) != 0) return fail_errno("session's socket", errno);
  return Sockets{UniqueFd(ends[0]), UniqueFd(ends[1])};
}

// The shell and what it starts can read the text of commands, but not write it through what they are given.
Expected<UniqueFd> reopen_for_reading(const UniqueFd& fd) {
  UniqueFd reader(::open(("/proc/self/fd/" + std::to_string(fd.get())).c_str(), O_RDONLY | O_CLOEXEC));
  if (!reader) return fail_errno("session's text", errno);
  return reader;
}

Error start_error(const isolation::StartFailed& failed) {
  if (failed.step == "exec" && failed.error_number == ENOENT) return {"no_shell", "no shell in image", {}};
  return errno_error("starting the session's shell: " + failed.step, failed.error_number);
}

}  // namespace

asio::awaitable<Expected<bool>> Session::Impl::ensure(SessionWish wish, Deadline deadline) {
  const auto self = shared_from_this();
  if (shell_ && wish.no_network != no_network_) co_await stop();
  if (shell_) {
    if (wish.size) resize(*wish.size);
    co_return false;
  }
  auto started = co_await start(wish, deadline.earlier(Deadline(now() + kStartLimit)));
  if (!started) co_return tl::unexpected<Error>(started.error());
  co_return true;
}

asio::awaitable<Expected<void>> Session::Impl::start(const SessionWish& wish, Deadline deadline) {
  if (auto launched = launch(wish); !launched) {
    let_go();
    co_return launched;
  }
  const auto shell = shell_;
  const auto entered = co_await await_report(deadline);
  if (entered) co_return Expected<void>{};
  if (shell->start_failed) co_return tl::unexpected<Error>(start_error(*shell->start_failed));
  const bool late = shell_ == shell;
  co_await stop();
  if (late) co_return fail("timeout", "the shell did not come up in time");
  co_return fail("isolation", "the shell ended while it started");
}

Expected<void> Session::Impl::launch(const SessionWish& wish) {
  if (!room_.usable()) return fail("isolation", "the slot's room is gone", "reset the slot");
  if (wish.size) size_ = clamped(*wish.size);
  auto pty = open_pty(room_.room(), size_);
  if (!pty) return tl::unexpected<Error>(pty.error());
  auto control = make_control();
  if (!control) return tl::unexpected<Error>(control.error());
  text_ = UniqueFd(::memfd_create("command", MFD_CLOEXEC));
  if (!text_) return fail_errno("session's text", errno);
  auto reader = reopen_for_reading(text_);
  if (!reader) return tl::unexpected<Error>(reader.error());
  filter_ = PromptFilter(random_hex(kSecretBytes));
  if (auto written = write_all(text_.get(), setup_text(filter_)); !written) return written;
  isolation::Command command;
  command.argv = shell_argv();
  command.env = wish.env;
  command.tty = true;
  command.no_network = wish.no_network;
  auto shell = room_.start(command, {std::move(pty->slave), std::move(control->far), std::move(*reader)});
  if (!shell) return tl::unexpected<Error>(shell.error());
  shell_ = std::move(*shell);
  master_ = std::make_unique<asio::posix::stream_descriptor>(executor_, pty->master.release());
  control_ = std::make_unique<asio::posix::stream_descriptor>(executor_, control->near.release());
  no_network_ = wish.no_network;
  wait_status_.reset();
  prompts_due_ = 0;
  last_status_ = 0;
  ++generation_;
  type_waiting_line(true);
  watch_master();
  watch_control();
  if (listener_) listener_->terminal_started(size_);
  asio::co_spawn(executor_, watch_shell(shell_), asio::detached);
  return {};
}

asio::awaitable<void> Session::Impl::watch_shell(std::shared_ptr<RunningCommand> shell) {
  const auto self = shared_from_this();
  while (!shell->over()) co_await shell->changed.wait();
  if (shell_ != shell) co_return;
  drain_master();
  if (running_) release_held();
  if (shell->exited) wait_status_ = shell->exited->wait_status;
  co_await end_rest(shell);
  if (shell_ == shell) let_go();
}

// A session's jobs end with its shell.
asio::awaitable<void> Session::Impl::end_rest(std::shared_ptr<RunningCommand> shell) {
  if (shell->room_gone || !shell->exited || !shell->exited->others_alive) co_return;
  if (!room_.usable() || !room_.room().kill_all(shell->id)) co_return;
  const Deadline deadline(now() + kSessionKillLimit);
  while (!shell->killed && !shell->room_gone && !deadline.expired(now())) co_await shell->changed.wait(deadline);
  if (!shell->killed && !shell->room_gone) room_.condemn();
}

void Session::Impl::let_go() {
  const bool lived = shell_ != nullptr;
  shell_.reset();
  master_.reset();
  control_.reset();
  text_.reset();
  heard_.clear();
  entry_secret_.clear();
  if (lived && listener_) listener_->terminal_ended();
  changed_.notify_all();
}

asio::awaitable<void> Session::Impl::stop() {
  const auto self = shared_from_this();
  const auto shell = shell_;
  if (!shell) co_return;
  if (!shell->over() && room_.usable()) (void)room_.room().kill_all(shell->id);
  const Deadline deadline(now() + kSessionKillLimit);
  while (shell_ == shell && !deadline.expired(now())) co_await changed_.wait(deadline);
  if (shell_ != shell) co_return;
  log(LogLevel::error, "a session could not be ended; its slot is given up", {});
  room_.condemn();
  let_go();
}

Session::Session(const asio::any_io_executor& executor, SlotRoom& room)
    : impl_(std::make_shared<Impl>(executor, room)) {}
Session::~Session() {
  impl_->listener_.reset();
  impl_->let_go();
}

bool Session::live() const {
  return impl_->shell_ != nullptr;
}
TerminalSize Session::size() const {
  return impl_->size_;
}
std::uint64_t Session::generation() const {
  return impl_->generation_;
}
asio::awaitable<Expected<bool>> Session::ensure(SessionWish wish, Deadline deadline) {
  return impl_->ensure(std::move(wish), deadline);
}
asio::awaitable<SessionOutcome> Session::run(SessionCommand command, Deadline deadline,
                                             std::shared_ptr<Execution> execution) {
  return impl_->run(std::move(command), deadline, std::move(execution));
}
asio::awaitable<Expected<void>> Session::write(std::string bytes, Deadline deadline) {
  return impl_->write(std::move(bytes), deadline);
}
asio::awaitable<bool> Session::wait_for_prompt(Deadline deadline, std::shared_ptr<Execution> execution) {
  return impl_->wait_for_prompt(deadline, std::move(execution));
}
asio::awaitable<void> Session::show_prompt(Deadline deadline) {
  return impl_->show_prompt(deadline);
}
void Session::resize(TerminalSize size) {
  impl_->resize(size);
}
asio::awaitable<void> Session::stop() {
  return impl_->stop();
}
void Session::set_listener(std::unique_ptr<TerminalListener> listener) {
  impl_->listener_ = std::move(listener);
}
TerminalListener* Session::listener() const {
  return impl_->listener_.get();
}

}  // namespace berth::slotd

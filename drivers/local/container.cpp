// SPDX-License-Identifier: Apache-2.0
#include "drivers/local/container.hpp"

#include <fcntl.h>
#include <signal.h>
#include <sys/stat.h>
#include <system_error>
#include <unistd.h>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/posix/stream_descriptor.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <cerrno>
#include <filesystem>

#include "base/http/await.hpp"
#include "base/text.hpp"
#include "drivers/ready_line.hpp"
#include "drivers/remove.hpp"

namespace berth::drivers {
namespace {

namespace asio = boost::asio;
using http::kAwait;
constexpr int kReadyFd = 3;
constexpr int kLifelineFd = 4;
constexpr std::size_t kLogTail = 2000;
constexpr std::chrono::milliseconds kReapPace{100};

Expected<void> make_directory(const std::string& path) {
  if (::mkdir(path.c_str(), 0700) == 0 || errno == EEXIST) return {};
  return fail_errno("creating " + path, errno);
}

}  // namespace

LocalContainer::LocalContainer(asio::io_context& context, const LocalOptions& options, ContainerSpec spec, Heard heard)
    : context_(context),
      options_(options),
      spec_(std::move(spec)),
      paths_(container_paths(options_.state_dir, spec_.id)),
      heard_(std::move(heard)),
      kill_timer_(context),
      hurry_timer_(context) {
  facts_.id = spec_.id;
  facts_.slots = spec_.slots;
}

asio::awaitable<void> LocalContainer::run() {
  const auto self = shared_from_this();
  auto ready = launch();
  // No co_await inside ?: anywhere: g++ 12 destroys the operands twice.
  Expected<void> started;
  if (ready) {
    started = co_await become_ready(std::move(*ready));
  } else {
    started = tl::unexpected(ready.error());
  }
  if (started && !stopping_) publish(ContainerState::running);
  if (!started) kill();
  const std::string end = co_await wait_for_end();
  if (!started) facts_.error = started.error();
  if (started && !stopping_)
    facts_.error =
        Error{"container_ended", "berth-slotd of " + spec_.id + " ended by itself: " + end + last_log_lines(), {}};
  if (stopping_) facts_.error.reset();
  clean_up();
  publish(ContainerState::gone);
}

Expected<void> LocalContainer::make_directories() const {
  for (const std::string& path : {containers_path(options_.state_dir), paths_.root, paths_.data()})
    if (auto made = make_directory(path); !made) return made;
  // sockaddr_un holds 107 bytes; slotd's own message would not say what to do.
  if (paths_.socket().size() > 107)
    return fail("path_too_long", "the socket path " + paths_.socket() + " is longer than 107 bytes",
                "set XDG_RUNTIME_DIR to a shorter directory");
  return write_file_atomically(paths_.config(), container_spec_to_json(spec_));
}

// Starts the process; gives the end of the pipe on which its ready line comes.
Expected<UniqueFd> LocalContainer::launch() {
  if (stopping_) return fail("stopped", spec_.id + " was stopped before it started");
  if (auto made = make_directories(); !made) return tl::unexpected(made.error());
  UniqueFd log(::open(paths_.log().c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC | O_NOFOLLOW, 0600));
  if (!log) return fail_errno("opening " + paths_.log(), errno);
  auto ready = make_pipe();
  if (!ready) return tl::unexpected(ready.error());
  auto lifeline = make_pipe();
  if (!lifeline) return tl::unexpected(lifeline.error());
  SpawnRequest request;
  request.argv = {options_.slotd,
                  "--listen",
                  "unix:" + paths_.socket(),
                  "--config",
                  paths_.config(),
                  "--data-dir",
                  paths_.data(),
                  "--ready-fd",
                  std::to_string(kReadyFd),
                  "--lifeline-fd",
                  std::to_string(kLifelineFd)};
  request.environment = {"PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "LANG=C.UTF-8"};
  request.descriptors = {
      {log.get(), 1}, {log.get(), 2}, {ready->write.get(), kReadyFd}, {lifeline->read.get(), kLifelineFd}};
  auto process = ChildProcess::spawn(request);
  if (!process) return tl::unexpected(process.error());
  process_.emplace(std::move(*process));
  lifeline_ = std::move(lifeline->write);
  return std::move(ready->read);
}

asio::awaitable<Expected<void>> LocalContainer::become_ready(UniqueFd ready) {
  auto line = co_await read_ready_line(std::move(ready));
  if (!line) co_return tl::unexpected(line.error());
  co_return accept_ready_line(*line);
}

asio::awaitable<Expected<std::string>> LocalContainer::read_ready_line(UniqueFd ready) {
  asio::posix::stream_descriptor stream(context_, ready.release());
  const auto limit = options_.start_limit + (spec_.setup.empty() ? std::chrono::milliseconds(0) : options_.setup_limit);
  asio::steady_timer timer(context_, limit);
  bool late = false;
  timer.async_wait([&stream, &late](boost::system::error_code error) {
    if (error) return;
    late = true;
    stream.close(error);
  });
  std::string line;
  std::string buffer(4096, '\0');
  while (line.find('\n') == std::string::npos && line.size() < kMostReadyLine) {
    const auto [error, count] = co_await stream.async_read_some(asio::buffer(buffer), kAwait);
    if (error) break;
    line.append(buffer.data(), count);
  }
  // A handler that already waits in the queue must not run after this frame is gone.
  const bool cancelled = timer.cancel() > 0;
  if (!cancelled && !late) co_await asio::post(context_, asio::use_awaitable);
  if (late)
    co_return fail("start_timeout", "berth-slotd of " + spec_.id + " was not ready within " +
                                        std::to_string(limit.count() / 1000) + " s" + last_log_lines());
  co_return line.substr(0, line.find('\n'));
}

Expected<void> LocalContainer::accept_ready_line(const std::string& line) {
  const std::string who = "berth-slotd of " + spec_.id;
  if (line.empty()) return fail("start_failed", who + " ended before it was ready" + last_log_lines());
  auto boot = boot_of_ready_line(line, who);
  if (!boot) return tl::unexpected(boot.error());
  facts_.boot_id = std::move(*boot);
  facts_.address = "unix:" + paths_.socket();
  return {};
}

asio::awaitable<std::string> LocalContainer::wait_for_end() {
  if (!process_) co_return "not started";
  asio::posix::stream_descriptor watch(context_);
  UniqueFd copy(::fcntl(process_->pidfd(), F_DUPFD_CLOEXEC, 0));
  boost::system::error_code unwatched = asio::error::no_descriptors;
  if (copy) watch.assign(copy.get(), unwatched);
  if (!unwatched) static_cast<void>(copy.release());
  asio::steady_timer pause(context_);
  std::string end = process_->reap();
  while (end.empty()) {
    // Without a descriptor to watch it by, it is looked at from time to time.
    if (unwatched) {
      pause.expires_after(kReapPace);
      co_await pause.async_wait(kAwait);
    } else {
      const auto [error] = co_await watch.async_wait(asio::posix::stream_descriptor::wait_read, kAwait);
      unwatched = error;
    }
    end = process_->reap();
  }
  kill_timer_.cancel();
  hurry_timer_.cancel();
  co_return end;
}

void LocalContainer::stop(Deadline kill_at) {
  if (facts_.state == ContainerState::gone) return;
  if (!stopping_) terminate();
  stopping_ = true;
  facts_.state = ContainerState::stopping;
  if (kill_at.is_never()) return;
  // The first SIGTERM lets calls in flight end, the second does not; both leave nothing behind, SIGKILL may.
  hurry_timer_.expires_after(kill_at.remaining(now()) / 4);
  hurry_timer_.async_wait([weak = weak_from_this()](boost::system::error_code error) {
    const auto self = weak.lock();
    if (self && !error) self->terminate();
  });
  kill_timer_.expires_at(kill_at.at());
  kill_timer_.async_wait([weak = weak_from_this()](boost::system::error_code error) {
    const auto self = weak.lock();
    if (self && !error) self->kill();
  });
}

void LocalContainer::terminate() {
  if (process_) process_->signal(SIGTERM);
}

void LocalContainer::kill() {
  if (process_) process_->signal(SIGKILL);
}

void LocalContainer::abandon() {
  heard_ = nullptr;
  stopping_ = true;
  kill();
}

void LocalContainer::clean_up() {
  process_.reset();
  lifeline_.reset();
  const std::error_code error = remove_container_tree(paths_.root);
  if (error) leftover_ = Error{"leftover", "removing " + paths_.root + ": " + error.message(), "remove it by hand"};
}

void LocalContainer::publish(ContainerState state) {
  facts_.state = state;
  // Posted, so that no watcher runs inside a call of its own to the driver.
  asio::post(context_, [self = shared_from_this(), facts = facts_] {
    if (self->heard_) self->heard_(facts);
  });
}

std::string LocalContainer::last_log_lines() const {
  auto text = read_file(paths_.log());
  if (!text) return {};
  const std::string_view tail = trim(*text);
  if (tail.empty()) return {};
  return "; its last words: " + std::string(tail.substr(tail.size() > kLogTail ? tail.size() - kLogTail : 0));
}

}  // namespace berth::drivers

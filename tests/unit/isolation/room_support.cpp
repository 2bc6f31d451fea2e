// SPDX-License-Identifier: Apache-2.0
#include "room_support.hpp"

#include <fcntl.h>
#include <grp.h>
#include <poll.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdlib>

namespace berth::isolation::test {
namespace {

using Clock = std::chrono::steady_clock;

int left_until(Clock::time_point end) {
  const auto left = std::chrono::duration_cast<std::chrono::milliseconds>(end - Clock::now()).count();
  return left > 0 ? static_cast<int>(left) : 0;
}

void drain(UniqueFd& fd, std::string& into) {
  char buffer[65536];
  for (ssize_t got = 0; fd && (got = ::read(fd.get(), buffer, sizeof buffer)) >= 0;) {
    if (got == 0) return fd.reset();
    into.append(buffer, static_cast<std::size_t>(got));
  }
}

}  // namespace

int Outcome::exit_code() const {
  return !failed && WIFEXITED(wait_status) ? WEXITSTATUS(wait_status) : -1;
}
int Outcome::signal() const {
  return !failed && WIFSIGNALED(wait_status) ? WTERMSIG(wait_status) : 0;
}

std::optional<Event> Harness::wait_event(std::chrono::milliseconds limit) {
  const auto end = Clock::now() + limit;
  for (;;) {
    if (auto event = room_->next_event()) return event;
    pollfd source{room_->control_fd(), POLLIN, 0};
    if (const int left = left_until(end); left == 0 || ::poll(&source, 1, left) == 0) break;
  }
  ADD_FAILURE() << "no event before the deadline";
  return std::nullopt;
}

std::optional<Ready> Harness::wait_ready() {
  auto event = wait_event();
  if (!event) return std::nullopt;
  if (const auto* failed = std::get_if<BuildFailed>(&*event)) ADD_FAILURE() << failed->error.message;
  const auto* ready = std::get_if<Ready>(&*event);
  return ready != nullptr ? std::optional<Ready>(*ready) : std::nullopt;
}

Outcome Harness::run(Command command, const std::string& input) {
  Outcome outcome;
  auto in = make_pipe();
  auto out = make_pipe();
  auto err = make_pipe();
  if (!in || !out || !err) {
    ADD_FAILURE() << "no pipes";
    return outcome;
  }
  ::fcntl(out->read.get(), F_SETFL, O_NONBLOCK);
  ::fcntl(err->read.get(), F_SETFL, O_NONBLOCK);
  const auto id = next_++;
  const auto started = room_->start(id, command, {std::move(in->read), std::move(out->write), std::move(err->write)});
  EXPECT_TRUE(started) << (started ? "" : started.error().message);
  if (!started) return outcome;
  EXPECT_TRUE(write_all(in->write.get(), input));
  in->write.reset();
  const auto end = Clock::now() + kDeadline;
  while (Clock::now() < end) {
    pollfd sources[] = {{room_->control_fd(), POLLIN, 0}, {out->read.get(), POLLIN, 0}, {err->read.get(), POLLIN, 0}};
    ::poll(sources, 3, left_until(end));
    drain(out->read, outcome.out);
    drain(err->read, outcome.err);
    auto event = room_->next_event();
    if (!event) continue;
    drain(out->read, outcome.out);
    drain(err->read, outcome.err);
    if (auto* failed = std::get_if<StartFailed>(&*event)) {
      outcome.failed = *failed;
      return outcome;
    }
    if (const auto* exited = std::get_if<Exited>(&*event); exited != nullptr && exited->command == id) {
      outcome.wait_status = exited->wait_status;
      outcome.others_alive = exited->others_alive;
      outcome.usage = exited->usage;
      return outcome;
    }
    if (std::holds_alternative<KeeperGone>(*event)) break;
  }
  ADD_FAILURE() << "the command did not end: " << (command.argv.empty() ? "" : command.argv.back());
  return outcome;
}

Outcome Harness::sh(const std::string& script) {
  return run(shell(script));
}

std::uint64_t Harness::launch(const std::string& script) {
  const auto id = next_++;
  const auto started = room_->start(id, shell(script), {});
  EXPECT_TRUE(started) << (started ? "" : started.error().message);
  return id;
}

std::optional<Exited> Harness::wait_exit(std::uint64_t id) {
  while (auto event = wait_event()) {
    if (const auto* exited = std::get_if<Exited>(&*event); exited != nullptr && exited->command == id) return *exited;
  }
  return std::nullopt;
}

std::optional<Killed> Harness::kill(std::uint64_t id) {
  EXPECT_TRUE(room_->kill_all(id));
  while (auto event = wait_event()) {
    if (const auto* killed = std::get_if<Killed>(&*event); killed != nullptr && killed->command == id) return *killed;
  }
  return std::nullopt;
}

Expected<void> Harness::destroy() {
  room_->begin_destroy();
  pollfd death{room_->death_fd(), POLLIN, 0};
  if (::poll(&death, 1, static_cast<int>(std::chrono::milliseconds(kDeadline).count())) != 1) {
    ADD_FAILURE() << "the slot does not die";
  }
  return room_->finish_destroy();
}

Command shell(const std::string& script) {
  Command command;
  command.argv = {"/bin/sh", "-c", script};
  command.env = {"PATH=/usr/local/bin:/usr/bin:/bin"};
  return command;
}

ContainerSpec test_spec(const std::string& id) {
  ContainerSpec spec;
  spec.id = id + "-" + std::to_string(::getpid());
  spec.slots = 4;
  spec.slot.disk_bytes = std::uint64_t{32} << 20;
  spec.slot.memory_bytes = std::uint64_t{256} << 20;
  spec.slot.pids = 128;
  spec.isolation = IsolationLevel::best_effort;
  return spec;
}

void RoomTest::use(const ContainerSpec& spec) {
  factory_.reset();
  spec_ = spec;
  auto factory = RoomFactory::create(spec, directory_.path() + "/work");
  ASSERT_TRUE(factory) << factory.error().message;
  factory_ = std::move(*factory);
  if (spec.isolation != IsolationLevel::none && factory_->plan().rung == 3) {
    GTEST_SKIP() << "slots cannot be isolated here: " << factory_->abilities().why_no_user_namespaces;
  }
}

void RoomTest::SetUp() {
  use(spec_);
}

std::unique_ptr<Harness> RoomTest::make_room(unsigned index, bool is_setup, const std::string& workspace) {
  auto room = factory_->begin({"slot_" + std::to_string(index), index, workspace, is_setup});
  EXPECT_TRUE(room) << (room ? "" : room.error().message);
  if (!room) return nullptr;
  auto harness = std::make_unique<Harness>(std::move(*room));
  return harness->wait_ready() ? std::move(harness) : nullptr;
}

void as_ordinary_user(const std::string& directory, void (*body)(const std::string& directory)) {
  ASSERT_EQ(::chown(directory.c_str(), 65534, 65534), 0);
  const pid_t child = ::fork();
  ASSERT_GE(child, 0);
  if (child == 0) {
    if (::setgroups(0, nullptr) != 0 || ::setresgid(65534, 65534, 65534) != 0 ||
        ::setresuid(65534, 65534, 65534) != 0) {
      ::_exit(3);
    }
    ::prctl(PR_SET_DUMPABLE, 1);  // as after an exec; else /proc/self belongs to root
    body(directory);
    std::fflush(stdout);
    ::_exit(::testing::Test::HasFailure() ? 1 : (::testing::Test::IsSkipped() ? 2 : 0));
  }
  int status = 0;
  ASSERT_EQ(::waitpid(child, &status, 0), child);
  ASSERT_TRUE(WIFEXITED(status)) << "ended by signal " << WTERMSIG(status);
  if (WEXITSTATUS(status) == 2) GTEST_SKIP() << "not possible for an ordinary user here";
  EXPECT_EQ(WEXITSTATUS(status), 0) << "failed as an ordinary user; see above";
}

}  // namespace berth::isolation::test

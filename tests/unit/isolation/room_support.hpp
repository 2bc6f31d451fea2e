// SPDX-License-Identifier: Apache-2.0
// A room driven with poll(2), for tests: every wait has a deadline.
#pragma once

#include <chrono>
#include <gtest/gtest.h>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "isolation/room.hpp"
#include "tests/support/temp_dir.hpp"

namespace berth::isolation::test {

inline constexpr std::chrono::seconds kDeadline{20};

using TemporaryDirectory = berth::testing::TempDir;

// How a command ended, with its output (stdout and stderr are read to their end or until the command is reaped).
struct Outcome {
  std::optional<StartFailed> failed;
  int wait_status = 0;
  bool others_alive = false;
  rusage usage{};
  std::string out;
  std::string err;
  [[nodiscard]] int exit_code() const;  // -1 unless it exited
  [[nodiscard]] int signal() const;     // 0 unless a signal ended it
};

class Harness {
 public:
  explicit Harness(std::unique_ptr<Room> room) : room_(std::move(room)) {}

  [[nodiscard]] Room& room() { return *room_; }
  // Waits for the next event; a test failure and nothing when the deadline passes.
  [[nodiscard]] std::optional<Event> wait_event(std::chrono::milliseconds limit = kDeadline);
  [[nodiscard]] std::optional<Ready> wait_ready();
  // Runs to the end. Commands get PATH and nothing else unless `env` says so.
  Outcome run(Command command, const std::string& input = {});
  Outcome sh(const std::string& script);
  // Starts without waiting; its output goes nowhere.
  std::uint64_t launch(const std::string& script);
  std::optional<Exited> wait_exit(std::uint64_t id);
  std::optional<Killed> kill(std::uint64_t id);
  // begin_destroy .. finish_destroy
  Expected<void> destroy();

 private:
  std::unique_ptr<Room> room_;
  std::uint64_t next_ = 1;
};

[[nodiscard]] Command shell(const std::string& script);
// Without limits that this machine may not enforce; best effort, so that a test can drop a measure.
[[nodiscard]] ContainerSpec test_spec(const std::string& id);

// A factory and rooms that are ready, for most tests.
class RoomTest : public ::testing::Test {
 protected:
  void SetUp() override;
  // Asserts inside; null after a failure.
  std::unique_ptr<Harness> make_room(unsigned index = 0, bool is_setup = false, const std::string& workspace = {});
  void use(const ContainerSpec& spec);

  TemporaryDirectory directory_;
  ContainerSpec spec_ = test_spec("room-test");
  std::unique_ptr<RoomFactory> factory_;
};

// Runs `body` in a forked child as uid and gid 65534 without capabilities; its gtest failures fail the caller.
void as_ordinary_user(const std::string& directory, void (*body)(const std::string& directory));

}  // namespace berth::isolation::test

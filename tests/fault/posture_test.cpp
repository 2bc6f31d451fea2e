// SPDX-License-Identifier: Apache-2.0
// What a command is and has, compared as a whole with a committed file: row 21 of the threat table. Any difference is
// red.
#include <unistd.h>

#include <gtest/gtest.h>

#include "fault_support.hpp"

namespace berth::isolation::test {
namespace {

class Posture : public FaultTest {};

// Read while this process may: an ordinary user need not be able to enter the checkout.
std::string report;
std::string expectation;

void load(const std::string& name, std::string& into) {
  const auto text = read_file(std::string(BERTH_FAULT_DIR) + "/" + name);
  ASSERT_TRUE(text) << text.error().message;
  into = *text;
}

void load_expectation(const std::string& name) {
  load("posture.py", report);
  load(name, expectation);
}

void compare(Harness& room) { EXPECT_EQ(python(room, report).out, expectation); }

TEST_F(Posture, OfASlotMadeByRoot) {
  if (!has(factory_->plan().in_force, Measure::shifted_ids))
    GTEST_SKIP() << "this machine gives slots no ids of their own";
  auto room = make_room();
  ASSERT_TRUE(room);
  load_expectation("posture-root.txt");
  compare(*room);
}

TEST_F(Posture, OfASlotMadeByAnOrdinaryUser) {
  const TemporaryDirectory directory;
  load_expectation("posture-user.txt");
  if (::geteuid() != 0) return attack_as_this_user(directory.path(), compare);
  as_ordinary_user(directory.path(), [](const std::string& path) { attack_as_this_user(path, compare); });
}

}  // namespace
}  // namespace berth::isolation::test

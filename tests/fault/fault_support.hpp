// SPDX-License-Identifier: Apache-2.0
// Attacks are Python scripts that a slot runs; what they print is what they achieved.
#pragma once

#include <unistd.h>

#include <string>

#include "tests/unit/isolation/room_support.hpp"

namespace berth::isolation::test {

// Runs `script` with /usr/bin/python3 after a prelude that knows:
//   attempt(f, *args)     "ok" or the name of the error, e.g. "EPERM"
//   call(number, *args)   a raw system call: "ok" or the name of the error; wrong pointers are fine
//   read(path), write(path, text), write_much(MiB) into the workspace, others() (pids in /proc but this one and the
//   keeper)
// Fails the test when Python itself fails.
Outcome python(Harness& room, const std::string& script);
// The same, trimmed to what it printed.
std::string printed(Harness& room, const std::string& script);

using Attack = void (*)(Harness& room);

// Makes a strict factory and a room below `directory` and attacks it.
void attack_as_this_user(const std::string& directory, Attack attack);

// Rooms for the rows of the threat table; strict unless a test says otherwise.
class FaultTest : public RoomTest {
 protected:
  void SetUp() override;

  // In a slot made by this user, and where that is root in one made by an ordinary user too.
  template <typename F>  // a lambda without captures
  void as_both(F attack) {
    {
      SCOPED_TRACE("slot made by this user");
      auto room = make_room();
      ASSERT_TRUE(room);
      attack(*room);
    }
    if (::geteuid() != 0) return;
    SCOPED_TRACE("slot made by an ordinary user");
    const TemporaryDirectory directory;
    as_ordinary_user(directory.path(), [](const std::string& path) { attack_as_this_user(path, F{}); });
  }
};

// Processes of the slot other than the keeper and the one that counts.
unsigned count_processes(Harness& room);

}  // namespace berth::isolation::test

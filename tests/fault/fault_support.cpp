// SPDX-License-Identifier: Apache-2.0
#include "fault_support.hpp"

#include <sys/prctl.h>

#include "base/text.hpp"

namespace berth::isolation::test {
namespace {

constexpr std::string_view kPrelude = R"py(
import ctypes, errno, os, sys
libc = ctypes.CDLL(None, use_errno=True)
def name(number): return errno.errorcode.get(number, str(number))
def attempt(f, *args):
    try: f(*args)
    except OSError as e: return name(e.errno)
    return 'ok'
def call(number, *args):
    ctypes.set_errno(0)
    result = libc.syscall(ctypes.c_long(number), *[ctypes.c_long(a) for a in args])
    return name(ctypes.get_errno()) if result < 0 else 'ok'
def read(path):
    with open(path) as f: return f.read()
def write(path, text):
    fd = os.open(path, os.O_WRONLY)
    try: os.write(fd, text.encode())
    finally: os.close(fd)
def write_much(mebibytes):
    with open('/workspace/much', 'wb', buffering=0) as f:
        for _ in range(mebibytes): f.write(bytes(1 << 20))
def others():
    return sorted(int(n) for n in os.listdir('/proc') if n.isdigit() and int(n) not in (1, os.getpid()))
)py";

}  // namespace

Outcome python(Harness& room, const std::string& script) {
  Command command;
  command.argv = {"/usr/bin/python3", "-I", "-c", std::string(kPrelude) + script};
  command.env = {"PATH=/usr/bin:/bin"};
  auto outcome = room.run(command);
  EXPECT_EQ(outcome.err, "") << script;
  return outcome;
}

std::string printed(Harness& room, const std::string& script) {
  const auto outcome = python(room, script);
  EXPECT_EQ(outcome.exit_code(), 0) << script;
  return std::string(trim(outcome.out));
}

void attack_as_this_user(const std::string& directory, Attack attack) {
  // Changing users hid this process's /proc files from itself, and id maps are written through them.
  ASSERT_EQ(::prctl(PR_SET_DUMPABLE, 1, 0, 0, 0), 0);
  auto spec = test_spec("fault-user");
  spec.isolation = IsolationLevel::strict;
  auto factory = RoomFactory::create(spec, directory + "/work");
  ASSERT_TRUE(factory) << factory.error().message;
  auto room = (*factory)->begin({"slot_0", 0, {}, false});
  ASSERT_TRUE(room) << room.error().message;
  Harness harness(std::move(*room));
  ASSERT_TRUE(harness.wait_ready());
  attack(harness);
}

void FaultTest::SetUp() {
  spec_.isolation = IsolationLevel::strict;
  RoomTest::SetUp();
}

unsigned count_processes(Harness& room) {
  const auto text = printed(room, "print(len(others()))");
  return text.empty() ? ~0U : static_cast<unsigned>(std::stoul(text));
}

}  // namespace berth::isolation::test

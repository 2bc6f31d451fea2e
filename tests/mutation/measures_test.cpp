// SPDX-License-Identifier: Apache-2.0
// One row a measure: a probe that says "protected" in a slot with all measures and "breached" in one without this one.
// So every protection has been seen red, each time the tests run. docs/protections.md lists the same measures.
#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/ipc.h>
#include <sys/shm.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <gmock/gmock.h>
#include <map>
#include <optional>
#include <set>
#include <sstream>

#include "base/fd.hpp"
#include "isolation/keeper/capabilities.hpp"
#include "tests/fault/fault_support.hpp"

namespace berth::isolation::test {
namespace {

using ::testing::HasSubstr;

// What the machine holds for slots to find.
struct Bait {
  int listener_port = 0;
  int shm_key = 0;
  std::string file_in_tmp;
  std::string file_of_machine;
};

struct Row {
  Measure measure;
  bool (*is_protected)(Harness& room, const Bait& bait);
};

bool says(Harness& room, const std::string& script, const std::string& expected) {
  return printed(room, script) == expected;
}

std::string number(std::uint64_t value) {
  return std::to_string(value);
}

// The directory of the keeper's group that holds its cpu limit, in version 1 or 2.
std::string cpu_statistics(int keeper) {
  std::ifstream groups("/proc/" + number(static_cast<unsigned>(keeper)) + "/cgroup");
  for (std::string line; std::getline(groups, line);) {
    const auto first = line.find(':'), second = line.find(':', first + 1);
    const auto controllers = "," + line.substr(first + 1, second - first - 1) + ",";
    const auto path = line.substr(second + 1);
    for (const std::string mount : {"/sys/fs/cgroup/cpu", "/sys/fs/cgroup/cpu,cpuacct"}) {
      if (controllers.find(",cpu,") == std::string::npos || path == "/") continue;
      if (auto text = read_file(mount + path + "/cpu.stat")) return *text;
    }
    if (controllers == ",,") {
      const auto slot = std::filesystem::path("/sys/fs/cgroup" + path).parent_path();
      if (auto text = read_file(slot.string() + "/cpu.stat")) return *text;
    }
  }
  return {};
}

bool was_throttled(Harness& room) {
  (void)python(room, "import time\nwhile time.process_time() < 0.4: pass");
  std::istringstream statistics(cpu_statistics(room.room().keeper_pid()));
  for (std::string key, value; statistics >> key >> value;) {
    if (key == "nr_throttled") return value != "0";
  }
  return false;
}

const std::vector<Row>& rows() {
  static const std::vector<Row> table = {
      {Measure::user_namespace,
       [](Harness& room, const Bait&) {
         return says(room, "print(read('/proc/self/uid_map').split()[2] != '4294967295')", "True");
       }},
      {Measure::pid_namespace,
       [](Harness& room, const Bait&) {
         return says(room, "print(attempt(os.kill, " + number(static_cast<unsigned>(::getpid())) + ", 0))", "ESRCH");
       }},
      {Measure::ipc_namespace,
       [](Harness& room, const Bait& bait) {
         return says(room, "print(call(29, " + std::to_string(bait.shm_key) + ", 0, 0))", "ENOENT");
       }},
      {Measure::uts_namespace,
       [](Harness& room, const Bait&) { return says(room, "print(read('/proc/sys/kernel/hostname'))", "slot_0"); }},
      {Measure::network_namespace,
       [](Harness& room, const Bait& bait) {
         return says(room,
                     "import socket\nprint(attempt(socket.create_connection, ('127.0.0.1', " +
                         std::to_string(bait.listener_port) + ")))",
                     "ECONNREFUSED");
       }},
      {Measure::private_root,
       [](Harness& room, const Bait& bait) {
         return says(room, "print(os.path.exists('" + bait.file_of_machine + "'))", "False");
       }},
      {Measure::fresh_proc,
       [](Harness& room, const Bait&) {
         return says(room, "print(len([n for n in os.listdir('/proc') if n.isdigit()]))", "2");
       }},
      {Measure::masked_proc,
       [](Harness& room, const Bait&) { return says(room, "print(len(open('/proc/kallsyms').read(64)))", "0"); }},
      {Measure::minimal_dev,
       [](Harness& room, const Bait&) {
         return says(room, "print(len(os.listdir('/dev')), os.path.exists('/dev/kmsg'))", "13 False");
       }},
      {Measure::private_tmp,
       [](Harness& room, const Bait& bait) {
         return says(room, "print(os.path.exists('" + bait.file_in_tmp + "'))", "False");
       }},
      {Measure::capabilities,
       [](Harness& room, const Bait&) {
         const auto mask = number(kept_capability_mask());
         return says(room,
                     "status = dict(l.split(':\\t') for l in read('/proc/self/status').splitlines() if ':\\t' in l)\n"
                     "print(int(status['CapBnd'], 16) & ~" +
                         mask + " | int(status['CapEff'], 16) & ~" + mask + ")",
                     "0");
       }},
      {Measure::no_new_privs,
       [](Harness& room, const Bait&) { return room.sh("grep -c 'NoNewPrivs:.1' /proc/self/status").out == "1\n"; }},
      {Measure::seccomp,
       [](Harness& room, const Bait&) {
         return says(room, "print(call(250, 0, -3, 0), call(425, 0, 0))", "EPERM EPERM");
       }},
      {Measure::new_session,
       [](Harness& room, const Bait&) { return says(room, "print(os.getsid(0) == os.getpid())", "True"); }},
      {Measure::clean_env,
       [](Harness& room, const Bait&) { return says(room, "print('BERTH_CANARY' in os.environ)", "False"); }},
      {Measure::closed_descriptors,
       [](Harness& room, const Bait&) { return room.sh("ls /proc/self/fd | wc -l").out == "4\n"; }},
      {Measure::memory_limit,
       [](Harness& room, const Bait&) {
         return python(room, "b'x' * (400 << 20)\nprint('had it')").out != "had it\n";
       }},
      {Measure::pids_limit,
       [](Harness& room, const Bait&) {
         return says(room, R"py(
import signal
children = []
try:
    for _ in range(200):
        child = os.fork()
        if child == 0: signal.pause()
        children.append(child)
except OSError: pass
for child in children: os.kill(child, 9)
for child in children: os.waitpid(child, 0)
print(len(children) < 200)
)py",
                     "True");
       }},
      {Measure::cpu_limit, [](Harness& room, const Bait&) { return was_throttled(room); }},
      {Measure::disk_limit,
       [](Harness& room, const Bait&) { return says(room, "print(attempt(write_much, 64))", "ENOSPC"); }},
      {Measure::oom_score,
       [](Harness& room, const Bait&) { return room.sh("cat /proc/self/oom_score_adj").out == "500\n"; }},
      {Measure::shifted_ids,
       [](Harness& room, const Bait&) {
         return says(room, "print(read('/proc/self/uid_map').split()[1] != '0')", "True");
       }},
  };
  return table;
}

// Measures that cannot be shown this way, with the reason.
const std::map<Measure, std::string>& unprobed() {
  static const std::map<Measure, std::string> reasons = {
      {Measure::mount_namespace,
       "cannot be dropped alone: a slot's root, /proc, /dev and disk are mounts, and without a namespace of their own "
       "they "
       "would cover the machine's; the factory refuses it (tested below)"},
      {Measure::hidden_keeper,
       "a second line: a command has fewer capabilities than the keeper, so the kernel hides the keeper's files from "
       "it "
       "either way; the keeper itself reports whether it is dumpable (tested below)"},
  };
  return reasons;
}

class Mutation : public RoomTest, public ::testing::WithParamInterface<std::size_t> {
 protected:
  void SetUp() override {
    if (::geteuid() != 0) GTEST_SKIP() << "needs root: only root can have every measure in force";
    ::setenv("BERTH_CANARY", "1", 1);
    bait_.file_in_tmp = directory_.path() + ".bait";  // beside it, where slots with ids of their own may look
    std::ofstream(bait_.file_in_tmp) << "bait";
    bait_.file_of_machine = std::filesystem::read_symlink("/proc/self/exe");
    listen();
    bait_.shm_key = 0x62657274;
    segment_ = ::shmget(bait_.shm_key, 4096, IPC_CREAT | 0666);
    ASSERT_GE(segment_, 0);
  }
  void TearDown() override {
    std::filesystem::remove(bait_.file_in_tmp);
    if (segment_ >= 0) ::shmctl(segment_, IPC_RMID, nullptr);
    ::unsetenv("BERTH_CANARY");
  }

  void listen() {
    listener_.reset(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = ::htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof address;
    ASSERT_EQ(::bind(listener_.get(), reinterpret_cast<sockaddr*>(&address), size), 0);
    ASSERT_EQ(::listen(listener_.get(), 4), 0);
    ASSERT_EQ(::getsockname(listener_.get(), reinterpret_cast<sockaddr*>(&address), &size), 0);
    bait_.listener_port = ntohs(address.sin_port);
  }

  // Nothing where the room could not be made.
  std::optional<bool> is_protected(const Row& row, const std::vector<Measure>& off) {
    auto spec = test_spec("mutation");
    spec.slot.cpu = 0.2;
    for (auto measure : off) spec.measures_off.emplace_back(to_string(measure));
    auto factory = RoomFactory::create(spec, directory_.path() + "/work");
    EXPECT_TRUE(factory) << (factory ? "" : factory.error().message);
    if (!factory) return std::nullopt;
    for (auto measure : off) EXPECT_FALSE(has((*factory)->plan().in_force, measure)) << to_string(measure);
    auto room = (*factory)->begin({"slot_0", 0, {}, false});
    EXPECT_TRUE(room) << (room ? "" : room.error().message);
    if (!room) return std::nullopt;
    Harness harness(std::move(*room));
    if (!harness.wait_ready()) return std::nullopt;
    return row.is_protected(harness, bait_);
  }

  bool machine_can(Measure measure) {
    auto spec = test_spec("mutation");
    spec.slot.cpu = 0.2;
    const auto factory = RoomFactory::create(spec, directory_.path() + "/work");
    return factory && has((*factory)->plan().in_force, measure);
  }

  Bait bait_;
  UniqueFd listener_;
  int segment_ = -1;
};

TEST_P(Mutation, SwitchedOffItIsSeenToProtect) {
  const auto& row = rows()[GetParam()];
  if (!machine_can(row.measure)) GTEST_SKIP() << to_string(row.measure) << " cannot be in force on this machine";
  EXPECT_EQ(is_protected(row, {}), true) << "in force, and yet the probe gets through";
  EXPECT_EQ(is_protected(row, {row.measure}), false) << "switched off, and the probe does not notice";
}

INSTANTIATE_TEST_SUITE_P(Measures, Mutation, ::testing::Range(std::size_t{0}, rows().size()),
                         [](const auto& row) { return std::string(to_string(rows()[row.param].measure)); });

TEST(Measures, EachHasARowOrAReason) {
  std::set<Measure> covered;
  for (const auto& row : rows()) EXPECT_TRUE(covered.insert(row.measure).second) << to_string(row.measure);
  for (const auto& [measure, reason] : unprobed()) EXPECT_TRUE(covered.insert(measure).second) << reason;
  for (std::size_t i = 0; i < kMeasureCount; ++i) {
    EXPECT_TRUE(covered.contains(static_cast<Measure>(i))) << to_string(static_cast<Measure>(i));
  }
}

TEST(Measures, EachStandsInTheTableOfProtections) {
  const auto table = read_file(std::string(BERTH_DOCS_DIR) + "/protections.md");
  ASSERT_TRUE(table) << table.error().message;
  for (std::size_t i = 0; i < kMeasureCount; ++i) {
    EXPECT_THAT(*table, HasSubstr("| `" + std::string(to_string(static_cast<Measure>(i))) + "` |"));
  }
}

TEST(Measures, TheMountNamespaceCannotBeDroppedAlone) {
  const TemporaryDirectory directory;
  auto spec = test_spec("mutation");
  spec.measures_off = {"mount_namespace"};
  const auto factory = RoomFactory::create(spec, directory.path() + "/work");
  ASSERT_FALSE(factory);
  EXPECT_EQ(factory.error().code, "isolation");
}

TEST(Measures, TheKeeperSaysWhetherItIsHidden) {
  for (bool hidden : {true, false}) {
    const TemporaryDirectory directory;
    auto spec = test_spec("mutation");
    if (!hidden) spec.measures_off = {"hidden_keeper"};
    auto factory = RoomFactory::create(spec, directory.path() + "/work");
    ASSERT_TRUE(factory) << factory.error().message;
    if ((*factory)->plan().rung == 3) GTEST_SKIP() << "no slots here";
    auto room = (*factory)->begin({"slot_0", 0, {}, false});
    ASSERT_TRUE(room);
    const auto ready = Harness(std::move(*room)).wait_ready();
    ASSERT_TRUE(ready);
    EXPECT_EQ(has(ready->in_force, Measure::hidden_keeper), hidden);
  }
}

}  // namespace
}  // namespace berth::isolation::test

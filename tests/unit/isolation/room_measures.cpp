// SPDX-License-Identifier: Apache-2.0
// Each measure is switched off once: the same look into the slot that shows it in force must then show its absence.
#include <cerrno>
#include <cstdlib>

#include "room_support.hpp"

namespace berth::isolation::test {
namespace {

struct Dropped {
  const char* measure;
  const char* holds;  // shell test that is true exactly while the measure is in force
};

void PrintTo(const Dropped& dropped, std::ostream* out) {
  *out << dropped.measure;
}

class RoomMeasures : public RoomTest, public ::testing::WithParamInterface<Dropped> {
 protected:
  void SetUp() override {
    ::setenv("BERTH_TEST_SECRET", "canary", 1);
    RoomTest::SetUp();
  }
  // The links of this process's own namespaces, for the scripts.
  static std::string own_namespaces() {
    std::string text;
    for (const char* name : {"user", "mnt", "pid", "ipc", "uts", "net"}) {
      char link[64] = {};
      if (::readlink((std::string("/proc/self/ns/") + name).c_str(), link, sizeof link - 1) > 0) {
        text += std::string(name) + "='" + link + "';";
      }
    }
    return text;
  }
  bool holds() {
    auto room = make_room();
    if (!room) return false;
    const auto outcome = room->sh(own_namespaces() + GetParam().holds);
    EXPECT_TRUE(room->destroy());
    return outcome.exit_code() == 0;
  }
};

TEST_P(RoomMeasures, IsSeenWhenItIsDropped) {
  const auto measure = measure_from_string(GetParam().measure);
  ASSERT_TRUE(measure);
  if (!has(factory_->plan().in_force, *measure)) GTEST_SKIP() << GetParam().measure << " is not in force here";
  EXPECT_TRUE(holds()) << "in force, but the check does not see it";
  ContainerSpec spec = test_spec("room-dropped");
  spec.measures_off = {GetParam().measure};
  use(spec);
  if (IsSkipped() || HasFatalFailure()) return;
  EXPECT_FALSE(has(factory_->plan().in_force, *measure));
  EXPECT_FALSE(holds()) << "dropped, and the check still passes";
}

constexpr Dropped kDropped[] = {
    {"user_namespace", "test \"$(readlink /proc/self/ns/user)\" != \"$user\""},
    {"pid_namespace", "test -e /proc/1/cmdline && test \"$(tr -d '\\0' < /proc/1/cmdline)\" = keeper"},
    {"ipc_namespace", "test \"$(readlink /proc/self/ns/ipc)\" != \"$ipc\""},
    {"uts_namespace", "test \"$(hostname)\" = slot_0"},
    {"network_namespace", "test \"$(readlink /proc/self/ns/net)\" != \"$net\""},
    {"private_root", "test -z \"$(ls -A /home)\" && ! test -e /etc/shadow"},
    {"fresh_proc", "test \"$(tr -d '\\0' < /proc/1/cmdline)\" = keeper"},
    {"masked_proc", "test -z \"$(head -c 1 /proc/iomem)\""},
    {"minimal_dev", "test $(ls /dev | wc -l) -eq 13"},
    {"private_tmp", "test -z \"$(ls -A /tmp)\""},
    {"capabilities", "grep -q 'CapBnd:.00000000000004fb' /proc/self/status"},
    {"no_new_privs", "grep -q 'NoNewPrivs:.1' /proc/self/status"},
    {"seccomp", "grep -q 'Seccomp:.2' /proc/self/status"},
    {"new_session", "test $(cut -d' ' -f6 /proc/$$/stat) -eq $$"},
    {"clean_env", "! env | grep -q canary"},
    // 3 is the directory that ls itself reads.
    {"closed_descriptors", "ls /proc/self/fd > /tmp/list; ! grep -qE '^[4-9]$' /tmp/list"},
    {"disk_limit", "! head -c 40000000 /dev/zero > /workspace/big 2>/dev/null"},
    {"oom_score", "test $(cat /proc/self/oom_score_adj) -eq 500"},
    {"shifted_ids", "! grep -q ' 0 *0 ' /proc/self/uid_map"},
};

INSTANTIATE_TEST_SUITE_P(, RoomMeasures, ::testing::ValuesIn(kDropped),
                         [](const auto& test) { return std::string(test.param.measure); });

TEST_F(RoomTest, MountNamespaceCannotBeDroppedAlone) {
  if (factory_->plan().rung == 3) GTEST_SKIP() << "no mount namespace here";
  ContainerSpec spec = test_spec("room-mount");
  spec.measures_off = {"mount_namespace"};
  const auto factory = RoomFactory::create(spec, directory_.path() + "/other");
  ASSERT_FALSE(factory);
  EXPECT_EQ(factory.error().code, "isolation");
}

}  // namespace
}  // namespace berth::isolation::test

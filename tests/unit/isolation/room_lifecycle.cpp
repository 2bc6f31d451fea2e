// SPDX-License-Identifier: Apache-2.0
// Rooms come and go without a trace; ordinary users have them too; without isolation commands are still kept in hand.
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/inotify.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <filesystem>
#include <fstream>
#include <gmock/gmock.h>

#include "isolation/idmap.hpp"
#include "isolation/layout.hpp"
#include "own_mounts.hpp"
#include "room_support.hpp"

namespace berth::isolation::test {
namespace {

using ::testing::HasSubstr;
namespace fs = std::filesystem;

constexpr int kCycles = 500;

std::size_t count_entries(const std::string& directory) {
  std::error_code error;
  return static_cast<std::size_t>(std::distance(fs::directory_iterator(directory, error), fs::directory_iterator()));
}

// Of this container only: others may be running on the machine.
std::size_t count_groups(const std::string& container) {
  std::size_t groups = 0;
  std::error_code error;
  for (const auto& item :
       fs::recursive_directory_iterator("/sys/fs/cgroup", fs::directory_options::skip_permission_denied, error)) {
    const bool is_slot = item.path().filename().string().starts_with("slot_") && item.is_directory(error);
    groups += is_slot && item.path().string().find(container) != std::string::npos ? 1 : 0;
  }
  return groups;
}

bool has_child() {
  siginfo_t info{};
  return ::waitid(P_ALL, 0, &info, WEXITED | WNOHANG | WNOWAIT) == 0;
}

TEST_F(RoomTest, LeavesNothingAfterManyCycles) {
  ASSERT_TRUE(make_room()->destroy());
  const auto fds = count_entries("/proc/self/fd");
  const auto mounts = count_own_mounts();
  const auto groups = count_groups(spec_.id);
  const auto files = count_entries(directory_.path() + "/work");
  for (int i = 0; i < kCycles; ++i) {
    auto room = make_room(static_cast<unsigned>(i) % 4);
    ASSERT_TRUE(room) << "cycle " << i;
    if (i % 10 == 0) room->launch("setsid sleep 1000 & sleep 1000");
    if (i % 3 == 0) continue;  // by the destructor alone
    const auto destroyed = room->destroy();
    ASSERT_TRUE(destroyed) << destroyed.error().message;
  }
  EXPECT_FALSE(has_child()) << "a keeper was not reaped";
  EXPECT_EQ(count_entries("/proc/self/fd"), fds);
  EXPECT_EQ(count_own_mounts(), mounts);
  EXPECT_EQ(count_groups(spec_.id), groups);
  EXPECT_EQ(count_entries(directory_.path() + "/work"), files);
}

TEST_F(RoomTest, MayBeDestroyedWhileItIsBuilt) {
  for (int i = 0; i < 20; ++i) {
    auto room = factory_->begin({"slot_0", 0, {}, false});
    ASSERT_TRUE(room);
    Harness harness(std::move(*room));
    EXPECT_TRUE(harness.destroy());
  }
  EXPECT_FALSE(has_child());
}

TEST_F(RoomTest, ClosesItsDescriptorsIntoTheSlotFirst) {
  auto room = make_room();
  ASSERT_TRUE(room);
  room->room().begin_destroy();
  EXPECT_EQ(room->room().root_fd(), -1);
  EXPECT_EQ(room->room().workspace_fd(), -1);
  EXPECT_TRUE(room->destroy());
}

// Says so when the file system is gone that its file lies on.
class UnmountWatch {
 public:
  explicit UnmountWatch(int workspace) : notes_(::inotify_init1(IN_CLOEXEC | IN_NONBLOCK)) {
    const std::string file = "/proc/self/fd/" + std::to_string(workspace) + "/file";
    EXPECT_GE(::inotify_add_watch(notes_.get(), file.c_str(), IN_ATTRIB), 0) << errno;
  }
  [[nodiscard]] bool unmounted_within(std::chrono::milliseconds limit) const {
    pollfd waiting{notes_.get(), POLLIN, 0};
    inotify_event note{};
    return ::poll(&waiting, 1, static_cast<int>(limit.count())) == 1 && ::read(notes_.get(), &note, sizeof note) > 0 &&
           (note.mask & IN_UNMOUNT) != 0;
  }

 private:
  UniqueFd notes_;
};

TEST_F(RoomTest, TakesItsMountsDownWhenItDies) {
  auto room = make_room();
  ASSERT_TRUE(room);
  EXPECT_EQ(room->sh("echo x > file").exit_code(), 0);
  const UnmountWatch watch(room->room().workspace_fd());
  ASSERT_TRUE(room->destroy());
  EXPECT_TRUE(watch.unmounted_within(kDeadline));
}

TEST_F(RoomTest, LeavesItsMountsToWhoeverTakesThem) {
  auto room = make_room();
  ASSERT_TRUE(room);
  EXPECT_EQ(room->sh("echo x > file").exit_code(), 0);
  const UnmountWatch watch(room->room().workspace_fd());
  UniqueFd mounts = room->room().take_mounts();
  ASSERT_TRUE(mounts);
  EXPECT_FALSE(room->room().take_mounts());
  ASSERT_TRUE(room->destroy());
  EXPECT_FALSE(watch.unmounted_within(std::chrono::milliseconds(0)));
  mounts.reset();
  EXPECT_TRUE(watch.unmounted_within(kDeadline));
}

TEST_F(RoomTest, KeepsNoMountsOfAKeeperThatDied) {
  auto room = make_room();
  ASSERT_TRUE(room);
  EXPECT_EQ(room->sh("echo x > file").exit_code(), 0);
  const UnmountWatch watch(room->room().workspace_fd());
  ::kill(room->room().keeper_pid(), SIGKILL);
  const auto event = room->wait_event();
  ASSERT_TRUE(event);
  EXPECT_TRUE(std::holds_alternative<KeeperGone>(*event));
  EXPECT_FALSE(room->room().take_mounts());
}

TEST_F(RoomTest, HandsOutTheSocketOfItsProxy) {
  spec_.slot.network = NetworkMode::allow;
  spec_.slot.allow = {"a.test"};
  auto factory = RoomFactory::create(spec_, directory_.path() + "/allow");
  ASSERT_TRUE(factory) << factory.error().message;
  auto begun = (*factory)->begin({"slot_0", 0, {}, false});
  ASSERT_TRUE(begun);
  Harness room(std::move(*begun));
  const auto ready = room.wait_ready();
  ASSERT_TRUE(ready);
  EXPECT_EQ(ready->open_sockets, 0U);
  const UniqueFd listener = room.room().take_listener();
  ASSERT_TRUE(listener);
  EXPECT_FALSE(room.room().take_listener());
  EXPECT_EQ(room.sh("grep -c ':0C38 ' /proc/net/tcp").out, "1\n");
  EXPECT_TRUE(room.destroy());
}

TEST_F(RoomTest, DiesWithItsServer) {
  int sockets[2];
  ASSERT_EQ(::pipe2(sockets, O_CLOEXEC), 0);
  UniqueFd reader(sockets[0]);
  UniqueFd writer(sockets[1]);
  const pid_t server = ::fork();
  ASSERT_GE(server, 0);
  if (server == 0) {
    auto room = make_room();
    room->launch("setsid sleep 1000");
    room->sh("true");
    const pid_t keeper = room->room().keeper_pid();
    if (::write(writer.get(), &keeper, sizeof keeper) != sizeof keeper) ::_exit(1);
    ::kill(::getpid(), SIGKILL);
  }
  writer.reset();
  pid_t keeper = 0;
  ASSERT_EQ(::read(reader.get(), &keeper, sizeof keeper), static_cast<ssize_t>(sizeof keeper));
  ::waitpid(server, nullptr, 0);
  const auto end = std::chrono::steady_clock::now() + kDeadline;
  bool alive = true;
  while (alive && std::chrono::steady_clock::now() < end) {
    std::ifstream stat("/proc/" + std::to_string(keeper) + "/stat");
    std::string text;
    std::getline(stat, text);
    alive = !text.empty() && text.find(") Z ") == std::string::npos;
    ::poll(nullptr, 0, 1);
  }
  EXPECT_FALSE(alive) << "the keeper outlived its server";
}

TEST_F(RoomTest, GivesALimitedCommandAGroupOfItsOwn) {
  if (!factory_->abilities().cgroup_memory) GTEST_SKIP() << factory_->abilities().why_no_cgroup;
  auto room = make_room();
  ASSERT_TRUE(room);
  // tail keeps what it cannot print yet.
  Command command = shell("head -c 100000000 /dev/zero | tail");
  command.memory_bytes = std::uint64_t{20} << 20;
  const auto outcome = room->run(command);
  EXPECT_NE(outcome.exit_code(), 0);
  const auto usage = room->room().command_usage(1);
  ASSERT_TRUE(usage);
  EXPECT_GE(usage->oom_kills.value_or(0), 1U);
  EXPECT_TRUE(room->sh("head -c 100000000 /dev/zero | tail | wc -c").exit_code() == 0)
      << "others keep the slot's limit";
  EXPECT_TRUE(room->kill(1));
  EXPECT_TRUE(room->destroy());
}

// As the container drivers do: the image is the root directory that is already there.
TEST_F(RoomTest, ShowsADirectoryAsTheRoot) {
  ContainerSpec spec = test_spec("room-rootfs");
  spec.rootfs = directory_.path() + "/image";
  const std::string program = spec.rootfs + "/bin/";
  fs::create_directories(program);
  fs::create_directories(spec.rootfs + "/data/deep");
  fs::create_directories(spec.rootfs + "/dev/of-the-image");
  fs::create_symlink("data", spec.rootfs + "/link");
  ASSERT_TRUE(write_file_atomically(spec.rootfs + "/data/file", "from the image", 0644));
  use(spec);
  if (IsSkipped() || HasFatalFailure()) return;
  auto room = make_room();
  ASSERT_TRUE(room);
  Command command;
  command.argv = {"/bin/none"};
  const auto outcome = room->run(command);
  ASSERT_TRUE(outcome.failed);
  EXPECT_EQ(outcome.failed->error_number, ENOENT);
  const auto open = [&](const char* path) {
    return UniqueFd(::openat(room->room().root_fd(), path, O_PATH | O_CLOEXEC));
  };
  EXPECT_TRUE(open("link/file"));
  EXPECT_TRUE(open("data/deep"));
  EXPECT_TRUE(open("workspace"));
  EXPECT_TRUE(open("dev/null"));
  EXPECT_FALSE(open("usr"));
  EXPECT_FALSE(open("dev/of-the-image"));
}

void check_as_ordinary_user(const std::string& directory) {
  ContainerSpec spec = test_spec("room-user");
  auto created = RoomFactory::create(spec, directory + "/user");
  ASSERT_TRUE(created) << created.error().message;
  if ((*created)->plan().rung != 1) GTEST_SKIP() << (*created)->abilities().why_no_user_namespaces;
  auto begun = (*created)->begin({"slot_0", 0, {}, false});
  ASSERT_TRUE(begun) << begun.error().message;
  Harness room(std::move(*begun));
  ASSERT_TRUE(room.wait_ready());
  EXPECT_FALSE((*created)->plan().writable_root);
  EXPECT_EQ(room.room().host_uid(), ::geteuid());
  EXPECT_EQ(room.sh("id -u; echo hi > file; cat file").out, "0\nhi\n");
  EXPECT_NE(room.sh("echo x > /usr/bin/new").exit_code(), 0);
  EXPECT_NE(room.sh("rm /usr/bin/env").exit_code(), 0);
  EXPECT_EQ(room.sh("echo ok > /var/tmp/x && cat /var/tmp/x; cut -d: -f1 /etc/passwd | head -1").out, "ok\nroot\n");
  EXPECT_THAT(room.sh("cat /proc/self/status").out, HasSubstr("CapEff:\t00000000000004fb"));
  const auto id = room.launch("setsid sleep 1000 & sleep 1000");
  EXPECT_TRUE(room.kill(id));
  EXPECT_EQ(room.sh("set -- /proc/[0-9]*; echo $#").out, "2\n");
  EXPECT_TRUE(room.destroy());
}

TEST_F(RoomTest, WorksForAnOrdinaryUser) {
  if (::geteuid() == 0) return as_ordinary_user(directory_.path(), check_as_ordinary_user);
  check_as_ordinary_user(directory_.path());
}

class RoomWithoutIsolation : public RoomTest {
 protected:
  void SetUp() override {
    spec_.isolation = IsolationLevel::none;
    RoomTest::SetUp();
  }
};

TEST_F(RoomWithoutIsolation, RunsKillsAndReapsPlainCommands) {
  auto room = make_room();
  ASSERT_TRUE(room);
  EXPECT_EQ(room->sh("echo hi > file; cat file; pwd").out, "hi\n" + directory_.path() + "/work/slots/slot_0\n");
  EXPECT_EQ(room->sh("exit 9").exit_code(), 9);
  const auto outcome =
      room->sh("echo $$; setsid sleep 1000 >/dev/null 2>&1 & (setsid sleep 1000 >/dev/null 2>&1 &); true");
  EXPECT_TRUE(outcome.others_alive);
  const auto killed = room->kill(3);
  ASSERT_TRUE(killed);
  EXPECT_EQ(killed->processes, 2U);
  const auto other = room->launch("exec sleep 1000");
  const auto id = room->launch("sh -c 'setsid sleep 1000 & sleep 1000' & sleep 1000");
  EXPECT_TRUE(room->kill(id));
  EXPECT_FALSE(room->sh("true").others_alive);
  ASSERT_TRUE(room->room().signal(other, SIGTERM));
  EXPECT_TRUE(room->wait_exit(other));
  ASSERT_TRUE(room->destroy());
  room = make_room();
  ASSERT_TRUE(room);
  EXPECT_EQ(room->sh("ls").out, "");
}

TEST_F(RoomWithoutIsolation, TakesEverythingAlongWhenItIsDestroyed) {
  auto room = make_room();
  ASSERT_TRUE(room);
  const auto pid = std::atoi(room->sh("setsid sleep 1000 >/dev/null 2>&1 & echo $!").out.c_str());
  ASSERT_GT(pid, 1);
  ASSERT_EQ(::kill(pid, 0), 0);
  EXPECT_TRUE(room->destroy());
  EXPECT_EQ(::kill(pid, 0), -1);
  EXPECT_EQ(errno, ESRCH);
}

TEST(IdBlock, GivesContainersRangesOfTheirOwn) {
  TemporaryDirectory directory;
  const std::string file = directory.path() + "/ids";
  const auto first = IdBlock::take("same", 10, file);
  const auto second = IdBlock::take("same", 10, file);
  EXPECT_TRUE(first.is_exclusive());
  EXPECT_TRUE(second.is_exclusive());
  const auto distance = std::max(first.base_of(0), second.base_of(0)) - std::min(first.base_of(0), second.base_of(0));
  EXPECT_GE(distance, 10 * kIdsPerSlot);
  EXPECT_GE(first.base_of(0), 0x70000000U);
  EXPECT_LE(second.base_of(9), 0x7FFC0000U);
}

TEST(IdBlock, SharesWhenNumbersRunOut) {
  TemporaryDirectory directory;
  const std::string file = directory.path() + "/ids";
  const auto most = IdBlock::take("a", 4000, file);
  const auto more = IdBlock::take("b", 1000, file);
  EXPECT_TRUE(most.is_exclusive());
  EXPECT_FALSE(more.is_exclusive());
  EXPECT_GE(more.base_of(0), 0x70000000U);
}

TEST(MinimalEtc, LeavesOutSecretsAndPeople) {
  TemporaryDirectory directory;
  const std::string source = directory.path() + "/etc";
  fs::create_directories(source + "/ssl/certs");
  fs::create_directories(source + "/ssl/private");
  fs::create_directories(source + "/python3");
  const auto put = [&](const std::string& name, const std::string& text, unsigned mode) {
    ASSERT_TRUE(write_file_atomically(source + "/" + name, text, mode));
  };
  put("passwd",
      "root:secret:0:0:root:/root:/bin/sh\ndaemon:x:1:1::/:/x\nann:x:1000:1000:Ann:/home/ann:/bin/"
      "sh\nnobody:x:65534:65534::/:/x\n",
      0644);
  put("group", "root:x:0:\nadm:x:4:ann\nann:x:1000:\n", 0644);
  put("shadow", "root:hash", 0644);
  put("hosts", "127.0.0.1 localhost", 0600);
  put("ssl/private/key", "key", 0644);
  put("ssl/certs/ca.crt", "ca", 0644);
  put("python3/debian_config", "x", 0644);
  put("npmrc", "token", 0644);
  fs::create_symlink("/usr/share/zoneinfo/Etc/UTC", source + "/localtime");
  fs::create_symlink(directory.path() + "/outside", source + "/resolv.conf");
  ASSERT_TRUE(write_file_atomically(directory.path() + "/outside", "nameserver 1.1.1.1\n", 0644));
  const std::string target = directory.path() + "/copy";
  ASSERT_TRUE(copy_minimal_etc(source, target));
  EXPECT_EQ(read_file(target + "/passwd").value(),
            "root:x:0:0:root:/workspace:/bin/sh\ndaemon:x:1:1::/:/x\nnobody:x:65534:65534::/:/x\n");
  EXPECT_EQ(read_file(target + "/group").value(), "root:x:0:\nadm:x:4:\n");
  EXPECT_EQ(read_file(target + "/resolv.conf").value(), "nameserver 1.1.1.1\n") << "links out of /usr become files";
  EXPECT_TRUE(fs::is_symlink(target + "/localtime"));
  EXPECT_TRUE(fs::exists(target + "/ssl/certs/ca.crt"));
  EXPECT_TRUE(fs::exists(target + "/python3/debian_config"));
  for (const char* name : {"/shadow", "/hosts", "/ssl/private", "/npmrc"})
    EXPECT_FALSE(fs::exists(target + name)) << name;
}

}  // namespace
}  // namespace berth::isolation::test

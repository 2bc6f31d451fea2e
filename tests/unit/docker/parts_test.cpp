// SPDX-License-Identifier: Apache-2.0
// The pure parts of the driver.
#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>

#include <atomic>
#include <filesystem>
#include <fstream>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>
#include <thread>

#include "base/fd.hpp"
#include "base/json.hpp"
#include "drivers/docker/create_request.hpp"
#include "drivers/docker/credentials.hpp"
#include "drivers/docker/endpoint.hpp"
#include "drivers/docker/reference.hpp"
#include "drivers/docker/slot_groups.hpp"
#include "drivers/docker/tar_header.hpp"
#include "tests/support/temp_dir.hpp"

namespace berth::drivers::docker {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

Reference reference_of(std::string_view text) {
  const auto read = parse_reference(text);
  EXPECT_TRUE(read.has_value()) << text;
  return read.value_or(Reference{});
}

TEST(DockerReference, NamesRegistryTagAndDigest) {
  EXPECT_EQ(reference_of("debian").tag, "latest");
  EXPECT_EQ(reference_of("debian").registry, "docker.io");
  EXPECT_EQ(reference_of("index.docker.io/library/debian").registry, "docker.io");
  EXPECT_EQ(reference_of("library/debian:12").name, "library/debian");
  EXPECT_EQ(reference_of("localhost:5000/a/b:t").registry, "localhost:5000");
  EXPECT_EQ(reference_of("localhost:5000/a/b:t").name, "localhost:5000/a/b");
  EXPECT_EQ(reference_of("localhost:5000/a/b").tag, "latest");
  const Reference pinned = reference_of("a/b@sha256:" + std::string(64, 'f'));
  EXPECT_EQ(pinned.tag, "");
  EXPECT_EQ(pinned.digest, "sha256:" + std::string(64, 'f'));
}

TEST(DockerEndpoint, IsOnThisMachineOrBehindTls) {
  EXPECT_EQ(find_endpoint({})->address.unix_path, "/var/run/docker.sock");
  EXPECT_EQ(find_endpoint({"tcp://127.0.0.1:2375", false, ""})->address.port, 2375);
  EXPECT_EQ(find_endpoint({"tcp://docker.example:2376", false, ""}).error().code, "docker_elsewhere");
  EXPECT_EQ(find_endpoint({"tcp://127.0.0.1", false, ""}).error().code, "bad_docker_host");
  EXPECT_EQ(find_endpoint({"ssh://x", false, ""}).error().code, "bad_docker_host");
  EXPECT_EQ(find_endpoint({"tcp://127.0.0.1:2376", true, "/nowhere"}).error().code, "tls");
}

TEST(DockerAnswers, LogFramesThatLieEndTheText) {
  const std::string frame = std::string("\x01\0\0\0\0\0\0\x03", 8) + "abc";
  EXPECT_EQ(read_log(frame + frame), "abcabc");
  EXPECT_EQ(read_log(frame + std::string("\x01\0\0\0\xff\xff\xff\xff", 8) + "rest"), "abcrest");
  EXPECT_EQ(read_log(std::string("\x01\0\0", 3)), "");
}

TEST(DockerAnswers, WhatIsNotAsPromisedIsAnError) {
  EXPECT_EQ(read_info("[]").error().code, "engine_protocol");
  EXPECT_EQ(read_info("{}").error().code, "engine_protocol");
  EXPECT_EQ(read_image("{\"Config\":null}").error().code, "engine_protocol");
  EXPECT_EQ(read_list("[{\"Id\":3}]").error().code, "engine_protocol");
  EXPECT_EQ(read_created_id("").error().code, "engine_protocol");
  EXPECT_EQ(read_end(R"({"State":{"ExitCode":"0"}})").error().code, "engine_protocol");
  EXPECT_EQ(read_event(std::string(100'000, '[')).error().code, "engine_protocol");
  EXPECT_EQ(read_refusal(500, "<html>\n\x1b[31m"), "<html>  [31m");
  EXPECT_FALSE(read_api_version("2.0").has_value());
  EXPECT_FALSE(read_api_version("1.41; rm").has_value());
  EXPECT_EQ(read_api_version("1.41"), 41U);
}

TEST(DockerAnswers, EnvironmentThatIsNoneIsLeftOut) {
  const auto image = read_image(R"({"Id":"x","Config":{"Env":["A=b","novalue","=c",3],"User":null}})");
  ASSERT_TRUE(image.has_value());
  EXPECT_THAT(image->env, ElementsAre("A=b"));
  EXPECT_EQ(image->user, "");
}

// As recorded: an engine in a container of LXC, a runtime that finds no such profile, one that is confined itself.
TEST(DockerAnswers, RefusalsOfAppArmorComeWithAWayOut) {
  for (const std::string words : {
           "AppArmor enabled on system but the docker-default profile could not be loaded: running "
           "`/usr/sbin/apparmor_parser apparmor_parser -Kr /var/lib/docker/tmp/docker-default4246559669` failed with "
           "output: apparmor_parser: Unable to replace \"docker-default\". Permission denied; attempted to load a "
           "profile while confined? error: exit status 243",
           "OCI runtime create failed: container_linux.go:380: starting container process caused: apply apparmor "
           "profile: apparmor failed to apply profile: write /proc/self/attr/exec: no such file or directory: unknown",
           "OCI runtime create failed: container_linux.go:349: starting container process caused "
           "\"process_linux.go:449: "
           "container init caused \\\"apply apparmor profile: apparmor failed to apply profile: write "
           "/proc/self/attr/exec: permission denied\\\"\": unknown",
       })
    EXPECT_THAT(way_out_of(words), HasSubstr("aa-status")) << words;
  EXPECT_EQ(way_out_of("No such image: debian"), "");
}

// As Docker 24 on Ubuntu 22.04 describes itself.
TEST(DockerAnswers, AnEngineWithAppArmorSaysSo) {
  const auto engine =
      read_info(R"({"ServerVersion":"24.0.7","OSType":"linux","CgroupDriver":"systemd","CgroupVersion":"2",)"
                R"("SecurityOptions":["name=apparmor","name=seccomp,profile=builtin","name=cgroupns"]})");
  ASSERT_TRUE(engine.has_value());
  EXPECT_TRUE(engine->apparmor && engine->seccomp);
  EXPECT_FALSE(engine->cgroup_v1 || engine->cgroupfs || engine->remaps_users);
}

TEST(DockerCredentials, BelongToTheirRegistryAlone) {
  const std::string config =
      R"({"auths":{"https://index.docker.io/v1/":{"auth":"YTpi"},"r.example":{"identitytoken":"t"}},)"
      R"("credHelpers":{"h.example":"ecr"}})";
  EXPECT_FALSE(find_credentials(config, "docker.io")->header.empty());
  EXPECT_FALSE(find_credentials(config, "r.example")->header.empty());
  EXPECT_EQ(find_credentials(config, "h.example")->helper, "ecr");
  EXPECT_TRUE(find_credentials(config, "evil.example")->header.empty());
  EXPECT_TRUE(find_credentials(config, "r.example.evil")->header.empty());
  const auto bad = find_credentials("{\"auths\":\"c2VjcmV0", "docker.io");
  EXPECT_THAT(bad.error().message, ::testing::Not(HasSubstr("c2VjcmV0")));
}

TEST(DockerCreation, AsksForNoPrivilegeAndNoNetworkWhereNoneIsNeeded) {
  CreateRequest request;
  request.wanted.spec.id = "c1";
  request.image.id = "sha256:x";
  request.engine.seccomp = true;
  request.engine.apparmor = true;
  request.seccomp = "{}";
  request.state = "/state/containers/c1";
  const auto body = parse_json(create_body(request));
  ASSERT_TRUE(body.has_value());
  const Json& host = (*body)["HostConfig"];
  EXPECT_EQ(host["Privileged"], false);
  EXPECT_FALSE(host.contains("CapAdd"));
  EXPECT_EQ(host["NetworkMode"], "none");
  EXPECT_EQ(host["SecurityOpt"], Json::array({"seccomp={}", "apparmor=unconfined"}));
  EXPECT_EQ(host["MaskedPaths"], Json::array());
  EXPECT_EQ((*body)["User"], "0:0");
  EXPECT_EQ((*body)["Healthcheck"]["Test"], Json::array({"NONE"}));
  request.wanted.spec.setup = {"true"};
  EXPECT_EQ((*parse_json(create_body(request)))["HostConfig"]["NetworkMode"], "bridge");
  request.wanted.network = "own";
  EXPECT_EQ((*parse_json(create_body(request)))["HostConfig"]["NetworkMode"], "own");
}

// The proxy of each slot looks out of the container's network.
TEST(DockerCreation, SlotsWithAProxyNeedAContainerWithANetwork) {
  CreateRequest request;
  request.wanted.spec.slot.network = NetworkMode::allow;
  request.seccomp = "{}";
  EXPECT_EQ((*parse_json(create_body(request)))["HostConfig"]["NetworkMode"], "bridge");
  request.wanted.network = "own";
  EXPECT_EQ((*parse_json(create_body(request)))["HostConfig"]["NetworkMode"], "own");
}

TEST(DockerCreation, LimitsOfTheWholeContainerAreAskedFor) {
  CreateRequest request;
  request.wanted.cpu = 1.5;
  request.wanted.memory_bytes = 1 << 30;
  request.wanted.pids = 99;
  const Json host = (*parse_json(create_body(request)))["HostConfig"];
  EXPECT_EQ(host["NanoCpus"], 1'500'000'000);
  EXPECT_EQ(host["Memory"], 1 << 30);
  EXPECT_EQ(host["MemorySwap"], 1 << 30);
  EXPECT_EQ(host["PidsLimit"], 99);
}

TEST(DockerTar, AHeaderIsWhatTarReads) {
  const std::string header = tar_header("slotd", 1234, 0755, 1'700'000'000);
  ASSERT_EQ(header.size(), 512U);
  EXPECT_EQ(header.substr(124, 12), std::string("00000002322\0", 12));
  EXPECT_EQ(header.substr(257, 8), std::string("ustar\00000", 8));
  unsigned sum = 0;
  for (std::size_t i = 0; i < header.size(); ++i)
    sum += i >= 148 && i < 156 ? ' ' : static_cast<unsigned char>(header[i]);
  EXPECT_EQ(std::stoul(header.substr(148, 6), nullptr, 8), sum);
  EXPECT_EQ(tar_padding(512), 0U);
  EXPECT_EQ(tar_padding(513), 511U);
}

constexpr int kMadeBesideASweep = 2000;

// Folders stand in for hierarchies: what is made, held and removed is the same.
class SlotGroupsTest : public ::testing::Test {
 protected:
  std::vector<Hierarchy> hierarchies() {
    for (const std::string name : {"memory", "pids", "named"}) std::filesystem::create_directory(directory / name);
    return {{directory / "memory", {"memory"}}, {directory / "pids", {"pids"}}, {directory / "named", {}}};
  }
  static Wanted limits() {
    Wanted wanted;
    wanted.spec.id = "c1";
    return wanted;
  }
  [[nodiscard]] bool is_held(const std::string& path) const {
    const UniqueFd fd(::open((directory / path).c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    return fd && ::flock(fd.get(), LOCK_EX | LOCK_NB) != 0;
  }

  testing::TempDir directory;
};

TEST_F(SlotGroupsTest, AreMadeInEachUsefulHierarchyAndGivenIntoTheContainer) {
  auto groups = SlotGroups::make(limits(), hierarchies());
  ASSERT_TRUE(groups.has_value());
  EXPECT_EQ(groups->parent(), "/berth/c1");
  const auto mounts = groups->mounts();
  ASSERT_EQ(mounts.size(), 2U);
  EXPECT_EQ(mounts[0].source, directory / "memory/berth/c1/slots");
  EXPECT_EQ(mounts[0].target, "/.berth/groups/memory");
  EXPECT_TRUE(std::filesystem::is_directory(directory / "pids/berth/c1/slots"));
}

TEST_F(SlotGroupsTest, AreHeldSoThatNobodySweepsThemAway) {
  {
    const auto groups = SlotGroups::make(limits(), hierarchies());
    ASSERT_TRUE(groups.has_value());
    EXPECT_TRUE(is_held("memory/berth/c1"));
    EXPECT_TRUE(is_held("pids/berth/c1"));
  }
  EXPECT_FALSE(std::filesystem::exists(directory / "memory/berth"));
}

TEST_F(SlotGroupsTest, GoWithWhatTheEngineMadeInTheOtherHierarchies) {
  auto groups = SlotGroups::make(limits(), hierarchies());
  ASSERT_TRUE(groups.has_value());
  std::filesystem::create_directories(directory / "named/berth/c1");
  std::filesystem::create_directories(directory / "memory/berth/c1/slots/slot_0");
  std::filesystem::create_directories(directory / "memory/berth/other");
  EXPECT_TRUE(groups->remove());
  EXPECT_FALSE(std::filesystem::exists(directory / "named/berth"));
  EXPECT_FALSE(std::filesystem::exists(directory / "memory/berth/c1"));
  EXPECT_TRUE(std::filesystem::exists(directory / "memory/berth/other"));
}

TEST_F(SlotGroupsTest, OfAgentsThatWereKilledAreSweptAndThoseOfOthersAreNot) {
  const auto all = hierarchies();
  std::filesystem::create_directories(directory / "memory/berth/dead/slots/slot_0");
  std::filesystem::create_directories(directory / "named/berth/dead");
  Wanted other = limits();
  other.spec.id = "alive";
  const auto alive = SlotGroups::make(other, all);
  std::filesystem::create_directories(directory / "named/berth/alive");
  const auto groups = SlotGroups::make(limits(), all);
  ASSERT_TRUE(alive.has_value() && groups.has_value());
  EXPECT_FALSE(std::filesystem::exists(directory / "memory/berth/dead"));
  EXPECT_FALSE(std::filesystem::exists(directory / "named/berth/dead"));
  EXPECT_TRUE(std::filesystem::exists(directory / "memory/berth/alive/slots"));
  EXPECT_TRUE(std::filesystem::exists(directory / "named/berth/alive"));
}

// Agents that start at the same time on one machine: each sweeps before it makes its own.
TEST_F(SlotGroupsTest, StayWholeWhileAnotherAgentSweeps) {
  const auto all = hierarchies();
  std::atomic<bool> done = false;
  std::thread other([&all, &done] {
    while (!done) SlotGroups::sweep(all);
  });
  int made = 0, whole = 0;
  for (; made < kMadeBesideASweep; ++made) {
    Wanted mine = limits();
    mine.spec.id = "c" + std::to_string(made);
    const auto groups = SlotGroups::make(mine, all);
    if (!groups) break;
    const std::string place = groups->parent() + "/slots";
    if (std::filesystem::exists(directory / "memory" + place) && std::filesystem::exists(directory / "pids" + place))
      ++whole;
  }
  done = true;
  other.join();
  EXPECT_EQ(made, kMadeBesideASweep);
  EXPECT_EQ(whole, made);
}

TEST_F(SlotGroupsTest, AreNoneWhereNoneCanBeMade) {
  EXPECT_FALSE(SlotGroups::make(limits(), {{directory / "missing", {"memory"}}}).has_value());
  EXPECT_FALSE(SlotGroups::make(limits(), {{directory.path(), {}}}).has_value());
}

TEST(DockerHierarchies, AreThoseThatAreMounted) {
  const auto found = read_hierarchies(
      "31 23 0:28 / /sys/fs/cgroup rw - tmpfs tmpfs rw\n"
      "32 31 0:29 / /sys/fs/cgroup/cpu,cpuacct rw,relatime - cgroup cgroup rw,cpu,cpuacct\n"
      "40 31 0:37 / /sys/fs/cgroup/systemd rw - cgroup cgroup rw,name=systemd\n"
      "41 31 0:38 / /sys/fs/cgroup/unified rw - cgroup2 cgroup2 rw,nsdelegate\n");
  ASSERT_EQ(found.size(), 3U);
  EXPECT_THAT(found[0].controllers, ElementsAre("cpu", "cpuacct"));
  EXPECT_THAT(found[1].controllers, IsEmpty());
  EXPECT_THAT(found[2].controllers, IsEmpty());
}

// An engine that copies files into a container, or out of it, mounts all that it has on the machine itself meanwhile.
TEST(DockerHierarchies, AreTakenOnceAlthoughAnEngineShowsPartsOfThem) {
  const std::string own = "36 31 0:32 / /sys/fs/cgroup/memory rw,relatime - cgroup cgroup rw,memory\n";
  const std::string shown =
      "63 53 0:32 /berth/c9/slots /data/overlay2/f/merged/.berth/groups/memory rw,relatime - cgroup cgroup rw,memory\n";
  for (const std::string& text : {own + shown, shown + own, shown + own + shown}) {
    const auto found = read_hierarchies(text);
    ASSERT_EQ(found.size(), 1U) << text;
    EXPECT_EQ(found[0].folder, "/sys/fs/cgroup/memory");
  }
  // In a container without control groups of its own none is shown whole.
  const std::string part = "36 31 0:32 /docker/c1 /sys/fs/cgroup/memory rw,relatime - cgroup cgroup rw,memory\n";
  ASSERT_EQ(read_hierarchies(part + shown).size(), 1U);
  EXPECT_EQ(read_hierarchies(part + shown)[0].folder, "/sys/fs/cgroup/memory");
}

}  // namespace
}  // namespace berth::drivers::docker

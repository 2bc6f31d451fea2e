// SPDX-License-Identifier: Apache-2.0
// Good job files: defaults, every key, and what a driver gets of them.
#include "tests/unit/jobs/support.hpp"

namespace berth::jobs {
namespace {

using ::testing::ElementsAre;

TEST(Job, DefaultsAreThoseOfTheReference) {
  const Job job = good("job: a\n");
  EXPECT_EQ(job.driver, DriverKind::local);
  EXPECT_EQ(job.containers.min, 1U);
  EXPECT_EQ(job.containers.max, 1U);
  EXPECT_EQ(job.containers.spare, 0U);
  EXPECT_EQ(job.slots, 10U);
  EXPECT_FALSE(job.resources.has_value());
  EXPECT_FALSE(job.slot.cpu.has_value());
  EXPECT_EQ(job.slot.memory_bytes, std::uint64_t{512} << 20);
  EXPECT_EQ(job.slot.pids, 128U);
  EXPECT_EQ(job.slot.disk_bytes, std::uint64_t{256} << 20);
  EXPECT_EQ(job.slot.network, NetworkMode::none);
  EXPECT_EQ(job.slot.storage, StorageMode::memory);
  EXPECT_FALSE(job.slot.output_kill_bytes.has_value());
  EXPECT_EQ(job.isolation, IsolationLevel::strict);
  EXPECT_FALSE(job.lease.ttl.has_value());
  EXPECT_EQ(job.lease.idle.count(), 600);
  EXPECT_EQ(job.trajectory_count, 1U);
  EXPECT_TRUE(job.steps.empty());
  EXPECT_TRUE(job.named_limits.empty());
  EXPECT_TRUE(job.notes.empty());
}

TEST(Job, DefaultsOfAStepAreThoseOfTheReference) {
  const Step step = good("job: a\nsteps:\n  - {name: s, tool: bash, args: {command: x}}\n").steps.at(0);
  EXPECT_EQ(step.timeout.count(), 30);
  EXPECT_FALSE(step.expect.has_value());
  EXPECT_FALSE(step.continue_after_failure);
  EXPECT_EQ(step.at.line, 3U);
  EXPECT_EQ(step.at.column, 5U);
}

constexpr const char* kFull = R"(
job: py-pool-2
driver: docker
image: python:3.12-slim
containers: {min: 0, max: 8, spare: 4}
slots: 20
resources: {cpu: 2, memory: 2GiB, pids: 2048}
slot: {cpu: 0.5, memory: 1GiB, pids: 64, disk: 100MB, network: full, storage: host, output_kill: 10MiB}
isolation: best-effort
env: {LANG: C.UTF-8, PORT: 8080}
setup: ["pip install numpy"]
inputs: [{from: ./project, to: /workspace/project}]
outputs: [{from: report.xml, to: "out/{{trajectory}}/", required: true}]
mounts: []
lease: {ttl: 1h, idle: 1m30s}
trajectories: 20
vars: {who: world, n: 010}
steps:
  - name: hello
    tool: bash
    args: {command: "echo $WHO from {{index}}"}
    env: {WHO: "{{vars.who}}", N: 5}
    timeout: 500ms
    expect: {output: "x {{index}}", contains: 5, matches: "^x", exit_code: 3}
    continue: true
docker: {}
nomad: {task_driver: berth, datacenters: [dc1], priority: 50, constraints: [{attribute: a, operator: "=", value: 1}],
        affinities: [{attribute: b, weight: -50}], meta: {k: v}, network_mode: host}
insecure: true
)";

TEST(Job, EveryKeyIsRead) {
  const Job job = good(kFull);
  EXPECT_EQ(job.name, "py-pool-2");
  EXPECT_EQ(job.driver, DriverKind::docker);
  EXPECT_EQ(job.image, "python:3.12-slim");
  EXPECT_EQ(job.containers.min, 0U);
  EXPECT_EQ(job.containers.max, 8U);
  EXPECT_EQ(job.containers.spare, 4U);
  EXPECT_EQ(job.slots, 20U);
  ASSERT_TRUE(job.resources.has_value());
  EXPECT_EQ(job.resources->memory_bytes, std::uint64_t{2} << 30);
  EXPECT_EQ(job.slot.cpu, 0.5);
  EXPECT_EQ(job.slot.disk_bytes, 100'000'000U);
  EXPECT_EQ(job.slot.storage, StorageMode::host);
  EXPECT_EQ(job.slot.output_kill_bytes, std::uint64_t{10} << 20);
  EXPECT_THAT(job.named_limits, ElementsAre("cpu", "memory", "pids", "disk"));
  EXPECT_EQ(job.isolation, IsolationLevel::best_effort);
  EXPECT_EQ(job.env.at("PORT"), "8080");
  EXPECT_THAT(job.setup, ElementsAre("pip install numpy"));
  EXPECT_EQ(job.lease.ttl->count(), 3600);
  EXPECT_EQ(job.lease.idle.count(), 90);
  EXPECT_EQ(job.trajectory_count, 20U);
  EXPECT_EQ(job.vars.at("n"), "010");
  EXPECT_TRUE(job.insecure);
}

TEST(Job, FilesAndStepsAreRead) {
  const Job job = good(kFull);
  EXPECT_EQ(job.inputs.at(0).from, "./project");
  EXPECT_EQ(job.inputs.at(0).to, "/workspace/project");
  EXPECT_EQ(job.outputs.at(0).to, "out/{{trajectory}}/");
  EXPECT_TRUE(job.outputs.at(0).required);
  const Step& step = job.steps.at(0);
  EXPECT_EQ(step.args, R"({"command":"echo $WHO from {{index}}"})");
  EXPECT_EQ(step.env.at("N"), "5");
  EXPECT_EQ(step.timeout.count(), 0.5);
  EXPECT_EQ(step.expect->contains, "5");
  EXPECT_EQ(step.expect->exit_code, 3);
  EXPECT_TRUE(step.continue_after_failure);
}

TEST(Job, NoneIsTheSameAsNotNamed) {
  const Job job = good(
      "job: a\nslot: {cpu: none, output_kill: none}\nlease: {ttl: none}\nresources: none\nsteps: [{name: s, tool: "
      "bash, args: {command: x}, expect: none}]\n");
  EXPECT_FALSE(job.slot.cpu.has_value());
  EXPECT_FALSE(job.lease.ttl.has_value());
  EXPECT_FALSE(job.resources.has_value());
  EXPECT_FALSE(job.steps.at(0).expect.has_value());
  EXPECT_TRUE(job.named_limits.empty());
}

TEST(Job, ContainerSpecCarriesWhatADriverNeeds) {
  const ContainerSpec spec = container_spec(good(kFull), "c-1");
  EXPECT_EQ(spec.id, "c-1");
  EXPECT_EQ(spec.slots, 20U);
  EXPECT_EQ(spec.slot.memory_bytes, std::uint64_t{1} << 30);
  EXPECT_EQ(spec.isolation, IsolationLevel::best_effort);
  EXPECT_THAT(spec.named_limits, ElementsAre("cpu", "memory", "pids", "disk"));
  EXPECT_EQ(spec.env.at("LANG"), "C.UTF-8");
  EXPECT_THAT(spec.setup, ElementsAre("pip install numpy"));
  EXPECT_TRUE(container_spec_from_json(container_spec_to_json(spec)).has_value());
}

TEST(Job, RootfsIsRelativeToTheJobFile) {
  EXPECT_EQ(container_spec(good("job: a\nrootfs: ../images/x\n", {}, "/srv/jobs"), "c").rootfs, "/srv/images/x");
}

TEST(Job, LimitsAtTheEndsOfTheirRangesSuitAContainer) {
  for (const char* slot : {"{cpu: 0.01, memory: 4MiB, pids: 4, disk: 1MiB, output_kill: 1B}",
                           "{cpu: 4096, memory: 64TiB, pids: 1000000, disk: 64TiB, output_kill: 64TiB}"}) {
    const auto spec = container_spec(good(std::string("job: a\nslots: 1000\nslot: ") + slot + "\n"), "c");
    EXPECT_TRUE(container_spec_from_json(container_spec_to_json(spec)).has_value()) << slot;
  }
}

TEST(Job, IsReadFromAFileWithItsFolder) {
  const Folder folder;
  const auto job = load_job(folder.write("x.yaml", "job: a\n"));
  ASSERT_TRUE(job.has_value());
  EXPECT_EQ(job->directory, folder.path());
}

TEST(Job, AMissingFileIsNamed) {
  const auto job = load_job("/nonexistent/job.yaml");
  ASSERT_FALSE(job.has_value());
  EXPECT_THAT(to_string(job.error().at(0)), ::testing::HasSubstr("/nonexistent/job.yaml"));
  EXPECT_THAT(to_string(job.error().at(0)), ::testing::HasSubstr("No such file"));
}

TEST(Job, AFolderIsNoJobFile) {
  EXPECT_FALSE(load_job("/tmp").has_value());
}

}  // namespace
}  // namespace berth::jobs

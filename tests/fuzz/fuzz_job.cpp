// SPDX-License-Identifier: Apache-2.0
// Any bytes as a job file: an answer comes, complaints name the file, and what is accepted expands.
#include "jobs/job.hpp"
#include "tests/fuzz/oracle.hpp"

using berth::fuzz::promise;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const auto job = berth::jobs::parse_job(berth::fuzz::as_text(data, size), "fuzz.yaml", "");
  if (!job) {
    promise(!job.error().empty(), "a refused job has a complaint");
    for (const auto& complaint : job.error()) promise(!to_string(complaint).empty(), "a complaint has text");
    return 0;
  }
  berth::jobs::Trajectory trajectory;
  trajectory.name = job->name + "-0";
  if (!job->trajectories_from.empty()) return 0;
  const auto work = berth::jobs::expand(*job, trajectory);
  promise(work.has_value() || !work.error().empty(), "what cannot be expanded says why");
  const berth::ContainerSpec spec = berth::jobs::container_spec(*job, "fuzz");
  promise(spec.slots > 0, "a container has slots");
  return 0;
}

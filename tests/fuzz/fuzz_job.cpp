// SPDX-License-Identifier: Apache-2.0
// Any bytes as a job file: an answer comes, every complaint has its place in the file, and what is accepted expands.
#include <algorithm>

#include "jobs/job.hpp"
#include "tests/fuzz/oracle.hpp"

using berth::fuzz::promise;

namespace {

void has_a_place(const berth::jobs::Diagnostic& complaint, std::string_view text) {
  const auto lines = static_cast<std::size_t>(std::count(text.begin(), text.end(), '\n')) + 1;
  promise(!complaint.message.empty(), "a complaint has text");
  promise(complaint.file == "fuzz.yaml", "a complaint names its file");
  promise(complaint.at.line >= 1 && complaint.at.line <= lines, "a complaint names a line of the file");
  promise(complaint.at.column >= 1 && complaint.at.column <= text.size() + 1, "a complaint names a column");
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text = berth::fuzz::as_text(data, size);
  const auto job = berth::jobs::parse_job(text, "fuzz.yaml", "");
  if (!job) {
    promise(!job.error().empty(), "a refused job has a complaint");
    for (const auto& complaint : job.error()) {
      // Where there are too many, the last one says so of the whole file.
      const bool of_the_file = &complaint == &job.error().back() && job.error().size() > 1 && complaint.at.line == 0;
      if (!of_the_file) has_a_place(complaint, text);
    }
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

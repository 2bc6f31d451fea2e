// SPDX-License-Identifier: Apache-2.0
#include <filesystem>

#include "jobs/job.hpp"

namespace berth::jobs {

ContainerSpec container_spec(const Job& job, std::string container_id) {
  ContainerSpec spec;
  spec.id = std::move(container_id);
  spec.slots = job.slots;
  spec.slot = job.slot;
  spec.isolation = job.isolation;
  spec.named_limits = job.named_limits;
  spec.env = job.env;
  spec.setup = job.setup;
  if (!job.rootfs.empty())
    spec.rootfs = (std::filesystem::path(job.directory) / job.rootfs).lexically_normal().string();
  return spec;
}

}  // namespace berth::jobs

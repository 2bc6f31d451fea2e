// SPDX-License-Identifier: Apache-2.0
// What a driver has to know of a job. Pure.
#pragma once

#include <cstdint>
#include <string>

#include "drivers/driver.hpp"
#include "jobs/job.hpp"

namespace berth::agent {

[[nodiscard]] drivers::Wanted wanted_of(const jobs::Job& job, const std::string& container);

// Changes when containers of the job would be other ones.
[[nodiscard]] std::uint64_t version_of(const jobs::Job& job);

}  // namespace berth::agent

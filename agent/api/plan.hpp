// SPDX-License-Identifier: Apache-2.0
// What applying a job would change. Pure functions.
#pragma once

#include <nlohmann/json_fwd.hpp>
#include <string>

#include "jobs/job.hpp"

namespace berth::agent {

// What a pool is made of: everything of a job but the work that `berth run` does in it. JSON object, keys sorted.
[[nodiscard]] nlohmann::json pool_description(const jobs::Job& job);

// The same for everybody's eyes: values of the environment are hidden.
[[nodiscard]] nlohmann::json public_description(const jobs::Job& job);

// {"job", "action": create | update | none, "changes": [{"key", "from", "to"}], "replaces_containers", "notes"};
// `now` null: there is no such job yet.
// Values of the environment are hidden.
[[nodiscard]] nlohmann::json plan_of(const jobs::Job* now, const jobs::Job& wanted);

}  // namespace berth::agent

// SPDX-License-Identifier: Apache-2.0
// The parts of the table of keys that stand in files of their own. Internal to jobs/keys.cpp.
#pragma once

#include "jobs/keys.hpp"

namespace berth::jobs {

[[nodiscard]] const ObjectRule& containers_rule();
[[nodiscard]] const ObjectRule& resources_rule();
[[nodiscard]] const ObjectRule& slot_rule();
[[nodiscard]] const ObjectRule& lease_rule();
[[nodiscard]] const ObjectRule& docker_rule();
[[nodiscard]] const ObjectRule& nomad_rule();

}  // namespace berth::jobs

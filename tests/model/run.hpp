// SPDX-License-Identifier: Apache-2.0
// One sequence: the pool, the world around it and the reference that watches both.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "agent/pool/pool.hpp"
#include "tests/model/coverage.hpp"
#include "tests/model/operation.hpp"
#include "tests/model/reference.hpp"

namespace berth::pool::model {

// A fault planted for the test: rules that are wrong, or a change to what enters or leaves the pool that amounts to a
// fault inside it. The reference sees the true events and the changed effects.
struct Plant {
  std::string name;
  Rules rules = default_rules();
  std::function<void(Event&, const Pool&)> spoil_event;
  std::function<void(std::vector<Effect>&)> spoil_effects;
};

struct Failure {
  Violation violation;
  std::size_t step = 0;  // index of the operation; the length of the list: while everything was taken down
};

[[nodiscard]] std::optional<Failure> run(const Operations& operations, const Plant& plant = {},
                                         Coverage* coverage = nullptr);

// Whether the pool does the same when what is due comes with an event as when a Tick brings it before.
[[nodiscard]] bool same_with_and_without_ticks(const Operations& operations);

// The shortest list found that breaks the same invariant.
[[nodiscard]] Operations shrink(Operations operations, const Failure& failure, const Plant& plant = {});

}  // namespace berth::pool::model

// SPDX-License-Identifier: Apache-2.0
// The invariants of design section 6 against random operations and faults. A failing sequence is printed with its seed
// and in its shortest form; BERTH_MODEL_SEED=N runs from that seed, BERTH_MODEL_SEQUENCES=N that many.
#include <cstdlib>
#include <gtest/gtest.h>
#include <iostream>
#include <string>

#include "tests/model/plants.hpp"
#include "tests/model/run.hpp"

namespace berth::pool::model {
namespace {

constexpr std::uint64_t kSequences = 50000;
constexpr std::size_t kSteps = 100;
constexpr std::uint64_t kSequencesPerPlant = 3000;

std::uint64_t from_environment(const char* name, std::uint64_t otherwise) {
  const char* text = std::getenv(name);
  return text == nullptr ? otherwise : std::strtoull(text, nullptr, 10);
}

std::uint64_t first_seed() {
  return from_environment("BERTH_MODEL_SEED", 1);
}

std::string describe(std::uint64_t seed, const Failure& failure, const Operations& shortest) {
  return "seed " + std::to_string(seed) + ", step " + std::to_string(failure.step) + ": invariant " +
         std::to_string(failure.violation.invariant) + ": " + failure.violation.what + "\n  shortest (" +
         std::to_string(shortest.size()) + " steps): " + to_string(shortest);
}

TEST(PoolModel, HoldsItsInvariantsAndTakesEveryTransition) {
  const std::uint64_t first = first_seed();
  const std::uint64_t count = from_environment("BERTH_MODEL_SEQUENCES", kSequences);
  std::cout << "seeds " << first << " .. " << first + count - 1 << ", " << kSteps << " steps each\n";
  Coverage coverage;
  for (std::uint64_t seed = first; seed < first + count; ++seed) {
    const Operations operations = random_operations(seed, kSteps);
    const auto failure = run(operations, {}, &coverage);
    ASSERT_FALSE(failure) << describe(seed, *failure, shrink(operations, *failure));
  }
  std::cout << coverage.report();
  if (count < kSequences) return;
  EXPECT_EQ(coverage.missing(), 0U) << "transitions that were never taken";
}

TEST(PoolModel, WhatIsDueComesFirstWhateverTheEvent) {
  const std::uint64_t first = first_seed();
  for (std::uint64_t seed = first; seed < first + kSequencesPerPlant; ++seed) {
    ASSERT_TRUE(same_with_and_without_ticks(random_operations(seed, kSteps))) << "seed " << seed;
  }
}

class PlantedFault : public testing::TestWithParam<std::size_t> {};

TEST_P(PlantedFault, IsFound) {
  const Plant plant = plants()[GetParam()];
  const std::uint64_t first = first_seed();
  for (std::uint64_t seed = first; seed < first + kSequencesPerPlant; ++seed) {
    const Operations operations = random_operations(seed, kSteps);
    const auto failure = run(operations, plant);
    if (!failure) continue;
    std::cout << plant.name << ": found after " << seed - first + 1 << " sequences\n  "
              << describe(seed, *failure, shrink(operations, *failure, plant)) << "\n";
    return;
  }
  FAIL() << plant.name << ": not found in " << kSequencesPerPlant << " sequences from seed " << first;
}

INSTANTIATE_TEST_SUITE_P(Pool, PlantedFault, testing::Range<std::size_t>(0, plants().size()),
                         [](const auto& one) { return plants()[one.param].name; });

}  // namespace
}  // namespace berth::pool::model

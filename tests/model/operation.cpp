// SPDX-License-Identifier: Apache-2.0
#include "tests/model/operation.hpp"

#include <array>
#include <numeric>
#include <string_view>

namespace berth::pool::model {
namespace {

struct Kind {
  std::string_view name;
  unsigned weight;
};

// In the order of What.
constexpr std::array<Kind, kWhats> kKinds{{
    {"acquire", 80},      {"cancel", 8},      {"release", 30},      {"use", 6},        {"renew", 4},
    {"call_start", 9},    {"call_end", 9},    {"run_call", 24},     {"late_call", 12}, {"reset_done", 60},
    {"reset_dropped", 4}, {"start_done", 60}, {"stop_done", 30},    {"die", 5},        {"suspect", 8},
    {"healthy", 12},      {"reboot", 5},      {"foreign_reset", 4}, {"mail", 10},      {"repeat", 12},
    {"drain", 3},         {"apply", 8},       {"remove", 2},        {"close", 2},      {"crash", 4},
    {"sleep", 18},        {"tick", 16},
}};

What draw(Random& random) {
  static const unsigned total = std::accumulate(kKinds.begin(), kKinds.end(), 0U,
                                                [](unsigned sum, const Kind& kind) { return sum + kind.weight; });
  unsigned at = random.below(total);
  for (unsigned i = 0; i < kWhats; ++i) {
    if (at < kKinds[i].weight) return static_cast<What>(i);
    at -= kKinds[i].weight;
  }
  return What::tick;
}

}  // namespace

Operations random_operations(std::uint64_t seed, std::size_t length) {
  Random random(seed);
  Operations operations;
  operations.reserve(length);
  operations.push_back(
      {What::apply, static_cast<std::uint16_t>(random.next()), static_cast<std::uint16_t>(random.next())});
  while (operations.size() < length) {
    const What what = draw(random);
    const std::uint64_t bits = random.next();
    operations.push_back({what, static_cast<std::uint16_t>(bits), static_cast<std::uint16_t>(bits >> 16)});
  }
  return operations;
}

std::string to_string(const Operations& operations) {
  std::string text;
  for (const Operation& operation : operations) {
    text.append(kKinds[static_cast<unsigned>(operation.what)].name);
    text.append("(" + std::to_string(operation.a) + "," + std::to_string(operation.b) + ") ");
  }
  return text;
}

}  // namespace berth::pool::model

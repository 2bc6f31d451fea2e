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
    {"acquire", 28},  {"cancel", 3},   {"release", 10},  {"use", 2},         {"renew", 1},         {"call_start", 3},
    {"call_end", 3},  {"run_call", 8}, {"late_call", 4}, {"reset_done", 16}, {"reset_dropped", 2}, {"start_done", 18},
    {"stop_done", 8}, {"die", 2},      {"suspect", 3},   {"healthy", 4},     {"reboot", 2},        {"foreign_reset", 1},
    {"mail", 3},      {"repeat", 4},   {"drain", 1},     {"apply", 2},       {"remove", 1},        {"close", 1},
    {"crash", 2},     {"sleep", 7},    {"tick", 5},
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

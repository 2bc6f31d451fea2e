// SPDX-License-Identifier: Apache-2.0
#include "drivers/docker/pull_progress.hpp"

#include <array>
#include <cstdio>

namespace berth::drivers::docker {
namespace {

constexpr std::size_t kMostLayers = 1000;

std::string megabytes(std::uint64_t bytes) {
  std::array<char, 32> text{};
  std::snprintf(text.data(), text.size(), "%.1f MB", static_cast<double>(bytes) / 1e6);
  return text.data();
}

}  // namespace

void PullProgress::note(const PullLine& line) {
  // Lines about the whole image carry its tag, or nothing, where layers carry their id.
  if (line.layer.empty() || line.status.starts_with("Pulling from")) return;
  if (layers_.size() >= kMostLayers && !layers_.contains(line.layer)) return;
  Layer& layer = layers_[line.layer];
  layer.done = line.status == "Pull complete" || line.status == "Already exists";
  if (line.status != "Downloading") return;
  layer.current = line.current.value_or(layer.current);
  layer.total = line.total.value_or(layer.total);
}

std::string PullProgress::text() const {
  std::size_t done = 0;
  std::uint64_t current = 0;
  std::uint64_t total = 0;
  for (const auto& [id, layer] : layers_) {
    if (layer.done) ++done;
    current += layer.done ? layer.total : layer.current;
    total += layer.total;
  }
  std::string text = std::to_string(done) + " of " + std::to_string(layers_.size()) + " layers";
  if (total > 0) text += ", " + megabytes(current) + " of " + megabytes(total);
  return text;
}

}  // namespace berth::drivers::docker

// SPDX-License-Identifier: Apache-2.0
#include "cli/remote/pool_text.hpp"

#include <cstdio>

#include "cli/terminal.hpp"

namespace berth::cli {

std::optional<PoolText> pool_text(const JobOptions& options) {
  const auto job = load(options);
  if (!job) return std::nullopt;
  jobs::LoadOptions how;
  how.sets = options.sets;
  if (!options.driver.empty()) how.driver = job->driver;
  auto yaml = jobs::pool_yaml(options.file, how);
  if (!yaml) {
    for (const jobs::Diagnostic& each : yaml.error())
      std::fprintf(stderr, "%s\n", harmless_line(jobs::to_string(each), 4000).c_str());
    return std::nullopt;
  }
  return PoolText{job->name, *std::move(yaml), !job->inputs.empty()};
}

bool is_job_file(std::string_view text) {
  return text.find('/') != std::string_view::npos || text.ends_with(".yaml") || text.ends_with(".yml");
}

}  // namespace berth::cli

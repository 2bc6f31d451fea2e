// SPDX-License-Identifier: Apache-2.0
#include "cli/remote/pool_text.hpp"

#include <cstdio>

#include "cli/terminal.hpp"

namespace berth::cli {

void print_complaints(const jobs::Diagnostics& complaints) {
  for (const jobs::Diagnostic& each : complaints)
    std::fprintf(stderr, "%s\n", harmless_line(jobs::to_string(each), 4000).c_str());
}

std::optional<PoolText> pool_text(const JobOptions& options, const jobs::Job& job) {
  jobs::LoadOptions how;
  how.sets = options.sets;
  if (!options.driver.empty()) how.driver = job.driver;
  auto yaml = jobs::pool_yaml(options.file, how);
  if (yaml) return PoolText{job.name, *std::move(yaml), jobs::pool_inputs(job)};
  print_complaints(yaml.error());
  return std::nullopt;
}

bool is_job_file(std::string_view text) {
  return text.find('/') != std::string_view::npos || text.ends_with(".yaml") || text.ends_with(".yml");
}

}  // namespace berth::cli

// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <array>
#include <filesystem>

#include "base/fd.hpp"
#include "jobs/build.hpp"
#include "jobs/check.hpp"
#include "jobs/set.hpp"
#include "jobs/uses.hpp"
#include "jobs/write.hpp"

namespace berth::jobs {
namespace {

namespace fs = std::filesystem;

NodePtr read_with_options(std::string_view yaml, const LoadOptions& options, Complaints& complaints) {
  NodePtr root = read_tree(yaml, 0, complaints);
  if (!root || root->kind != NodeKind::map) return root;
  for (const std::string& set : options.sets) root = apply_set(root, set, complaints);
  if (options.driver) {
    const std::string driver(to_string(*options.driver));
    root = with_text(root, "driver", driver, complaints.add_source("--driver " + driver), complaints);
  }
  return root;
}

// The trajectories that uses are held against. Their own errors come once, without what follows from them.
void check_trajectories(const Node& root, const std::vector<Use>& uses, const Job& job, Complaints& complaints) {
  if (job.directory.empty() && !job.trajectories_from.empty()) return;
  const auto trajectories = load_trajectories(job);
  if (trajectories) return check_uses(uses, job, *trajectories, complaints);
  for (const Diagnostic& diagnostic : trajectories.error()) {
    if (diagnostic.at.line > 0) {
      complaints.add_line(diagnostic.file, diagnostic.at.line, diagnostic.message);
    } else {
      const Node* from = find(find(&root, "trajectories"), "from");
      complaints.add(from == nullptr ? root.place : from->place, "trajectories.from: " + diagnostic.message);
    }
  }
}

// Braces that begin a template stand for themselves when they are doubled.
std::string as_literal(std::string text) {
  constexpr std::string_view kBraces = "{{";
  for (auto at = text.find(kBraces); at != std::string::npos; at = text.find(kBraces, at + 2 * kBraces.size()))
    text.insert(at, kBraces);
  return text;
}

}  // namespace

tl::expected<Job, Diagnostics> parse_job(std::string_view yaml, const std::string& file_name,
                                         const std::string& directory, const LoadOptions& options) {
  Complaints complaints(file_name);
  Job job;
  job.file = file_name;
  job.directory = directory;
  if (const NodePtr root = read_with_options(yaml, options, complaints)) {
    check_job(*root, complaints);
    build_job(*root, job, complaints);
    check_rules(*root, job, complaints);
    const auto uses = collect_uses(*root, job, complaints);
    check_trajectories(*root, uses, job, complaints);
  }
  if (!complaints.empty()) return tl::unexpected(complaints.take());
  return job;
}

tl::expected<Job, Diagnostics> load_job(const std::string& path, const LoadOptions& options) {
  std::error_code problem;
  const fs::path absolute = fs::absolute(path, problem);
  const auto text = read_file(path, TreeBounds{}.max_bytes + 1);
  if (!text) return tl::unexpected(Diagnostics{Diagnostic{path, {}, text.error().message}});
  return parse_job(*text, path, absolute.parent_path().string(), options);
}

tl::expected<std::string, Diagnostics> pool_yaml(const std::string& path, const LoadOptions& options) {
  constexpr std::array<std::string_view, 5> kOfTheCommand{"steps", "trajectories", "vars", "inputs", "outputs"};
  const auto text = read_file(path, TreeBounds{}.max_bytes + 1);
  if (!text) return tl::unexpected(Diagnostics{Diagnostic{path, {}, text.error().message}});
  Complaints complaints(path);
  const NodePtr root = read_with_options(*text, options, complaints);
  if (!complaints.empty() || !root) return tl::unexpected(complaints.take());
  Node pool = *root;
  std::erase_if(pool.entries, [&](const Entry& entry) {
    return std::find(kOfTheCommand.begin(), kOfTheCommand.end(), entry.key) != kOfTheCommand.end();
  });
  return to_yaml(pool);
}

std::string with_inputs(const std::string& pool_yaml, const std::vector<Input>& inputs) {
  if (inputs.empty()) return pool_yaml;
  std::string list;
  for (const Input& input : inputs) {
    list += list.empty() ? "" : ", ";
    list += "{from: " + yaml_text(as_literal(input.from)) + ", to: " + yaml_text(as_literal(input.to)) + "}";
  }
  const auto end = pool_yaml.rfind('}');
  return pool_yaml.substr(0, end) + ", inputs: [" + list + "]" + pool_yaml.substr(end);
}

}  // namespace berth::jobs

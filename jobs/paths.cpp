// SPDX-License-Identifier: Apache-2.0
#include "jobs/paths.hpp"

#include <filesystem>

#include "jobs/complaints.hpp"

namespace berth::jobs {
namespace {

namespace fs = std::filesystem;
constexpr std::string_view kWorkspace = "/workspace";

// "a/../b/" -> "b/", "." for nothing left.
std::string normalised(std::string_view path) {
  std::string out = fs::path(path).lexically_normal().string();
  return out.empty() ? "." : out;
}

bool leaves(const std::string& relative) {
  return relative == ".." || relative.starts_with("../");
}

// Whether `path` stays in the folder that `written` names before its first template. Both relative.
bool stays_in_written_folder(std::string_view written, std::string_view path) {
  const auto open = written.find("{{");
  if (open == std::string_view::npos) return true;
  const auto slash = written.substr(0, open).rfind('/');
  if (slash == std::string_view::npos) return true;
  const std::string folder = normalised(written.substr(0, slash));
  const std::string rest = fs::path(normalised(path)).lexically_relative(folder).string();
  return !rest.empty() && !leaves(rest);
}

OrMessage<std::string> relative_target(std::string_view written, std::string_view path, std::string_view base) {
  if (path.empty()) return tl::unexpected(std::string("the path is empty"));
  if (path.find('\0') != std::string_view::npos) return tl::unexpected(in_quotes(path) + " holds a NUL character");
  std::string target = normalised(path);
  if (leaves(target)) return tl::unexpected(in_quotes(path) + " leaves " + std::string(base));
  if (!stays_in_written_folder(written, path)) {
    return tl::unexpected(in_quotes(path) + " leaves the folder that stands before its template");
  }
  return target;
}

// Without "/workspace/" in front.
std::string_view inside_workspace(std::string_view path) {
  path.remove_prefix(kWorkspace.size());
  while (path.starts_with('/')) path.remove_prefix(1);
  return path.empty() ? "." : path;
}

bool is_below_workspace(std::string_view path) {
  return path == kWorkspace || (path.starts_with(kWorkspace) && path[kWorkspace.size()] == '/');
}

}  // namespace

OrMessage<std::string> input_target(std::string_view written, std::string_view path) {
  if (!is_below_workspace(path)) {
    return tl::unexpected(in_quotes(path) + " is not below /workspace, for example /workspace/project");
  }
  const std::string_view written_inside = is_below_workspace(written) ? inside_workspace(written) : "";
  auto inside = relative_target(written_inside, inside_workspace(path), kWorkspace);
  if (!inside)
    return tl::unexpected(in_quotes(path) + " leaves /workspace or the folder that stands before its template");
  if (*inside != "." && *inside != "./") return std::string(kWorkspace) + '/' + *inside;
  return std::string(kWorkspace) + (path.ends_with('/') ? "/" : "");
}

OrMessage<std::string> output_source(std::string_view written, std::string_view path) {
  if (is_below_workspace(path)) {
    return relative_target(is_below_workspace(written) ? inside_workspace(written) : "", inside_workspace(path),
                           kWorkspace);
  }
  if (path.starts_with('/')) return tl::unexpected(in_quotes(path) + " is not below /workspace");
  return relative_target(written, path, kWorkspace);
}

OrMessage<std::string> output_target(std::string_view written, std::string_view path) {
  if (path.starts_with('/'))
    return tl::unexpected(in_quotes(path) + " is absolute; outputs go below the job file's folder");
  return relative_target(written, path, "the job file's folder");
}

}  // namespace berth::jobs

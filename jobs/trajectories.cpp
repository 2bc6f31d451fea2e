// SPDX-License-Identifier: Apache-2.0
#include "jobs/trajectories.hpp"

#include <algorithm>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <unordered_map>

#include "base/fd.hpp"
#include "base/text.hpp"
#include "jobs/complaints.hpp"

namespace berth::jobs {
namespace {

namespace fs = std::filesystem;

std::string default_name(const Job& job, std::size_t index) {
  return job.name + '-' + std::to_string(index);
}

std::vector<Trajectory> numbered(const Job& job) {
  std::vector<Trajectory> all;
  all.reserve(job.trajectory_count);
  for (std::size_t i = 0; i < job.trajectory_count; ++i) all.push_back(Trajectory{default_name(job, i), i, "null", 0});
  return all;
}

bool is_good_name(std::string_view name) {
  const auto is_control = [](char c) { return static_cast<unsigned char>(c) < 0x20 || c == 0x7F; };
  return !name.empty() && name.size() <= kMaxNameBytes && std::none_of(name.begin(), name.end(), is_control);
}

class ItemReader {
 public:
  explicit ItemReader(const Job& job) : job_(job), file_(items_file(job)), complaints_(job.file) {}

  tl::expected<std::vector<Trajectory>, Diagnostics> read(std::string_view text) {
    for (std::size_t number = 1; !text.empty() && !complaints_.full(); ++number) {
      const auto end = text.find('\n');
      line(text.substr(0, end), number);
      text.remove_prefix(end == std::string_view::npos ? text.size() : end + 1);
    }
    if (all_.empty() && complaints_.empty()) complaints_.add_line(file_, 0, "there is no line with an item in it");
    if (!complaints_.empty()) return tl::unexpected(complaints_.take());
    return std::move(all_);
  }

 private:
  void line(std::string_view text, std::size_t number) {
    text = trim(text);
    if (text.empty()) return;
    if (all_.size() >= static_cast<std::size_t>(kMaxTrajectories)) {
      return complaints_.add_line(file_, number, fmt_too_many());
    }
    const auto item = parse_json(text, kItemBounds);
    if (!item) return complaints_.add_line(file_, number, item.error().message);
    if (!item->is_object()) return complaints_.add_line(file_, number, "a line must be a JSON object");
    Trajectory trajectory{default_name(job_, all_.size()), all_.size(), std::string(text), number};
    if (const auto name = item->find("trajectory"); name != item->end()) {
      if (!name->is_string() || !is_good_name(name->get_ref<const std::string&>())) {
        return complaints_.add_line(file_, number,
                                    "trajectory must be a text of 1 to 200 bytes without control characters");
      }
      trajectory.name = name->get<std::string>();
    }
    const auto [first, fresh] = lines_.emplace(trajectory.name, number);
    if (!fresh) {
      return complaints_.add_line(
          file_, number,
          "trajectory " + in_quotes(trajectory.name) + " is there already, in line " + std::to_string(first->second));
    }
    all_.push_back(std::move(trajectory));
  }

  static std::string fmt_too_many() {
    return "more than " + std::to_string(static_cast<std::size_t>(kMaxTrajectories)) + " trajectories";
  }

  const Job& job_;
  std::string file_;
  Complaints complaints_;
  std::vector<Trajectory> all_;
  std::unordered_map<std::string, std::size_t> lines_;
};

}  // namespace

std::string items_file(const Job& job) {
  const fs::path from(job.trajectories_from);
  return from.is_absolute() ? from.string() : (fs::path(job.file).parent_path() / from).string();
}

tl::expected<std::vector<Trajectory>, Diagnostics> load_trajectories(const Job& job) {
  if (job.trajectories_from.empty()) return numbered(job);
  const auto text = read_file((fs::path(job.directory) / job.trajectories_from).string(), kMaxJsonlBytes);
  if (!text) return tl::unexpected(Diagnostics{Diagnostic{items_file(job), {}, text.error().message}});
  return ItemReader(job).read(*text);
}

}  // namespace berth::jobs

// SPDX-License-Identifier: Apache-2.0
// berth jobs, containers, slots, leases
#include <array>
#include <cstdio>
#include <cstdlib>
#include <nlohmann/json.hpp>

#include "base/json.hpp"
#include "base/text.hpp"
#include "cli/remote/commands.hpp"
#include "cli/remote/remote.hpp"
#include "cli/remote/table.hpp"
#include "cli/terminal.hpp"

namespace berth::cli {

namespace asio = boost::asio;

namespace {

// The value at "slots.available" as a cell.
std::string cell(const Json& row, const std::string& path) {
  const Json* at = &row;
  for (std::size_t begin = 0; begin <= path.size();) {
    const std::size_t end = std::min(path.find('.', begin), path.size());
    if (!at->is_object() || !at->contains(path.substr(begin, end - begin))) return {};
    at = &at->at(path.substr(begin, end - begin));
    begin = end + 1;
  }
  if (at->is_null()) return {};
  return at->is_string() ? at->get<std::string>() : dump_json(*at);
}

struct Column {
  std::string title;
  std::string path;
  double unit = 0;  // of a number that is shown in units of so many; 0: as it is
};
struct List {
  std::string key;  // of the answer's array, and the last part of the route
  std::vector<Column> columns;
};

List list_of(Listing what) {
  switch (what) {
    case Listing::jobs:
      return {"jobs",
              {{"JOB", "job"},
               {"STATE", "state"},
               {"CONTAINERS", "containers.up"},
               {"MAX", "containers.max"},
               {"FREE", "slots.available"},
               {"LEASED", "slots.leased"},
               {"WAITING", "waiting"},
               {"LAST FAILURE", "last_failure"}}};
    case Listing::containers:
      return {"containers",
              {{"CONTAINER", "container"},
               {"JOB", "job"},
               {"STATE", "state"},
               {"SLOTS", "slots"},
               {"FREE", "available"},
               {"LEASED", "leased"},
               {"CPU S", "usage.cpu_seconds", 1},
               {"MEM MIB", "usage.memory_bytes", 1 << 20},
               {"PIDS", "usage.pids"},
               {"ISOLATION", "isolation.level"},
               {"CAUSE", "cause"}}};
    case Listing::slots:
      return {"slots",
              {{"CONTAINER", "alloc_id"},
               {"SLOT", "slot_id"},
               {"JOB", "job"},
               {"STATE", "state"},
               {"TRAJECTORY", "trajectory_id"},
               {"LEASE", "lease"},
               {"CAUSE", "cause"}}};
    case Listing::leases: break;
  }
  return {"leases",
          {{"LEASE", "lease"},
           {"JOB", "job"},
           {"TRAJECTORY", "trajectory"},
           {"CONTAINER", "container"},
           {"SLOT", "slot"},
           {"CALLS", "calls"},
           {"IDLE AT", "idle_at"}}};
}

std::string in_units(const std::string& text, double unit) {
  if (unit == 0 || text.empty()) return text;
  std::array<char, 48> shown{};
  std::snprintf(shown.data(), shown.size(), "%.1f", std::strtod(text.c_str(), nullptr) / unit);
  return shown.data();
}

void show(const List& list, const Json& all, bool json) {
  std::vector<Row> rows(1);
  std::string lines;
  for (const Column& column : list.columns) rows.front().push_back(column.title);
  for (const Json& each : all) {
    if (json) lines += dump_json(each) + "\n";
    Row& row = rows.emplace_back();
    for (const Column& column : list.columns) row.push_back(in_units(cell(each, column.path), column.unit));
  }
  json ? print_out(lines) : print_table(rows);
}

asio::awaitable<int> show_list(Remote& remote, const ListOptions& options) {
  const List list = list_of(options.what);
  std::string target = "/v1/" + list.key;
  if (options.what == Listing::containers) target += "?usage=1";
  const char* const sign = options.what == Listing::containers ? "&" : "?";
  if (!options.job.empty()) target += sign + ("job=" + percent_encode(options.job));
  const auto body = co_await remote.ask("GET", target);
  if (!body) co_return report(remote, body.error());
  const auto parsed = parse_json(*body, kListBounds);
  if (!parsed || !parsed->is_object() || !parsed->contains(list.key))
    co_return report(remote, {"protocol", "the agent's answer is no list of " + list.key, {}});
  Json all = parsed->at(list.key);
  // The route of jobs knows no filter.
  if (options.what == Listing::jobs && !options.job.empty())
    std::erase_if(all.get_ref<Json::array_t&>(), [&](const Json& each) { return cell(each, "job") != options.job; });
  show(list, all, options.json);
  co_return kSuccess;
}

}  // namespace

int list_command(const ListOptions& options) {
  return with_agent([&options](Remote& remote) { return show_list(remote, options); }, kPlatform);
}

}  // namespace berth::cli

// SPDX-License-Identifier: Apache-2.0
// The configuration as it is in force, for people and for programs.
#include <nlohmann/json.hpp>

#include "agent/config/config.hpp"
#include "base/json.hpp"
#include "jobs/write.hpp"

namespace berth::agent {
namespace {

constexpr std::size_t kOriginColumn = 48;

std::string value_text(const Setting& setting) {
  if (setting.key == "drivers.nomad.datacenters") {
    std::string list;
    for (const std::string& each : setting.text) list += (list.empty() ? "" : ", ") + jobs::yaml_text(each);
    return "[" + list + "]";
  }
  if (setting.text.empty()) return "none";
  // The one number of the file; read back it has to be one again.
  return setting.key == "relay.max_batch" ? setting.text.front() : jobs::yaml_text(setting.text.front());
}

std::vector<std::string> parts_of(const std::string& key) {
  std::vector<std::string> parts(1);
  for (const char c : key) {
    if (c == '.') parts.emplace_back();
    if (c != '.') parts.back() += c;
  }
  return parts;
}

}  // namespace

std::string print_config(const Config& config) {
  std::string out;
  std::vector<std::string> above;
  for (const Setting& setting : config.settings) {
    const std::vector<std::string> parts = parts_of(setting.key);
    std::size_t same = 0;
    while (same + 1 < parts.size() && same < above.size() && above[same] == parts[same]) ++same;
    for (std::size_t i = same; i + 1 < parts.size(); ++i) out += std::string(2 * i, ' ') + parts[i] + ":\n";
    std::string line = std::string(2 * (parts.size() - 1), ' ') + parts.back() + ": " + value_text(setting);
    line.resize(std::max(line.size() + 2, kOriginColumn), ' ');
    out += line + "# " + setting.origin + "\n";
    above.assign(parts.begin(), parts.end() - 1);
  }
  return out;
}

std::string print_config_json(const Config& config) {
  Json all = Json::object();
  for (const Setting& setting : config.settings) {
    Json value = nullptr;
    if (!setting.text.empty()) value = setting.text.front();
    if (setting.key == "drivers.nomad.datacenters") value = setting.text;
    all[setting.key] = {{"value", value}, {"origin", setting.origin}};
  }
  return dump_json(all);
}

}  // namespace berth::agent

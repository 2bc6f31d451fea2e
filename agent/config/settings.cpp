// SPDX-License-Identifier: Apache-2.0
#include "agent/config/settings.hpp"

#include <algorithm>
#include <filesystem>

#include "agent/config/keys.hpp"
#include "base/fd.hpp"
#include "base/text.hpp"
#include "jobs/scalar.hpp"
#include "jobs/set.hpp"

namespace berth::agent {
namespace {

namespace fs = std::filesystem;

const char* variable(const ConfigSources& sources, std::string_view name) {
  const char* value = sources.environment && !name.empty() ? sources.environment(std::string(name).c_str()) : nullptr;
  return value != nullptr && *value != '\0' ? value : nullptr;
}

// Nothing but comments: every key is optional, so that is a whole configuration.
bool says_nothing(std::string_view text) {
  while (!text.empty()) {
    const auto end = std::min(text.find('\n'), text.size());
    const std::string_view line = trim(text.substr(0, end));
    if (!line.empty() && line.front() != '#') return false;
    text.remove_prefix(std::min(end + 1, text.size()));
  }
  return true;
}

jobs::NodePtr tree_of_file(const std::string& file, jobs::Complaints& complaints) {
  if (file.empty()) return nullptr;
  const auto text = read_file(file, jobs::TreeBounds{}.max_bytes + 1);
  if (!text) complaints.add({}, text.error().message);
  if (!text || says_nothing(*text)) return nullptr;
  return jobs::read_tree(*text, 0, complaints);
}

const KeySource* source_of(std::string_view key) {
  const auto all = key_sources();
  const auto found = std::find_if(all.begin(), all.end(), [key](const KeySource& each) { return each.key == key; });
  return found == all.end() ? nullptr : &*found;
}

const jobs::Node* find_path(const jobs::Node* node, std::string_view path) {
  while (node != nullptr && !path.empty()) {
    const auto dot = std::min(path.find('.'), path.size());
    node = jobs::find(node, path.substr(0, dot));
    path.remove_prefix(std::min(dot + 1, path.size()));
  }
  return node;
}

std::vector<std::string> texts_of(const jobs::Node& node) {
  std::vector<std::string> texts;
  for (const jobs::NodePtr& item : node.items) texts.push_back(item->text);
  if (node.kind == jobs::NodeKind::scalar && node.text != "none") texts.push_back(node.text);
  return texts;
}

std::string default_state_dir(const ConfigSources& sources) {
  if (sources.root) return "/var/lib/berth";
  if (const char* state = variable(sources, "XDG_STATE_HOME"); state != nullptr && state[0] == '/')
    return std::string(state) + "/berth";
  const char* home = variable(sources, "HOME");
  return home == nullptr ? "/tmp/berth-state" : std::string(home) + "/.local/state/berth";
}

std::vector<std::string> default_of(const std::string& key, const jobs::KeyRule& rule, const ConfigSources& sources) {
  if (key == "state_dir") return {default_state_dir(sources)};
  const std::string_view json = rule.default_json;  // "text", a number, or []
  if (json.empty() || json == "[]" || json == "\"none\"") return {};
  return {std::string(json.front() == '"' ? json.substr(1, json.size() - 2) : json)};
}

// A path of the file is relative to the file; the program's name alone is looked up as it is.
std::string absolute(const std::string& text, const std::string& base) {
  return (fs::path(base) / text).lexically_normal().string();
}

void make_absolute(Setting& setting, bool from_file, const ConfigSources& sources) {
  if (setting.text.empty()) return;
  const std::string here = sources.current_folder;
  const std::string base = from_file ? fs::path(absolute(sources.file, here)).parent_path().string() : here;
  constexpr std::string_view kUnix = "unix:";
  std::string& text = setting.text.front();
  const KeySource* source = source_of(setting.key);
  if (source != nullptr && source->path) text = absolute(text, base);
  if (setting.key == "listen" && text.starts_with(kUnix) && text.size() > kUnix.size())
    text = std::string(kUnix) + absolute(text.substr(kUnix.size()), base);
}

class Collector {
 public:
  Collector(const jobs::Node* root, const ConfigSources& sources, const jobs::Complaints& complaints)
      : root_(root), sources_(sources), complaints_(complaints) {}

  void collect(const jobs::ObjectRule& rule, const std::string& prefix) {
    for (const jobs::KeyRule& key : rule.keys) {
      const std::string path = prefix + std::string(key.key);
      if (key.shape == jobs::Shape::object) {
        collect(*key.object, path + ".");
      } else {
        add(path, key);
      }
    }
  }
  [[nodiscard]] std::vector<Setting> take() { return std::move(settings_); }

 private:
  void add(const std::string& path, const jobs::KeyRule& rule) {
    Setting setting{path, default_of(path, rule, sources_), "default"};
    if (const jobs::Node* node = find_path(root_, path)) {
      setting.text = texts_of(*node);
      setting.origin = complaints_.where(node->place);
      make_absolute(setting, node->place.source == 0, sources_);
    }
    settings_.push_back(std::move(setting));
  }

  const jobs::Node* root_;
  const ConfigSources& sources_;
  const jobs::Complaints& complaints_;
  std::vector<Setting> settings_;
};

}  // namespace

jobs::NodePtr merged_tree(const ConfigSources& sources, jobs::Complaints& complaints) {
  jobs::NodePtr root = tree_of_file(sources.file, complaints);
  if (root && root->kind != jobs::NodeKind::map) return root;
  for (const KeySource& each : key_sources()) {
    if (const char* value = variable(sources, each.environment)) {
      const unsigned source = complaints.add_source(std::string(each.environment));
      root = jobs::with_text(root, std::string(each.key), value, source, complaints);
    }
    const auto flag = sources.flags.find(std::string(each.flag));
    if (each.flag.empty() || flag == sources.flags.end()) continue;
    const unsigned source = complaints.add_source(std::string(each.flag));
    root = jobs::with_text(root, std::string(each.key), flag->second, source, complaints);
  }
  return root;
}

std::vector<Setting> settings_of(const jobs::NodePtr& root, const ConfigSources& sources,
                                 const jobs::Complaints& complaints) {
  Collector collector(root.get(), sources, complaints);
  collector.collect(config_rule(), "");
  return collector.take();
}

std::string text_at(const std::vector<Setting>& settings, std::string_view key) {
  const auto found =
      std::find_if(settings.begin(), settings.end(), [key](const Setting& each) { return each.key == key; });
  return found == settings.end() || found->text.empty() ? std::string() : found->text.front();
}

}  // namespace berth::agent

// SPDX-License-Identifier: Apache-2.0
#include "agent/config/config.hpp"

#include <charconv>

#include "agent/config/keys.hpp"
#include "agent/config/settings.hpp"
#include "base/names.hpp"
#include "base/text.hpp"
#include "jobs/check.hpp"

namespace berth::agent {
namespace {

constexpr EnumNames<LogLevel, 4> kLevels{
    {{LogLevel::debug, "debug"}, {LogLevel::info, "info"}, {LogLevel::warning, "warning"}, {LogLevel::error, "error"}}};

// The texts have passed the table's rules, so the fallbacks are never reached.
Seconds duration_at(const std::vector<Setting>& settings, std::string_view key) {
  return parse_duration(text_at(settings, key)).value_or(Seconds{0});
}
std::chrono::milliseconds milliseconds_at(const std::vector<Setting>& settings, std::string_view key) {
  return std::chrono::round<std::chrono::milliseconds>(duration_at(settings, key));
}
std::size_t number_at(const std::vector<Setting>& settings, std::string_view key) {
  const std::string text = text_at(settings, key);
  std::size_t value = 0;
  std::from_chars(text.data(), text.data() + text.size(), value);
  return value;
}

Config build(std::vector<Setting> settings) {
  Config config;
  config.listen = text_at(settings, "listen");
  config.state_dir = text_at(settings, "state_dir");
  config.tokens = text_at(settings, "tokens");
  config.tls_cert = text_at(settings, "tls.cert");
  config.tls_key = text_at(settings, "tls.key");
  config.slotd = text_at(settings, "slotd");
  config.jobs = text_at(settings, "jobs");
  config.default_job = text_at(settings, "default_job");
  config.batch_window = milliseconds_at(settings, "relay.batch_window");
  config.max_batch = number_at(settings, "relay.max_batch");
  config.max_timeout = duration_at(settings, "max_timeout");
  config.drain = milliseconds_at(settings, "drain");
  config.tool_server_url = text_at(settings, "tool_server.url");
  config.docker_host = text_at(settings, "drivers.docker.host");
  config.tool_server_token_file = text_at(settings, "tool_server.token_file");
  config.log_level = value_of(kLevels, text_at(settings, "log.level")).value_or(LogLevel::info);
  config.log_format = text_at(settings, "log.format") == "json" ? LogFormat::json : LogFormat::text;
  config.settings = std::move(settings);
  return config;
}

}  // namespace

tl::expected<Config, jobs::Diagnostics> load_config(const ConfigSources& sources) {
  jobs::Complaints complaints(sources.file);
  const jobs::NodePtr root = merged_tree(sources, complaints);
  if (root)
    jobs::check_keys(*root, config_rule(), "the agent's configuration is a map of keys such as listen and jobs",
                     complaints);
  if (!complaints.empty()) return tl::unexpected(complaints.take());
  return build(settings_of(root, sources, complaints));
}

std::vector<std::string> changed_keys(const Config& before, const Config& after) {
  std::vector<std::string> keys;
  for (std::size_t i = 0; i < after.settings.size(); ++i)
    if (before.settings.at(i).text != after.settings[i].text) keys.push_back(after.settings[i].key);
  return keys;
}

}  // namespace berth::agent

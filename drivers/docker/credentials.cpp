// SPDX-License-Identifier: Apache-2.0
#include "drivers/docker/credentials.hpp"

#include <sys/stat.h>

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <nlohmann/json.hpp>

#include "base/fd.hpp"
#include "base/json.hpp"
#include "base/text.hpp"

namespace berth::drivers::docker {
namespace {

constexpr std::size_t kMostConfig = std::size_t{1} << 20;

std::string environment_value(const char* name) {
  const char* value = std::getenv(name);
  return value == nullptr ? std::string() : std::string(value);
}

// Keys are hosts or addresses below them: "https://index.docker.io/v1/", "registry.example.com".
std::string host_of_key(std::string_view key) {
  if (const std::size_t scheme = key.find("://"); scheme != std::string_view::npos) key.remove_prefix(scheme + 3);
  const std::string_view host = key.substr(0, key.find('/'));
  return host == "index.docker.io" ? "docker.io" : std::string(host);
}

const Json* entry_of(const Json& config, const char* section, const std::string& registry) {
  const auto entries = config.find(section);
  if (entries == config.end() || !entries->is_object()) return nullptr;
  for (auto each = entries->begin(); each != entries->end(); ++each)
    if (host_of_key(each.key()) == registry) return &each.value();
  return nullptr;
}

// The engine reads it in the alphabet of addresses.
std::string header_value(const Json& value) {
  std::string text = base64_encode(dump_json(value));
  std::replace(text.begin(), text.end(), '+', '-');
  std::replace(text.begin(), text.end(), '/', '_');
  return text;
}

std::string header_of(const Json& entry, const std::string& registry) {
  if (const auto token = json_text_at(entry, "identitytoken"); token && !token->empty())
    return header_value(Json{{"identitytoken", *token}, {"serveraddress", registry}});
  const auto decoded = base64_decode(json_text_at(entry, "auth").value_or(""));
  const std::size_t colon = decoded ? decoded->find(':') : std::string::npos;
  if (colon == std::string::npos) return {};
  return header_value(Json{
      {"username", decoded->substr(0, colon)}, {"password", decoded->substr(colon + 1)}, {"serveraddress", registry}});
}

}  // namespace

std::string docker_config_file() {
  const std::string folder = environment_value("DOCKER_CONFIG");
  return (folder.empty() ? environment_value("HOME") + "/.docker" : folder) + "/config.json";
}

Expected<Credentials> find_credentials(std::string_view config, const std::string& registry) {
  const auto parsed = parse_json(config);
  if (!parsed || !parsed->is_object())
    return fail("bad_docker_config", "Docker's configuration file is no JSON object", "mend it, or move it away");
  Credentials found;
  if (const Json* helper = entry_of(*parsed, "credHelpers", registry); helper != nullptr && helper->is_string()) {
    found.helper = helper->get<std::string>();
    return found;
  }
  const Json* entry = entry_of(*parsed, "auths", registry);
  if (entry != nullptr && entry->is_object()) found.header = header_of(*entry, registry);
  if (found.header.empty()) found.helper = json_text_at(*parsed, "credsStore").value_or("");
  return found;
}

Expected<Credentials> read_credentials(const std::string& file, const std::string& registry) {
  struct stat facts {};
  if (::stat(file.c_str(), &facts) != 0 && errno == ENOENT) return Credentials{};
  const auto text = read_file(file, kMostConfig);
  if (!text) return tl::unexpected(text.error().within("Docker's configuration"));
  auto found = find_credentials(*text, registry);
  if (!found) return tl::unexpected(found.error().within(file));
  return found;
}

}  // namespace berth::drivers::docker

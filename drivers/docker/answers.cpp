// SPDX-License-Identifier: Apache-2.0
#include "drivers/docker/answers.hpp"

#include <algorithm>
#include <charconv>
#include <nlohmann/json.hpp>

#include "base/json.hpp"
#include "base/text.hpp"

namespace berth::drivers::docker {
namespace {

constexpr JsonBounds kAnswerBounds{.max_bytes = std::size_t{16} << 20};
constexpr std::size_t kMostRefusal = 2000;
// The bits of Go's FileMode that are set for what is no plain file: directory, link, device, pipe, socket, irregular.
constexpr std::uint64_t kGoKinds = 0x8f28'0000;

tl::unexpected<Error> not_as_promised(const std::string& what) {
  return fail("engine_protocol", "the Docker Engine's answer is " + what, "is it Docker that listens there?");
}

Expected<Json> read_object(std::string_view body, const std::string& what) {
  auto parsed = parse_json(body, kAnswerBounds);
  if (!parsed || !parsed->is_object()) return not_as_promised("no " + what);
  return parsed;
}

std::string word_at(const Json& object, const char* key) {
  return json_text_at(object, key).value_or("");
}

const Json& object_at(const Json& object, const char* key) {
  static const Json kNone = Json::object();
  const auto found = object.find(key);
  return found != object.end() && found->is_object() ? *found : kNone;
}

std::vector<std::string> words_at(const Json& object, const char* key) {
  std::vector<std::string> words;
  const auto found = object.find(key);
  if (found == object.end() || !found->is_array()) return words;
  for (const Json& each : *found)
    if (each.is_string()) words.push_back(each.get<std::string>());
  return words;
}

bool has_option(const std::vector<std::string>& options, const std::string& name) {
  return std::any_of(options.begin(), options.end(), [&name](const std::string& each) {
    return each == "name=" + name || each.starts_with("name=" + name + ",");
  });
}

}  // namespace

Expected<EngineFacts> read_info(std::string_view body) {
  const auto info = read_object(body, "description of itself");
  if (!info) return tl::unexpected(info.error());
  const auto security = words_at(*info, "SecurityOptions");
  EngineFacts facts;
  facts.version = word_at(*info, "ServerVersion");
  facts.system = word_at(*info, "OSType");
  facts.seccomp = has_option(security, "seccomp");
  facts.apparmor = has_option(security, "apparmor");
  facts.remaps_users = has_option(security, "userns");
  // Engines older than the second version of control groups do not say which they use.
  const std::string version = word_at(*info, "CgroupVersion");
  facts.cgroup_v1 = version.empty() || version == "1";
  facts.cgroupfs = word_at(*info, "CgroupDriver") == "cgroupfs";
  if (facts.version.empty() || facts.system.empty()) return not_as_promised("no description of itself");
  return facts;
}

Expected<ImageFacts> read_image(std::string_view body) {
  const auto image = read_object(body, "description of an image");
  if (!image) return tl::unexpected(image.error());
  const Json& config = object_at(*image, "Config");
  ImageFacts facts{word_at(*image, "Id"), words_at(config, "Env"), word_at(config, "User")};
  if (facts.id.empty()) return not_as_promised("an image without an id");
  std::erase_if(facts.env,
                [](const std::string& each) { return each.find('=') == std::string::npos || each[0] == '='; });
  return facts;
}

Expected<std::vector<ListedContainer>> read_list(std::string_view body) {
  const auto parsed = parse_json(body, kAnswerBounds);
  if (!parsed || !parsed->is_array()) return not_as_promised("no list of containers");
  std::vector<ListedContainer> all;
  for (const Json& each : *parsed) {
    if (!each.is_object() || word_at(each, "Id").empty()) return not_as_promised("a list with a nameless container");
    all.push_back({word_at(each, "Id"), word_at(object_at(each, "Labels"), kContainerLabel), word_at(each, "State")});
  }
  return all;
}

Expected<ContainerEnd> read_end(std::string_view body) {
  const auto container = read_object(body, "description of a container");
  if (!container) return tl::unexpected(container.error());
  const Json& state = object_at(*container, "State");
  const auto code = state.find("ExitCode");
  if (code == state.end() || !code->is_number_integer()) return not_as_promised("a container without an exit code");
  const auto memory = state.find("OOMKilled");
  return ContainerEnd{code->get<std::int64_t>(), memory != state.end() && *memory == true, word_at(state, "Error")};
}

Expected<PathFacts> read_path_facts(std::string_view header) {
  const auto path = read_object(base64_decode(header).value_or(""), "description of a file");
  if (!path) return tl::unexpected(path.error());
  const auto size = json_uint_at(*path, "size");
  const auto mode = json_uint_at(*path, "mode");
  if (!size || !mode) return not_as_promised("a file without a size");
  return PathFacts{*size, (*mode & kGoKinds) == 0};
}

Expected<std::vector<std::string>> read_volumes(std::string_view body) {
  const auto list = read_object(body, "list of volumes");
  if (!list) return tl::unexpected(list.error());
  std::vector<std::string> names;
  const auto volumes = list->find("Volumes");
  if (volumes == list->end() || !volumes->is_array()) return names;
  for (const Json& each : *volumes)
    if (each.is_object()) names.push_back(word_at(each, "Name"));
  return names;
}

Expected<Usage> read_usage(std::string_view body) {
  const auto stats = read_object(body, "account of what is used");
  if (!stats) return tl::unexpected(stats.error());
  const Json& memory = object_at(*stats, "memory_stats");
  const Json& kinds = object_at(memory, "stats");
  Usage usage;
  if (const auto time = json_uint_at(object_at(object_at(*stats, "cpu_stats"), "cpu_usage"), "total_usage"))
    usage.cpu_seconds = static_cast<double>(*time) / 1e9;
  usage.memory_bytes = json_uint_at(memory, "usage");
  // Named for version 1 and for version 2.
  auto idle = json_uint_at(kinds, "total_inactive_file");
  if (!idle) idle = json_uint_at(kinds, "inactive_file");
  if (usage.memory_bytes) *usage.memory_bytes -= std::min(*usage.memory_bytes, idle.value_or(0));
  usage.pids = json_uint_at(object_at(*stats, "pids_stats"), "current");
  return usage;
}

Expected<std::string> read_created_id(std::string_view body) {
  const auto created = read_object(body, "new container");
  if (!created) return tl::unexpected(created.error());
  const std::string id = word_at(*created, "Id");
  if (id.empty()) return not_as_promised("a container without an id");
  return id;
}

Expected<EngineEvent> read_event(std::string_view line) {
  const auto event = read_object(line, "event");
  if (!event) return tl::unexpected(event.error());
  const Json& actor = object_at(*event, "Actor");
  const Json& attributes = object_at(actor, "Attributes");
  return EngineEvent{word_at(*event, "Action"), word_at(actor, "ID"), word_at(attributes, kContainerLabel),
                     word_at(attributes, "exitCode")};
}

Expected<PullLine> read_pull_line(std::string_view line) {
  const auto parsed = read_object(line, "line of a pull");
  if (!parsed) return tl::unexpected(parsed.error());
  const Json& progress = object_at(*parsed, "progressDetail");
  PullLine read{word_at(*parsed, "id"), word_at(*parsed, "status"), json_uint_at(progress, "current"),
                json_uint_at(progress, "total"), word_at(*parsed, "error")};
  if (read.error.empty()) read.error = word_at(object_at(*parsed, "errorDetail"), "message");
  return read;
}

std::string read_refusal(int status, std::string_view body) {
  const auto parsed = parse_json(body);
  std::string words = parsed && parsed->is_object() ? word_at(*parsed, "message") : std::string(trim(body));
  words = to_valid_utf8(words.substr(0, kMostRefusal));
  std::replace_if(
      words.begin(), words.end(), [](char c) { return static_cast<unsigned char>(c) < ' '; }, ' ');
  return words.empty() ? "status " + std::to_string(status) : words;
}

std::string way_out_of(std::string_view refusal) {
  const bool about_apparmor = refusal.find("AppArmor") != std::string_view::npos ||  // the engine's own words
                              refusal.find("apparmor") != std::string_view::npos;    // the runtime's
  if (!about_apparmor) return {};
  return "AppArmor is not in order on the engine's machine: install its package (apparmor), see that `aa-status` "
         "works, "
         "and restart the engine; one that is confined itself (LXC, snap) can load no profile";
}

std::string read_log(std::string_view frames) {
  constexpr std::size_t kHeader = 8;
  std::string text;
  while (frames.size() > kHeader) {
    std::size_t length = 0;
    for (std::size_t i = 4; i < kHeader; ++i) length = length << 8 | static_cast<unsigned char>(frames[i]);
    text.append(frames.substr(kHeader, length));
    frames.remove_prefix(std::min(frames.size(), kHeader + length));
  }
  return text;
}

std::string read_version(std::string_view body) {
  const auto version = read_object(body, "version");
  return version ? word_at(*version, "ApiVersion") : std::string();
}

std::optional<unsigned> read_api_version(std::string_view text) {
  constexpr std::string_view kMajor = "1.";
  if (!text.starts_with(kMajor)) return std::nullopt;
  text.remove_prefix(kMajor.size());
  unsigned minor = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), minor);
  if (error != std::errc() || end != text.data() + text.size() || minor > 999) return std::nullopt;
  return minor;
}

}  // namespace berth::drivers::docker

// SPDX-License-Identifier: Apache-2.0
#include "agent/executor/forms.hpp"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "base/json.hpp"

namespace berth::agent {
namespace {

constexpr JsonBounds kBounds{.max_bytes = std::size_t{2} << 20, .max_depth = 64, .max_values = 65'536};
constexpr std::size_t kMostEchoed = 1024;
constexpr std::size_t kMostTrajectory = 256;
constexpr double kLeastLimit = 1;
constexpr double kMostLimit = 600;

// A fault's `input`: what is large is not sent back.
Json echo(const Json& value) {
  const std::string text = dump_json(value);
  return text.size() <= kMostEchoed ? value : Json("(" + std::to_string(text.size()) + " bytes)");
}

// Reads members, and collects what is wrong with them.
class Reader {
 public:
  explicit Reader(std::string_view body) {
    take(body);
    if (!root_.is_object()) root_ = Json::object();
  }

  [[nodiscard]] const Json& root() const { return root_; }
  [[nodiscard]] bool good() const { return faults_.empty(); }
  [[nodiscard]] std::string refusal() const { return dump_json(Json{{"detail", faults_}}); }

  void fault(const char* type, Json place, const char* message, Json input) {
    faults_.push_back(Json{{"type", type}, {"loc", std::move(place)}, {"msg", message}, {"input", std::move(input)}});
  }

  // The member, or null when there is none; a required one that is missing is a fault.
  const Json* member(const Json& object, const Json& place, bool required) {
    if (!good() && root_.empty()) return nullptr;
    const auto found = object.find(place.back().get_ref<const std::string&>());
    if (found != object.end()) return &*found;
    if (required) fault("missing", place, "Field required", echo(object));
    return nullptr;
  }
  std::string text(const Json& object, const Json& place, const std::optional<std::string>& fallback = {}) {
    const Json* value = member(object, place, !fallback);
    if (value == nullptr) return fallback.value_or("");
    if (value->is_string()) return value->get<std::string>();
    fault("string_type", place, "Input should be a valid string", echo(*value));
    return {};
  }
  bool flag(const Json& object, const Json& place) {
    const Json* value = member(object, place, false);
    if (value == nullptr) return false;
    if (value->is_boolean()) return value->get<bool>();
    fault("bool_type", place, "Input should be a valid boolean", echo(*value));
    return false;
  }
  std::optional<double> number(const Json& object, const Json& place) {
    const Json* value = member(object, place, false);
    if (value == nullptr || value->is_null()) return std::nullopt;
    const auto read = json_double(*value);
    if (!read) fault("float_type", place, "Input should be a valid number", echo(*value));
    return read;
  }
  std::optional<std::int64_t> whole(const Json& object, const Json& place) {
    const Json* value = member(object, place, false);
    if (value == nullptr || value->is_null()) return std::nullopt;
    const auto read = json_int(*value);
    if (!read) fault("int_type", place, "Input should be a valid integer", echo(*value));
    return read;
  }
  std::string word(const Json& place, const char* first, const char* second) {
    std::string read = text(root_, place, first);
    if (read == first || read == second || !good()) return read;
    const std::string message = std::string("Input should be '") + first + "' or '" + second + "'";
    fault("literal_error", place, message.c_str(), echo(read));
    return read;
  }
  // Names a lease and a variable of the environment.
  std::string trajectory() {
    const Json place = Json::array({"body", "trajectory_id"});
    std::string name = text(root_, place);
    if (good() && (name.empty() || name.size() > kMostTrajectory || name.find('\0') != std::string::npos))
      fault("value_error", place, "Value error, 1 to 256 bytes without NUL are needed", echo(name));
    return name;
  }

 private:
  void take(std::string_view body) {
    if (body.empty()) return fault("missing", Json::array({"body"}), "Field required", Json());
    auto parsed = parse_json(body, kBounds);
    if (!parsed) return fault("json_invalid", Json::array({"body", 0}), "JSON decode error", Json::object());
    root_ = *std::move(parsed);
    if (root_.is_object()) return;
    fault("model_attributes_type", Json::array({"body"}), "Input should be a valid dictionary", echo(root_));
  }

  Json root_ = Json::object();
  Json faults_ = Json::array();
};

double limit_of(std::optional<double> asked, const Json& arguments) {
  const auto found = arguments.find("timeout");
  if (!asked && found != arguments.end()) asked = json_double(*found);
  return std::clamp(asked.value_or(30), kLeastLimit, kMostLimit);
}

void read_tool(Reader& reader, CallForm& form, Json& arguments) {
  const Json place = Json::array({"body", "tool"});
  const Json* tool = reader.member(reader.root(), place, true);
  if (tool == nullptr) return;
  if (!tool->is_object())
    return reader.fault("model_attributes_type", place, "Input should be a valid dictionary", echo(*tool));
  form.tool = reader.text(*tool, Json::array({"body", "tool", "name"}));
  form.uniq_id = reader.text(*tool, Json::array({"body", "tool", "uniq_id"}));
  const Json at = Json::array({"body", "tool", "arguments"});
  const Json* given = reader.member(*tool, at, false);
  if (given == nullptr) return;
  if (!given->is_object()) return reader.fault("dict_type", at, "Input should be a valid dictionary", echo(*given));
  arguments = *given;
}

}  // namespace

Form<CallForm> read_call_form(std::string_view body) {
  Reader reader(body);
  CallForm form;
  Json arguments = Json::object();
  form.trajectory = reader.trajectory();
  read_tool(reader, form, arguments);
  const auto asked = reader.number(reader.root(), Json::array({"body", "timeout_s"}));
  if (!reader.good()) return tl::unexpected(reader.refusal());
  form.limit_s = limit_of(asked, arguments);
  form.arguments = dump_json(arguments);
  return form;
}

Form<std::string> read_release_form(std::string_view body) {
  Reader reader(body);
  std::string trajectory = reader.trajectory();
  (void)reader.flag(reader.root(), Json::array({"body", "reset_workspace"}));
  if (!reader.good()) return tl::unexpected(reader.refusal());
  return trajectory;
}

Form<ArtifactForm> read_artifact_form(Artifact kind, std::string_view body) {
  Reader reader(body);
  const auto place = [](const char* key) { return Json::array({"body", key}); };
  const Json& root = reader.root();
  ArtifactForm form;
  Json fields = Json::object();
  form.trajectory = reader.trajectory();
  const auto bound = [&](const char* key) {
    if (const auto most = reader.whole(root, place(key))) fields[key] = *most;
  };
  if (kind == Artifact::read) {
    fields["path"] = reader.text(root, place("path"));
    fields["encoding"] = reader.word(place("encoding"), "text", "base64");
    fields["include_sha256"] = reader.flag(root, place("include_sha256"));
  } else {
    fields["path"] = reader.text(root, place("path"), ".");
    bound("max_entries");
  }
  if (kind == Artifact::list) fields["recursive"] = reader.flag(root, place("recursive"));
  if (kind == Artifact::archive) fields["format"] = reader.word(place("format"), "tar.gz", "tgz");
  if (kind != Artifact::list) bound("max_bytes");
  if (!reader.good()) return tl::unexpected(reader.refusal());
  form.fields = dump_json(fields);
  return form;
}

std::string header_fault(std::string_view name, std::string_view message) {
  const Json fault{{"type", "value_error"},
                   {"loc", Json::array({"header", std::string(name)})},
                   {"msg", "Value error, " + std::string(message)},
                   {"input", nullptr}};
  return dump_json(Json{{"detail", Json::array({fault})}});
}

}  // namespace berth::agent

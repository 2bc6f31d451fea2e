// SPDX-License-Identifier: Apache-2.0
#include "client/artifacts.hpp"

#include <nlohmann/json.hpp>

#include "base/call_wire.hpp"
#include "base/json.hpp"
#include "base/text.hpp"
#include "client/calls.hpp"

namespace berth::client {
namespace {

constexpr std::uint64_t kMostArchive = 5'000'000;  // what a slot server sends at most
constexpr std::uint64_t kMostEntries = 5'000;
constexpr JsonBounds kAnswerBounds{std::size_t{256} << 20, 16, 200'000};

Json request_body(const SlotPlace& place, std::string path) {
  Json body{{"slot_id", place.slot}, {"path", std::move(path)}};
  if (place.generation) body["generation"] = *place.generation;
  return body;
}

std::optional<bool> bool_at(const Json& object, const char* key) {
  const auto found = object.find(key);
  if (found == object.end() || !found->is_boolean()) return std::nullopt;
  return found->get<bool>();
}

// The object of a successful answer; else what `out` says is filled in and nothing returned.
std::optional<Json> read_object(const Answer& answer, Seconds limit, ArtifactAnswer& out) {
  if (!answer.response) {
    out.error = failure_text(answer.response.error(), answer.attempts, limit);
    return std::nullopt;
  }
  out.http_status = answer.response->head.status;
  auto object = parse_json(answer.response->body, kAnswerBounds);
  const bool readable = is_json(answer.response->head) && object && object->is_object();
  const auto success = readable ? bool_at(*object, "success") : std::nullopt;
  if (out.http_status != 200 || success == false) {
    out.error = error_of_answer(out.http_status, answer.response->body).message;
    if (out.error.empty()) out.error = "the slot server answered " + std::to_string(out.http_status);
    return std::nullopt;
  }
  if (!readable) out.error = "Unexpected response type: the answer is not a JSON object";
  if (readable && !success) out.error = "Unexpected response: it has no success";
  if (!success) return std::nullopt;
  return std::move(*object);
}

void lie(ArtifactAnswer& out, const char* what) {
  out.success = false;
  out.error = std::string("Unexpected response: ") + what;
}

// The bytes of `content`; nothing when they are not what the answer itself says, or more than was asked for.
std::optional<std::string> content_of(const Json& object, std::optional<std::uint64_t> asked) {
  const auto text = json_text_at(object, "content");
  const auto bytes = json_uint_at(object, "bytes");
  if (!text || json_text_at(object, "encoding") != "base64" || !bytes) return std::nullopt;
  auto content = base64_decode(*text);
  const std::uint64_t most = std::max<std::uint64_t>(1, std::min(asked.value_or(kMostArchive), kMostArchive));
  if (!content || content->size() != *bytes || content->size() > most) return std::nullopt;
  return content;
}

std::optional<ArtifactEntry> entry_of(const Json& object) {
  if (!object.is_object()) return std::nullopt;
  const auto path = json_text_at(object, "path");
  const auto is_dir = bool_at(object, "is_dir");
  const auto size = json_uint_at(object, "size");
  const auto mtime = object.contains("mtime") ? json_double(object.at("mtime")) : std::nullopt;
  if (!path || !is_dir || !size || !mtime) return std::nullopt;
  return ArtifactEntry{*path, *is_dir, *size, *mtime};
}

// Reading twice does no harm.
asio::awaitable<std::optional<Json>> fetch_object(Engine& engine, const SlotPlace& place, const char* target, Json body,
                                                  ArtifactAnswer& out) {
  auto server = engine.server(place.address);
  if (!server) {
    out.error = server.error().message;
    co_return std::nullopt;
  }
  Ask ask;
  ask.request.method = "POST";
  ask.request.target = target;
  ask.request.body = dump_json(body);
  ask.limit = engine.options().request_timeout;
  ask.slot = place.slot;
  const Seconds limit = ask.limit;
  const Answer answer = co_await engine.ask(*server, std::move(ask));
  co_return read_object(answer, limit, out);
}

}  // namespace

asio::awaitable<FileAnswer> read_artifact(Engine& engine, SlotPlace place, std::string path, ReadOptions options) {
  Json body = request_body(place, std::move(path));
  body["encoding"] = "base64";
  body["include_sha256"] = options.sha256;
  if (options.max_bytes) body["max_bytes"] = *options.max_bytes;
  FileAnswer out;
  const auto object = co_await fetch_object(engine, place, "/artifacts/read", std::move(body), out);
  if (!object) co_return std::move(out);
  auto content = content_of(*object, options.max_bytes);
  const auto truncated = bool_at(*object, "truncated");
  const auto file_size = json_uint_at(*object, "file_size");
  auto answer_path = json_text_at(*object, "path");
  out.success = content && truncated && file_size && answer_path;
  if (!out.success) lie(out, "not a file's content");
  if (!out.success) co_return std::move(out);
  out.content = std::move(*content);
  out.truncated = *truncated;
  out.file_size = *file_size;
  out.path = std::move(*answer_path);
  out.mime = json_text_at(*object, "mime").value_or("");
  out.sha256 = json_text_at(*object, "sha256").value_or("");
  co_return std::move(out);
}

asio::awaitable<ListAnswer> list_artifacts(Engine& engine, SlotPlace place, std::string path, ListOptions options) {
  Json body = request_body(place, std::move(path));
  body["recursive"] = options.recursive;
  if (options.max_entries) body["max_entries"] = *options.max_entries;
  ListAnswer out;
  const auto object = co_await fetch_object(engine, place, "/artifacts/list", std::move(body), out);
  if (!object) co_return std::move(out);
  const auto entries = object->find("entries");
  const auto truncated = bool_at(*object, "truncated");
  out.success = truncated && entries != object->end() && entries->is_array() && entries->size() <= kMostEntries;
  if (!out.success) lie(out, "not a listing");
  if (!out.success) co_return std::move(out);
  out.truncated = *truncated;
  for (const Json& each : *entries) {
    auto entry = entry_of(each);
    if (!entry) {
      out.entries.clear();
      lie(out, "an entry of the listing lacks a key");
      co_return std::move(out);
    }
    out.entries.push_back(std::move(*entry));
  }
  co_return std::move(out);
}

asio::awaitable<ArchiveAnswer> archive_artifacts(Engine& engine, SlotPlace place, std::string path,
                                                 ArchiveOptions options) {
  Json body = request_body(place, std::move(path));
  body["format"] = "tar.gz";
  if (options.max_bytes) body["max_bytes"] = *options.max_bytes;
  if (options.max_entries) body["max_entries"] = *options.max_entries;
  ArchiveAnswer out;
  const auto object = co_await fetch_object(engine, place, "/artifacts/archive", std::move(body), out);
  if (!object) co_return std::move(out);
  auto content = content_of(*object, options.max_bytes);
  const auto entries = json_uint_at(*object, "entry_count");
  out.success = content && entries && *entries <= kMostEntries;
  if (!out.success) lie(out, "not an archive");
  if (!out.success) co_return std::move(out);
  out.content = std::move(*content);
  out.entry_count = *entries;
  out.truncated = bool_at(*object, "truncated").value_or(false);
  co_return std::move(out);
}

}  // namespace berth::client

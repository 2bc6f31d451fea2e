// SPDX-License-Identifier: Apache-2.0
// POST /artifacts/read, /list and /archive: asked of the trajectory's slot, which they never acquire. Failures are
// 200 with success false; the slot server's own status is not told.
#include <nlohmann/json.hpp>

#include "agent/api/answers.hpp"
#include "agent/executor/impl.hpp"
#include "base/json.hpp"

namespace berth::agent {

namespace asio = boost::asio;

namespace {

constexpr std::chrono::seconds kLimit{60};
constexpr JsonBounds kArtifactBounds{.max_bytes = std::size_t{32} << 20, .max_depth = 8, .max_values = 100'000};

const char* name_of(Artifact kind) {
  switch (kind) {
    case Artifact::read: return "read";
    case Artifact::list: return "list";
    case Artifact::archive: break;
  }
  return "archive";
}

// Every key that there is, as it stands when nothing was found.
Json nothing(Artifact kind) {
  Json answer{{"success", false}, {"error", ""}};
  if (kind == Artifact::list) {
    answer.update({{"entries", Json::array()}, {"truncated", false}});
    return answer;
  }
  answer.update({{"content", ""}, {"bytes", 0}});
  if (kind == Artifact::archive) {
    answer.update({{"encoding", "base64"}, {"format", "tar.gz"}, {"entry_count", 0}});
    return answer;
  }
  answer.update({{"encoding", "text"}, {"truncated", false}, {"path", ""}});
  answer.update({{"file_size", nullptr}, {"mime", nullptr}, {"sha256", nullptr}});
  return answer;
}

std::string refusal(Artifact kind, std::string error) {
  Json answer = nothing(kind);
  answer["error"] = std::move(error);
  return dump_json(answer);
}

bool fits(const Json& value, const Json& pattern) {
  if (pattern.is_null()) return value.is_null() || value.is_string() || value.is_number_integer();
  if (pattern.is_number()) return value.is_number_integer();
  return value.type() == pattern.type();
}

// Keys that the answer does not have stay as they are; others are left out.
std::string read_answer(Artifact kind, const std::string& body) {
  const std::string bad = std::string("Invalid artifact ") + name_of(kind) + " response: ";
  auto given = parse_json(body, kArtifactBounds);
  if (!given) return refusal(kind, bad + given.error().message);
  if (!given->is_object()) return refusal(kind, bad + "it is no object");
  if (!given->contains("success")) return refusal(kind, bad + "it has no success");
  Json answer = nothing(kind);
  for (auto& [key, value] : answer.items()) {
    const auto found = given->find(key);
    if (found == given->end()) continue;
    if (!fits(*found, value)) return refusal(kind, bad + key + " is of another type");
    value = std::move(*found);
  }
  return dump_json(answer);
}

}  // namespace

asio::awaitable<void> Executor::Impl::artifact(http::Exchange& exchange, const Caller& caller, Artifact kind) {
  const auto body = co_await read_body(exchange);
  if (!body) co_return;
  auto form = read_artifact_form(kind, *body);
  if (!form) co_return co_await send_json(exchange, 422, std::move(form.error()));
  const auto trajectory = trajectories_.find({caller.name, form->trajectory});
  if (!trajectory || !is_live(trajectory->lease)) {
    std::string text = refusal(kind, "No active slot for trajectory (run a sandbox tool first)");
    co_return co_await send_json(exchange, 200, std::move(text));
  }
  const Deadline until(now() + kLimit);
  const std::string route = name_of(kind);
  const auto answer = co_await parts_.runtime.artifact(trajectory->lease, route, std::move(form->fields), until);
  std::string text = answer ? read_answer(kind, answer->body) : refusal(kind, answer.error().message);
  co_await send_json(exchange, 200, std::move(text));
}

asio::awaitable<void> Executor::Impl::post_read(http::Exchange& exchange, const Caller& caller) {
  return artifact(exchange, caller, Artifact::read);
}

asio::awaitable<void> Executor::Impl::post_list(http::Exchange& exchange, const Caller& caller) {
  return artifact(exchange, caller, Artifact::list);
}

asio::awaitable<void> Executor::Impl::post_archive(http::Exchange& exchange, const Caller& caller) {
  return artifact(exchange, caller, Artifact::archive);
}

}  // namespace berth::agent

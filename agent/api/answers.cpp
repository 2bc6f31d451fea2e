// SPDX-License-Identifier: Apache-2.0
#include "agent/api/answers.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdio>
#include <ctime>
#include <nlohmann/json.hpp>
#include <vector>

#include "base/text.hpp"

namespace berth::agent {

namespace asio = boost::asio;

namespace {

struct Status {
  std::string_view code;
  int status;
};
constexpr std::array kStatuses{
    Status{"bad_request", 400},
    Status{"bad_job", 400},
    Status{"bad_path", 400},
    Status{"bad_execution_id", 400},
    Status{"bad_timeout", 400},
    Status{"bad_call", 400},
    Status{"bad_args", 400},
    Status{"json_syntax", 400},
    Status{"json_too_deep", 400},
    Status{"json_duplicate_key", 400},
    Status{"json_not_array", 400},
    Status{"rootfs_refused", 400},
    Status{"inputs_refused", 400},
    Status{"wrong_digest", 400},
    Status{"driver_unavailable", 400},
    Status{"is_directory", 400},
    Status{"not_a_file", 400},
    Status{"unknown_job", 404},
    Status{"unknown_lease", 404},
    Status{"unknown_container", 404},
    Status{"unknown_execution", 404},
    Status{"unknown_slot", 404},
    Status{"unknown_input", 404},
    Status{"not_found", 404},
    Status{"method_not_allowed", 405},
    Status{"unknown_container", 404},
    Status{"engine_missing", 404},
    Status{"too_slow", 408},
    Status{"execution_id_reused", 409},
    Status{"stale_generation", 409},
    Status{"job_removed", 409},
    Status{"job_refused", 409},
    Status{"input_missing", 409},
    Status{"lease_ended", 410},
    Status{"result_gone", 410},
    Status{"body_too_large", 413},
    Status{"call_too_large", 413},
    Status{"json_too_large", 413},
    Status{"too_large", 413},
    Status{"bad_range", 416},
    Status{"no_slot", 429},
    Status{"too_many_waiters", 429},
    Status{"too_many_slots", 429},
    Status{"too_many_calls", 429},
    Status{"too_many_streams", 429},
    Status{"queue_full", 429},
    Status{"ledger_full", 429},
    Status{"busy", 429},
    Status{"connect", 502},
    Status{"transport", 502},
    Status{"protocol", 502},
    Status{"engine_away", 502},
    Status{"engine_timeout", 502},
    Status{"engine_protocol", 502},
    Status{"engine_refused", 502},
    Status{"container_failed", 503},
    Status{"container_unavailable", 503},
    Status{"inputs_failed", 503},
    Status{"inputs_under_way", 503},
    Status{"agent_stopping", 503},
    Status{"wrong_boot", 503},
    Status{"timeout", 504},
    Status{"disk_full", 507},
};

std::string seconds_text(Duration time) {
  const auto whole = std::chrono::ceil<std::chrono::seconds>(time).count();
  return std::to_string(std::clamp<std::int64_t>(whole, 1, 3600));
}

Error error_of_body(const Error& error, std::size_t most) {
  if (error.code != "body_too_large") return error;
  return {"body_too_large", "the body is larger than " + std::to_string(most) + " bytes", "send less at a time"};
}

}  // namespace

int status_of(std::string_view code) {
  const auto found =
      std::find_if(kStatuses.begin(), kStatuses.end(), [&](const auto& each) { return each.code == code; });
  return found == kStatuses.end() ? 500 : found->status;
}

std::string error_body(const Error& error) {
  return dump_json(Json{{"error", {{"code", error.code}, {"message", error.message}, {"hint", error.hint}}}});
}

asio::awaitable<void> send_json(http::Exchange& exchange, int status, std::string body) {
  http::Response response;
  response.status = status;
  response.body = std::move(body);
  (void)co_await exchange.respond(std::move(response));
}

asio::awaitable<void> send_error_as(http::Exchange& exchange, int status, Error error, Duration retry_after) {
  http::Response response;
  response.status = status;
  response.body = error_body(error);
  if (status == 429 || status == 503) response.fields.emplace_back("Retry-After", seconds_text(retry_after));
  if (status == 401) response.fields.emplace_back("WWW-Authenticate", "Bearer");
  (void)co_await exchange.respond(std::move(response));
}

asio::awaitable<void> send_error(http::Exchange& exchange, Error error, Duration retry_after) {
  const int status = status_of(error.code);
  co_await send_error_as(exchange, status, std::move(error), retry_after);
}

asio::awaitable<std::optional<std::string>> read_body(http::Exchange& exchange, std::size_t most) {
  auto body = co_await exchange.read_body(most);
  if (body) co_return std::move(*body);
  const int status = http::gate_status(body.error());
  co_await send_error_as(exchange, status, error_of_body(body.error(), most));
  co_return std::nullopt;
}

Expected<void> check_keys(const Json& object, std::initializer_list<std::string_view> known) {
  if (!object.is_object()) return fail("bad_request", "expected a JSON object");
  for (const auto& [key, value] : object.items()) {
    if (std::find(known.begin(), known.end(), key) != known.end()) continue;
    const std::vector<std::string> words(known.begin(), known.end());
    const auto nearest = nearest_word(key, words);
    std::string hint = "known keys:";
    for (const auto& word : words) hint += " " + word;
    if (nearest) hint = "did you mean " + *nearest + "?";
    return fail("bad_request", "unknown key " + key, hint);
  }
  return {};
}

Expected<Json> parse_object(std::string_view body, std::initializer_list<std::string_view> known) {
  auto object = parse_json(trim(body).empty() ? "{}" : body);
  if (!object) return tl::unexpected(object.error().within("the body"));
  if (auto keys = check_keys(*object, known); !keys) return tl::unexpected(keys.error());
  return object;
}

Expected<std::optional<Duration>> duration_at(const Json& object, const char* key, Duration most) {
  const auto found = object.find(key);
  if (found == object.end() || found->is_null()) return std::optional<Duration>();
  std::optional<double> seconds = json_double(*found);
  if (found->is_string()) {
    const auto parsed = parse_duration(found->get_ref<const std::string&>());
    if (parsed) seconds = parsed->count();
  }
  const double limit = std::chrono::duration<double>(most).count();
  if (!seconds || !(*seconds >= 0) || *seconds > limit)
    return fail("bad_request",
                std::string(key) + " is no duration from 0 to " + std::to_string(std::llround(limit)) + "s",
                "write \"90s\", \"10m\" or a number of seconds");
  return std::optional(std::chrono::duration_cast<Duration>(std::chrono::duration<double>(*seconds)));
}

std::string time_json(TimePoint at) {
  if (at == TimePoint::max()) return "null";
  const auto from_now = std::chrono::duration_cast<std::chrono::milliseconds>(at - now());
  // Beyond what a calendar of four digits holds it is never.
  if (from_now > std::chrono::hours(24 * 365 * 1000)) return "null";
  const auto wall = std::chrono::floor<std::chrono::milliseconds>(std::chrono::system_clock::now()) + from_now;
  const std::time_t whole = std::chrono::system_clock::to_time_t(std::chrono::floor<std::chrono::seconds>(wall));
  const auto millis = static_cast<int>((wall - std::chrono::floor<std::chrono::seconds>(wall)).count());
  std::tm parts{};
  ::gmtime_r(&whole, &parts);
  std::array<char, 64> date{};
  std::array<char, 96> text{};
  std::strftime(date.data(), date.size(), "%Y-%m-%dT%H:%M:%S", &parts);
  std::snprintf(text.data(), text.size(), "\"%s.%03dZ\"", date.data(), millis);
  return text.data();
}

}  // namespace berth::agent

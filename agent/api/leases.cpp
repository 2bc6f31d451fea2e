// SPDX-License-Identifier: Apache-2.0
// /v1/leases: acquire, look, renew, release.
#include <nlohmann/json.hpp>

#include "agent/api/impl.hpp"
#include "base/text.hpp"

namespace berth::agent {

namespace asio = boost::asio;

namespace {

constexpr std::size_t kMostBody = std::size_t{64} << 10;
constexpr std::size_t kMostTrajectory = 256;
constexpr std::size_t kMostLabels = 32;
constexpr std::size_t kMostLabel = 256;
constexpr auto kMostWait = std::chrono::hours(1);
constexpr auto kInputsLimit = std::chrono::minutes(5);  // beyond the wait for a slot
constexpr auto kMostLife = std::chrono::hours(24 * 365);

struct Wish {
  AcquireRequest acquire;
  Duration wait{};
};

Expected<std::map<std::string, std::string>> labels_of(const Json& object) {
  std::map<std::string, std::string> labels;
  const auto found = object.find("labels");
  if (found == object.end() || found->is_null()) return labels;
  const auto refused = fail("bad_request", "labels is an object of at most 32 strings of at most 256 bytes");
  if (!found->is_object() || found->size() > kMostLabels) return refused;
  for (const auto& [name, text] : found->items()) {
    if (!text.is_string() || name.size() > kMostLabel || text.get_ref<const std::string&>().size() > kMostLabel)
      return refused;
    labels.emplace(name, text.get<std::string>());
  }
  return labels;
}

// A life of no length is a mistake, not a wish.
Expected<std::optional<Duration>> life_at(const Json& object, const char* key) {
  auto life = duration_at(object, key, kMostLife);
  if (life && *life && **life <= Duration::zero()) return fail("bad_request", std::string(key) + " must be above 0");
  return life;
}

Expected<Wish> parse_wish(std::string_view body, const Caller& caller) {
  const auto object = parse_object(body, {"job", "trajectory", "wait", "ttl", "idle", "labels"});
  if (!object) return tl::unexpected(object.error());
  const auto job = json_text_at(*object, "job");
  if (!job) return fail("bad_request", "job must be the name of a job", "GET /v1/jobs lists them");
  const auto trajectory = json_text_at(*object, "trajectory");
  const auto given = object->find("trajectory");
  const bool named = given != object->end() && !given->is_null();
  const bool fits = trajectory && !trajectory->empty() && trajectory->size() <= kMostTrajectory &&
                    trajectory->find('\0') == std::string::npos;
  if (named && !fits) return fail("bad_request", "trajectory must be a string of 1 to 256 bytes without NUL");
  const auto wait = duration_at(*object, "wait", kMostWait);
  const auto ttl = life_at(*object, "ttl");
  const auto idle = life_at(*object, "idle");
  auto labels = labels_of(*object);
  if (!wait) return tl::unexpected(wait.error());
  if (!ttl) return tl::unexpected(ttl.error());
  if (!idle) return tl::unexpected(idle.error());
  if (!labels) return tl::unexpected(labels.error());
  Wish wish;
  wish.acquire.job = *job;
  wish.acquire.trajectory = trajectory.value_or("");
  wish.acquire.owner = caller.name;
  wish.acquire.ttl = *ttl;
  wish.acquire.idle = *idle;
  wish.acquire.max_slots = caller.slots;
  wish.acquire.labels = *std::move(labels);
  wish.wait = wait->value_or(Duration::zero());
  return wish;
}

Error unknown_lease(const std::string& id) {
  return {"unknown_lease", "there is no lease " + id, "acquire a slot first"};
}

}  // namespace

Expected<pool::Lease> Api::Impl::lease_seen(const Request& request) const {
  auto lease = parts_.runtime.live_lease(request.params[0]);
  const bool hidden = lease ? !request.caller.sees(lease->owner) : lease.error().code == "unknown_lease";
  if (hidden) return tl::unexpected(unknown_lease(request.params[0]));
  return lease;
}

Expected<pool::Lease> Api::Impl::lease_used(const Request& request) const {
  auto lease = parts_.runtime.live_lease(request.params[0]);
  const bool hidden = lease ? !request.caller.may_use(lease->owner) : lease.error().code == "unknown_lease";
  if (hidden) return tl::unexpected(unknown_lease(request.params[0]));
  return lease;
}

std::string Api::Impl::lease_json(const pool::Lease& lease, bool with_owner) const {
  Json text{{"lease", lease.id},
            {"job", lease.job},
            {"trajectory", lease.trajectory},
            {"container", lease.container},
            {"slot", pool::slot_name(lease.slot)},
            {"generation", lease.generation},
            {"workspace", "/workspace"},
            {"calls", lease.calls},
            {"labels", parts_.runtime.labels(lease.id)}};
  if (with_owner) text["owner"] = lease.owner;
  const auto health = parts_.runtime.health().find(lease.container);
  text["isolation"] = nullptr;
  if (health != parts_.runtime.health().end())
    text["isolation"] = Json{{"level", health->second.isolation}, {"missing", health->second.missing}};
  std::string body = dump_json(text);
  body.pop_back();
  body += ",\"expires_at\":" + time_json(lease.ends_at) + ",\"idle_at\":" + time_json(lease.idle_at()) + "}";
  return body;
}

asio::awaitable<void> Api::Impl::list_leases(Request& request) {
  const auto job = request.exchange.head().query_value("job").value_or("");
  std::string body = R"({"leases": [)";
  bool first = true;
  for (const auto& lease : parts_.runtime.pool().leases(job)) {
    if (!request.caller.sees(lease.owner)) continue;
    if (!std::exchange(first, false)) body += ",";
    body += lease_json(lease, request.caller.right != Right::use);
  }
  body += "]}";
  co_await send_json(request.exchange, 200, std::move(body));
}

asio::awaitable<void> Api::Impl::post_lease(Request& request) {
  http::Exchange& exchange = request.exchange;
  const auto body = co_await read_body(exchange, kMostBody);
  if (!body) co_return;
  auto wish = parse_wish(*body, request.caller);
  if (!wish) co_return co_await send_error(exchange, wish.error());
  const auto begin = now();
  wish->acquire.wait = Deadline(begin + wish->wait);
  wish->acquire.ready_by = Deadline(begin + wish->wait + kInputsLimit);
  const bool anonymous = wish->acquire.trajectory.empty();
  const auto number = parts_.runtime.new_request();
  exchange.on_disconnect([&runtime = parts_.runtime, number] { runtime.cancel_acquire(number); });
  const auto granted = co_await parts_.runtime.lease(number, std::move(wish->acquire));
  const auto took = now() - begin;
  if (!granted) {
    parts_.metrics.acquired(granted.error().error.code, took);
    co_return co_await send_error(exchange, granted.error().error, granted.error().retry_after);
  }
  parts_.metrics.acquired(granted->existing ? "again" : "granted", took);
  http::Response answer;
  answer.status = granted->existing ? 200 : 201;
  answer.body = lease_json(granted->lease, false);
  answer.fields.emplace_back("Location", "/v1/leases/" + granted->lease.id);
  const auto sent = co_await exchange.respond(std::move(answer));
  // Nobody can know of a lease without a name whose answer was lost.
  if (!sent && anonymous) parts_.runtime.release(granted->lease.id);
}

asio::awaitable<void> Api::Impl::get_lease(Request& request) {
  const auto lease = lease_seen(request);
  if (!lease) co_return co_await send_error(request.exchange, lease.error());
  co_await send_json(request.exchange, 200, lease_json(*lease, request.caller.right != Right::use));
}

asio::awaitable<void> Api::Impl::patch_lease(Request& request) {
  http::Exchange& exchange = request.exchange;
  const auto body = co_await read_body(exchange, kMostBody);
  if (!body) co_return;
  const auto object = parse_object(*body, {"ttl", "idle"});
  if (!object) co_return co_await send_error(exchange, object.error());
  const auto ttl = life_at(*object, "ttl");
  if (!ttl) co_return co_await send_error(exchange, ttl.error());
  const auto idle = life_at(*object, "idle");
  if (!idle) co_return co_await send_error(exchange, idle.error());
  auto lease = lease_used(request);
  if (lease) lease = parts_.runtime.renew(lease->id, *ttl, *idle);
  if (!lease) co_return co_await send_error(exchange, lease.error());
  co_await send_json(exchange, 200, lease_json(*lease, false));
}

asio::awaitable<void> Api::Impl::delete_lease(Request& request) {
  const auto lease = lease_used(request);
  const auto ended = parts_.runtime.pool().ended(request.params[0]);
  if (!lease && ended != pool::EndReason::released) co_return co_await send_error(request.exchange, lease.error());
  if (lease) parts_.runtime.release(lease->id);
  http::Response nothing;
  nothing.status = 204;
  (void)co_await request.exchange.respond(std::move(nothing));
}

}  // namespace berth::agent

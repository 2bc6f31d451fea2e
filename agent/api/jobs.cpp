// SPDX-License-Identifier: Apache-2.0
// /v1/jobs
#include <nlohmann/json.hpp>

#include "agent/api/impl.hpp"
#include "agent/api/plan.hpp"
#include "base/text.hpp"

namespace berth::agent {

namespace asio = boost::asio;

namespace {

constexpr std::size_t kMostJobText = std::size_t{1} << 20;

std::string_view state_of(const pool::JobView& view) {
  if (view.removing) return "removing";
  if (view.up >= view.min) return "up";
  return view.last_failure.empty() ? "starting" : "failing";
}

Json to_json(const pool::JobView& view, const jobs::Job* job) {
  Json text{{"job", view.job},
            {"state", state_of(view)},
            {"containers",
             {{"min", view.min},
              {"max", view.max},
              {"spare", view.spare},
              {"starting", view.starting},
              {"up", view.up},
              {"suspect", view.suspect},
              {"draining", view.draining},
              {"stopping", view.stopping}}},
            {"slots",
             {{"available", view.available},
              {"leased", view.leased},
              {"releasing", view.releasing},
              {"broken", view.broken}}},
            {"waiting", view.waiting},
            {"failures", view.failures},
            {"last_failure", view.last_failure}};
  if (job == nullptr) return text;
  text["driver"] = jobs::to_string(job->driver);
  text["slots"]["per_container"] = job->slots;
  return text;
}

std::string list_of(Json all) {
  return dump_json(Json{{"jobs", std::move(all)}});
}

std::string removal_json(const std::string& name, const std::optional<pool::JobView>& left) {
  return dump_json(Json{{"job", name}, {"state", left ? "removing" : "gone"}, {"leases", left ? left->leased : 0}});
}

const jobs::Job* find(const std::map<std::string, jobs::Job>& jobs, const std::string& name) {
  const auto found = jobs.find(name);
  return found == jobs.end() ? nullptr : &found->second;
}

Error unknown_job(const std::string& name) {
  return {"unknown_job", "there is no job " + name, "GET /v1/jobs lists them"};
}

std::string complaints_body(const jobs::Diagnostics& complaints) {
  Json all = Json::array();
  for (const auto& complaint : complaints) all.push_back(jobs::to_string(complaint));
  std::string message = all.empty() ? "the job cannot be read" : all.front().get<std::string>();
  if (all.size() > 1) message += " (and " + std::to_string(all.size() - 1) + " more)";
  const Json error{{"code", "bad_job"},
                   {"message", message},
                   {"hint", "berth validate FILE says the same of a file"},
                   {"complaints", std::move(all)}};
  return dump_json(Json{{"error", error}});
}

// What a job may not say when it comes over HTTP.
std::optional<Error> objection(const jobs::Job& job, const std::string& name, const Runtime& runtime) {
  if (job.name != name)
    return Error{"bad_request", "the body is job " + job.name + ", the path says " + name, "make them the same"};
  if (!job.rootfs.empty())
    return Error{"rootfs_refused", "rootfs names a directory of the agent's machine",
                 "put the file into the agent's jobs folder"};
  for (const jobs::Input& input : job.inputs)
    if (!input_digest(input.from))
      return Error{"inputs_refused", "inputs are named by their digest, and " + input.from + " is none",
                   "berth apply packs and sends them; or PUT a tar to /v1/inputs/sha256:HEX, then from: sha256:HEX"};
  const std::string driver(jobs::to_string(job.driver));
  if (!runtime.serves(driver))
    return Error{"driver_unavailable", "this agent has no driver " + driver + ", which the job wants",
                 "set another driver, or ask another agent"};
  return std::nullopt;
}

// What everybody who leases a slot gets has to be said without a trajectory.
tl::expected<jobs::Job, jobs::Diagnostics> read_job(const std::string& text) {
  auto job = jobs::parse_job(text, "body", "");
  if (!job) return job;
  auto inputs = jobs::pool_inputs(*job);
  if (!inputs) return tl::unexpected(std::move(inputs.error()));
  job->inputs = *std::move(inputs);
  return job;
}

std::optional<Error> missing_input(const jobs::Job& job, const InputStore& store) {
  for (const jobs::Input& input : job.inputs)
    if (!store.size(input_digest(input.from).value_or("")))
      return Error{"input_missing", "the agent has no input " + input.from, "PUT it to /v1/inputs/" + input.from};
  return std::nullopt;
}

}  // namespace

asio::awaitable<void> Api::Impl::list_jobs(Request& request) {
  Json all = Json::array();
  for (const auto& view : parts_.runtime.pool().jobs())
    all.push_back(to_json(view, find(parts_.runtime.jobs(), view.job)));
  co_await send_json(request.exchange, 200, list_of(std::move(all)));
}

asio::awaitable<void> Api::Impl::get_job(Request& request) {
  const std::string& name = request.params[0];
  const auto view = parts_.runtime.pool().job(name);
  Error unknown = unknown_job(name);
  if (!view) co_return co_await send_error(request.exchange, std::move(unknown));
  const jobs::Job* job = find(parts_.runtime.jobs(), name);
  Json text = to_json(*view, job);
  if (job != nullptr) text["spec"] = public_description(*job);
  co_await send_json(request.exchange, 200, dump_json(text));
}

asio::awaitable<void> Api::Impl::put_job(Request& request) {
  http::Exchange& exchange = request.exchange;
  const std::string name = request.params[0];
  const bool plan_only = request.asks("plan", "1");
  const auto text = co_await read_body(exchange, kMostJobText);
  if (!text) co_return;
  const auto job = read_job(*text);
  if (!job) {
    std::string body = complaints_body(job.error());
    co_return co_await send_json(exchange, 400, std::move(body));
  }
  auto wrong = objection(*job, name, parts_.runtime);
  if (wrong) co_return co_await send_error(exchange, *std::move(wrong));
  const auto view = parts_.runtime.pool().job(name);
  const jobs::Job* now = view && !view->removing ? find(parts_.runtime.jobs(), name) : nullptr;
  const bool is_new = now == nullptr;
  Json plan = plan_of(now, *job);
  plan["applied"] = !plan_only;
  if (!plan_only) {
    auto refused = refusal_of_job(*job, *text);
    if (refused) co_return co_await send_error_as(exchange, refused->first, std::move(refused->second));
    parts_.runtime.apply(*job);
  }
  const int status = is_new && !plan_only ? 201 : 200;
  co_await send_json(exchange, status, dump_json(plan));
}

// Why a good job is not applied, with its status.
std::optional<std::pair<int, Error>> Api::Impl::refusal_of_job(const jobs::Job& job, const std::string& text) const {
  if (draining_) return std::pair(503, Error{"agent_stopping", "the agent is stopping", "ask again when it is back"});
  Expected<void> allowed;
  if (options_.jobs.on_put) allowed = options_.jobs.on_put(job, text);
  if (!allowed) return std::pair(409, allowed.error());
  auto missing = missing_input(job, parts_.inputs);
  if (missing) return std::pair(409, *std::move(missing));
  return std::nullopt;
}

asio::awaitable<void> Api::Impl::delete_job(Request& request) {
  http::Exchange& exchange = request.exchange;
  const std::string& name = request.params[0];
  auto view = parts_.runtime.pool().job(name);
  Error unknown = unknown_job(name);
  if (!view) co_return co_await send_error(exchange, std::move(unknown));
  Expected<void> allowed;
  if (options_.jobs.on_delete) allowed = options_.jobs.on_delete(name);
  if (!allowed) co_return co_await send_error_as(exchange, 409, allowed.error());
  parts_.runtime.remove_job(name, request.asks("force", "1"));
  view = parts_.runtime.pool().job(name);
  co_await send_json(exchange, 202, removal_json(name, view));
}

}  // namespace berth::agent

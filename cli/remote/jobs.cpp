// SPDX-License-Identifier: Apache-2.0
// berth plan, apply, delete
#include <filesystem>
#include <nlohmann/json.hpp>

#include "base/json.hpp"
#include "base/text.hpp"
#include "cli/remote/commands.hpp"
#include "cli/remote/pool_text.hpp"
#include "cli/remote/remote.hpp"
#include "cli/remote/table.hpp"
#include "cli/terminal.hpp"

namespace berth::cli {

namespace asio = boost::asio;

namespace {

std::string plain(const Json& value) {
  if (value.is_null()) return "none";
  return value.is_string() ? value.get<std::string>() : dump_json(value);
}

std::string plan_text(const Json& plan) {
  const std::string action = plan.value("action", "");
  std::string text = "job " + plan.value("job", "") + ": " + (action == "none" ? "nothing to change" : action) + "\n";
  // Of a new job everything is new; the file says it better.
  for (const Json& each : action == "update" ? plan.value("changes", Json::array()) : Json::array()) {
    const std::string line =
        each.value("key", "") + ": " + plain(each.value("from", Json())) + " -> " + plain(each.value("to", Json()));
    text += "  " + harmless_line(line, 400) + "\n";
  }
  if (plan.value("replaces_containers", false))
    text += "  containers without leases are replaced at once, the others when their leases have ended\n";
  return text;
}

asio::awaitable<int> put(Remote& remote, const ApplyOptions& options, const PoolText& pool, bool plan_only) {
  const std::string target = "/v1/jobs/" + percent_encode(pool.name) + (plan_only ? "?plan=1" : "");
  http::ClientRequest request = remote.request("PUT", target);
  request.content_type = "application/yaml";
  request.body = pool.yaml;
  const auto body = co_await remote.ask(std::move(request), Deadline());
  if (!body) co_return report(remote, body.error());
  const auto plan = parse_json(*body);
  if (!plan || !plan->is_object()) co_return report(remote, {"protocol", "the agent's answer is no plan", {}});
  print_out(options.json ? dump_json(*plan) + "\n" : plan_text(*plan));
  co_return kSuccess;
}

int put_command(const ApplyOptions& options, bool plan_only) {
  const auto pool = pool_text(options.job);
  if (!pool) return kUsage;
  if (pool->has_inputs)
    print_warning(
        "inputs stay here: berth run and exec --job FILE put them into slots; berth cp brings files to a lease");
  const auto work = [&](Remote& remote) { return put(remote, options, *pool, plan_only); };
  return with_agent(work, kPlatform);
}

asio::awaitable<int> remove(Remote& remote, const DeleteOptions& options, const std::string& name) {
  const std::string target = "/v1/jobs/" + percent_encode(name) + (options.force ? "?force=1" : "");
  const auto body = co_await remote.ask("DELETE", target);
  if (!body) co_return report(remote, body.error());
  const auto answer = parse_json(*body);
  if (!answer || !answer->is_object()) co_return report(remote, {"protocol", "the agent's answer is not JSON", {}});
  const auto leases = json_uint_at(*answer, "leases").value_or(0);
  std::string text = "job " + name + ": " + answer->value("state", "removing");
  if (leases > 0) text += ", when its " + std::to_string(leases) + " leases have ended (--force ends them)";
  print_out(options.json ? dump_json(*answer) + "\n" : text + "\n");
  co_return kSuccess;
}

}  // namespace

int plan_command(const ApplyOptions& options) {
  return put_command(options, true);
}

int apply_command(const ApplyOptions& options) {
  return put_command(options, false);
}

int delete_command(const DeleteOptions& options) {
  std::string name = options.job;
  if (is_job_file(name)) {
    JobOptions file;
    file.file = name;
    const auto job = load(file);
    if (!job) return kUsage;
    name = job->name;
  }
  return with_agent([&](Remote& remote) { return remove(remote, options, name); }, kPlatform);
}

}  // namespace berth::cli

// SPDX-License-Identifier: Apache-2.0
// berth plan, apply, delete
#include <filesystem>
#include <nlohmann/json.hpp>

#include "base/json.hpp"
#include "base/text.hpp"
#include "cli/remote/commands.hpp"
#include "cli/remote/inputs.hpp"
#include "cli/remote/pool_text.hpp"
#include "cli/remote/remote.hpp"
#include "cli/remote/table.hpp"
#include "cli/state_dir.hpp"
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

asio::awaitable<int> put(Remote& remote, const ApplyOptions& options, const PoolText& pool,
                         const std::vector<SentInput>& inputs, bool plan_only) {
  Expected<void> sent;
  if (!plan_only) sent = co_await upload_missing(remote, inputs);
  if (!sent) co_return report(remote, sent.error());
  const auto body = co_await put_job(remote, pool.name, text_with(pool, inputs), plan_only);
  if (!body) co_return report(remote, body.error());
  const auto plan = parse_json(*body);
  if (!plan || !plan->is_object()) co_return report(remote, {"protocol", "the agent's answer is no plan", {}});
  print_out(options.json ? dump_json(*plan) + "\n" : plan_text(*plan));
  co_return kSuccess;
}

int put_command(const ApplyOptions& options, bool plan_only) {
  const auto job = load(options.job);
  const auto pool = job ? pool_text(options.job, *job) : std::nullopt;
  if (!pool) return kUsage;
  if (!pool->inputs) {
    print_complaints(pool->inputs.error());
    return kUsage;
  }
  const auto state_dir = PrivateStateDir::create();
  PackedInputs packed;
  jobs::ReadyWork work;
  work.inputs = *pool->inputs;
  const auto prepared = state_dir ? packed.prepare(*job, {work}, state_dir->path()) : tl::unexpected(state_dir.error());
  if (!prepared) {
    print_error(prepared.error());
    return kPlatform;
  }
  const std::vector<SentInput> inputs = sent_inputs(*pool->inputs, packed);
  return with_agent([&](Remote& remote) { return put(remote, options, *pool, inputs, plan_only); }, kPlatform);
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

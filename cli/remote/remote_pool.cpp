// SPDX-License-Identifier: Apache-2.0
#include "cli/remote/remote_pool.hpp"

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <nlohmann/json.hpp>

#include "base/json.hpp"
#include "base/text.hpp"
#include "cli/remote/inputs.hpp"
#include "cli/remote/remote_place.hpp"
#include "cli/terminal.hpp"

namespace berth::cli {

namespace asio = boost::asio;

namespace {

constexpr std::chrono::seconds kRemovalLimit{15};
constexpr std::chrono::milliseconds kRemovalPace{100};

struct Pool {
  bool made = false;    // else shared
  bool inputs = false;  // it brings them
};

// "create", "update" or "none"
asio::awaitable<Expected<std::string>> action_of(Remote& remote, std::string name, std::string yaml) {
  const auto body = co_await put_job(remote, std::move(name), std::move(yaml), true);
  if (!body) co_return tl::unexpected(body.error());
  const auto plan = parse_json(*body);
  std::string action;
  if (plan && plan->is_object()) action = json_text_at(*plan, "action").value_or("");
  co_return action;
}

asio::awaitable<Expected<Pool>> ensure(Remote& remote, const PoolText& pool, const std::vector<SentInput>& inputs) {
  const std::string whole = text_with(pool, inputs);
  const bool brings = !inputs.empty();
  auto action = co_await action_of(remote, pool.name, whole);
  if (!action) co_return tl::unexpected(action.error());
  if (*action == "none") co_return Pool{false, brings};
  if (*action == "update" && brings) {
    action = co_await action_of(remote, pool.name, pool.yaml);
    if (!action) co_return tl::unexpected(action.error());
    if (*action == "none") co_return Pool{};
  }
  if (*action != "create")
    co_return fail("other_content", "the agent has a job " + pool.name + " with other content",
                   "berth plan shows the difference; give this job another name, or berth apply it");
  const auto sent = co_await upload_missing(remote, inputs);
  if (!sent) co_return tl::unexpected(sent.error());
  const auto made = co_await put_job(remote, pool.name, whole, false);
  if (!made) co_return tl::unexpected(made.error());
  co_return Pool{true, brings};
}

// Until nothing is left of it, so that the next command finds the name free.
asio::awaitable<void> take_down(Remote& remote, std::string name) {
  const std::string target = "/v1/jobs/" + percent_encode(name);
  const Deadline until(now() + kRemovalLimit);
  asio::steady_timer pause(remote.context());
  auto answer = co_await remote.ask("DELETE", target + "?force=1");
  while (answer && !until.expired(now())) {
    answer = co_await remote.ask("GET", target);
    pause.expires_after(kRemovalPace);
    if (answer) co_await pause.async_wait(asio::as_tuple(asio::use_awaitable));
  }
  if (!answer && answer.error().code == "unknown_job") co_return;
  print_warning("the pool of job " + name + " may still be there; berth delete " + name + " --force ends it");
}

asio::awaitable<int> run_there(Remote& remote, RemoteRun& run) {
  auto state_dir = PrivateStateDir::create();
  const auto prepared = state_dir ? run.prepare(state_dir->path()) : tl::unexpected(state_dir.error());
  if (!prepared) {
    print_error(prepared.error());
    co_return run.platform_code;
  }
  std::vector<SentInput> inputs;
  if (run.pool.inputs) inputs = sent_inputs(*run.pool.inputs, *run.inputs);
  const auto pool = co_await ensure(remote, run.pool, inputs);
  if (!pool) {
    const int code = report(remote, pool.error());
    co_return code == kPlatform ? run.platform_code : code;
  }
  RemotePlace place(remote, std::move(*state_dir), pool->inputs);
  const int code = co_await run.work(place);
  if (pool->made && !run.keep) co_await take_down(remote, run.pool.name);
  co_return code;
}

asio::awaitable<int> run_with(Remote& remote, int platform_code,
                              const std::function<asio::awaitable<int>(Place&)>& work) {
  auto state_dir = PrivateStateDir::create();
  if (!state_dir) {
    print_error(state_dir.error());
    co_return platform_code;
  }
  RemotePlace place(remote, std::move(*state_dir), false);
  co_return co_await work(place);
}

}  // namespace

int run_remotely(RemoteRun run) {
  return with_agent([&run](Remote& remote) { return run_there(remote, run); }, run.platform_code);
}

int run_in_existing(int platform_code, std::function<asio::awaitable<int>(Place&)> work) {
  return with_agent([&](Remote& remote) { return run_with(remote, platform_code, work); }, platform_code);
}

}  // namespace berth::cli

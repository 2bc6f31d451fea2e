// SPDX-License-Identifier: Apache-2.0
#include "cli/remote/remote_pool.hpp"

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <nlohmann/json.hpp>

#include "base/json.hpp"
#include "base/text.hpp"
#include "cli/remote/remote_place.hpp"
#include "cli/terminal.hpp"

namespace berth::cli {

namespace asio = boost::asio;

namespace {

constexpr std::chrono::seconds kRemovalLimit{15};
constexpr std::chrono::milliseconds kRemovalPace{100};

enum class Pool { shared, made };

asio::awaitable<Expected<std::string>> put(Remote& remote, const PoolText& pool, std::string query) {
  http::ClientRequest request = remote.request("PUT", "/v1/jobs/" + percent_encode(pool.name) + query);
  request.content_type = "application/yaml";
  request.body = pool.yaml;
  const Deadline deadline;
  co_return co_await remote.ask(std::move(request), deadline);
}

asio::awaitable<Expected<Pool>> ensure(Remote& remote, const PoolText& pool) {
  const auto body = co_await put(remote, pool, "?plan=1");
  if (!body) co_return tl::unexpected(body.error());
  const auto plan = parse_json(*body);
  const std::string action = plan && plan->is_object() ? json_text_at(*plan, "action").value_or("") : "";
  if (action == "none") co_return Pool::shared;
  if (action != "create")
    co_return fail("other_content", "the agent has a job " + pool.name + " with other content",
                   "berth plan shows the difference; give this job another name, or berth apply it");
  const auto made = co_await put(remote, pool, "");
  if (!made) co_return tl::unexpected(made.error());
  co_return Pool::made;
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
  const auto pool = co_await ensure(remote, run.pool);
  if (!pool) {
    const int code = report(remote, pool.error());
    co_return code == kPlatform ? run.platform_code : code;
  }
  RemotePlace place(remote, std::move(*state_dir));
  const int code = co_await run.work(place);
  if (*pool == Pool::made && !run.keep) co_await take_down(remote, run.pool.name);
  co_return code;
}

asio::awaitable<int> run_with(Remote& remote, int platform_code,
                              const std::function<asio::awaitable<int>(Place&)>& work) {
  auto state_dir = PrivateStateDir::create();
  if (!state_dir) {
    print_error(state_dir.error());
    co_return platform_code;
  }
  RemotePlace place(remote, std::move(*state_dir));
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

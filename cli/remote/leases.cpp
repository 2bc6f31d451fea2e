// SPDX-License-Identifier: Apache-2.0
// berth acquire, release, reset
#include <nlohmann/json.hpp>

#include "base/json.hpp"
#include "base/text.hpp"
#include "cli/remote/commands.hpp"
#include "cli/remote/remote.hpp"
#include "cli/remote/table.hpp"
#include "cli/terminal.hpp"

namespace berth::cli {

namespace asio = boost::asio;

namespace {

std::string path_of(const std::string& lease) {
  return "/v1/leases/" + percent_encode(lease);
}

// Prints the lease: its id alone for shells, all of it with --json.
int show(Remote& remote, const std::string& body, bool json) {
  const auto lease = parse_json(body);
  const auto id = lease && lease->is_object() ? json_text_at(*lease, "lease") : std::nullopt;
  if (!id) return report(remote, {"protocol", "the agent's answer is no lease", {}});
  print_out((json ? dump_json(*lease) : harmless_line(*id, 200)) + "\n");
  return kSuccess;
}

asio::awaitable<int> acquire(Remote& remote, const Json& wish, bool json) {
  const auto body = co_await remote.ask("POST", "/v1/leases", dump_json(wish));
  if (!body) co_return report(remote, body.error());
  co_return show(remote, *body, json);
}

asio::awaitable<int> release(Remote& remote, const LeaseOptions& options) {
  int code = kSuccess;
  for (const std::string& lease : options.leases) {
    const auto body = co_await remote.ask("DELETE", path_of(lease));
    if (!body) code = report(remote, body.error());
    if (body && options.json) print_out(dump_json(Json{{"lease", lease}, {"released", true}}) + "\n");
  }
  co_return code;
}

// Every release resets: the slot goes back, and a clean one is taken for the same trajectory.
asio::awaitable<int> renew_slot(Remote& remote, const std::string& lease, const LeaseOptions& options) {
  const auto old = co_await remote.ask("GET", path_of(lease));
  if (!old) co_return report(remote, old.error());
  const auto parsed = parse_json(*old);
  if (!parsed || !parsed->is_object()) co_return report(remote, {"protocol", "the agent's answer is no lease", {}});
  Json wish{{"job", parsed->value("job", "")}, {"wait", options.wait}};
  if (parsed->contains("labels")) wish["labels"] = parsed->at("labels");
  const std::string trajectory = parsed->value("trajectory", "");
  if (trajectory != lease) wish["trajectory"] = trajectory;
  const auto gone = co_await remote.ask("DELETE", path_of(lease));
  if (!gone) co_return report(remote, gone.error());
  co_return co_await acquire(remote, wish, options.json);
}

asio::awaitable<int> reset_all(Remote& remote, const LeaseOptions& options) {
  int code = kSuccess;
  for (const std::string& lease : options.leases) {
    const int one = co_await renew_slot(remote, lease, options);
    if (one != kSuccess) code = one;
  }
  co_return code;
}

std::optional<Json> wish_of(const AcquireOptions& options) {
  Json wish{{"job", options.job}, {"wait", options.wait}};
  if (!options.trajectory.empty()) wish["trajectory"] = options.trajectory;
  if (!options.ttl.empty()) wish["ttl"] = options.ttl;
  if (!options.idle.empty()) wish["idle"] = options.idle;
  for (const std::string& label : options.labels) {
    const std::size_t equals = label.find('=');
    if (equals == std::string::npos || equals == 0) {
      print_error({"bad_label", "--label " + label + " is no KEY=VALUE", {}});
      return std::nullopt;
    }
    wish["labels"][label.substr(0, equals)] = label.substr(equals + 1);
  }
  return wish;
}

}  // namespace

int acquire_command(const AcquireOptions& options) {
  const auto wish = wish_of(options);
  if (!wish) return kUsage;
  return with_agent([&](Remote& remote) { return acquire(remote, *wish, options.json); }, kPlatform);
}

int release_command(const LeaseOptions& options) {
  return with_agent([&](Remote& remote) { return release(remote, options); }, kPlatform);
}

int reset_command(const LeaseOptions& options) {
  return with_agent([&](Remote& remote) { return reset_all(remote, options); }, kPlatform);
}

}  // namespace berth::cli

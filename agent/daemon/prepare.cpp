// SPDX-License-Identifier: Apache-2.0
#include "agent/daemon/prepare.hpp"

#include <sys/resource.h>
#include <sys/stat.h>

#include <algorithm>

#include "base/fd.hpp"
#include "base/log.hpp"
#include "drivers/local/locate.hpp"

namespace berth::agent {
namespace {

constexpr std::size_t kMostTokensBytes = std::size_t{4} << 20;
constexpr std::size_t kFewestConnections = 16;

bool is_set(const Config& config, std::string_view prefix) {
  return std::any_of(config.settings.begin(), config.settings.end(), [prefix](const Setting& each) {
    return each.key.starts_with(prefix) && !each.text.empty() && each.origin != "default";
  });
}

// What this version knows of but does not do is refused where somebody would rely on it, and told where not.
Expected<void> check_what_is_here(const Config& config) {
  if (!config.tls_cert.empty() || !config.tls_key.empty())
    return fail("not_here", "tls: this version does not serve TLS itself",
                "leave tls out, listen on 127.0.0.1 and put a TLS proxy in front");
  if (config.batch_window.count() != 0)
    return fail("not_here", "relay.batch_window: this version sends every call at once", "set it to 0ms");
  if (is_set(config, "drivers."))
    log(LogLevel::warning, "this version has the local driver only; the keys under drivers are not used");
  return {};
}

void warn_of_readable(const std::string& file) {
  struct stat facts {};
  if (::stat(file.c_str(), &facts) != 0 || (facts.st_mode & 0077) == 0) return;
  log(LogLevel::warning, "other users can read the tokens file; chmod 600 it", {{"file", file}});
}

}  // namespace

Expected<Tokens> read_tokens(const std::string& file) {
  if (file.empty()) return Tokens();
  const auto text = read_file(file, kMostTokensBytes);
  if (!text) return tl::unexpected(text.error().within("tokens"));
  warn_of_readable(file);
  return Tokens::parse(*text, file);
}

Expected<std::vector<FolderJob>> read_jobs(const std::string& folder) {
  return folder.empty() ? std::vector<FolderJob>() : read_job_folder(folder);
}

http::ServerLimits server_limits() {
  http::ServerLimits limits;
  rlimit descriptors{};
  if (::getrlimit(RLIMIT_NOFILE, &descriptors) != 0) return limits;
  const auto half = static_cast<std::size_t>(descriptors.rlim_cur / 2);
  limits.max_connections = std::max(kFewestConnections, std::min(limits.max_connections, half));
  return limits;
}

Expected<Prepared> prepare(const Config& config) {
  if (auto here = check_what_is_here(config); !here) return tl::unexpected(here.error());
  auto address = parse_listen(config.listen);
  if (!address) return tl::unexpected(address.error());
  if (auto safe = check_exposure(*address, !config.tokens.empty()); !safe) return tl::unexpected(safe.error());
  auto tokens = read_tokens(config.tokens);
  if (!tokens) return tl::unexpected(tokens.error());
  auto slotd = drivers::find_slotd(drivers::slotd_search(config.slotd));
  if (!slotd) return tl::unexpected(slotd.error());
  auto jobs = read_jobs(config.jobs);
  if (!jobs) return tl::unexpected(jobs.error());
  auto tool_server = read_tool_server(config.tool_server_url, config.tool_server_token_file);
  if (!tool_server) return tl::unexpected(tool_server.error());
  auto state_dir = StateDir::open(config.state_dir);
  if (!state_dir) return tl::unexpected(state_dir.error());
  return Prepared{std::move(*address), std::move(*tokens),    std::move(*slotd),
                  std::move(*jobs),    std::move(*state_dir), std::move(*tool_server)};
}

}  // namespace berth::agent

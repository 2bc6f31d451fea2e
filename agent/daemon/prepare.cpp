// SPDX-License-Identifier: Apache-2.0
#include "agent/daemon/prepare.hpp"

#include <sys/resource.h>
#include <sys/stat.h>

#include <algorithm>
#include <array>
#include <ctime>

#include "base/fd.hpp"
#include "base/log.hpp"
#include "drivers/local/locate.hpp"

namespace berth::agent {
namespace {

constexpr std::size_t kMostTokensBytes = std::size_t{4} << 20;
constexpr std::size_t kFewestConnections = 16;
constexpr std::chrono::hours kToldBeforeEnd{7 * 24};

bool is_set(const Config& config, std::string_view prefix) {
  return std::any_of(config.settings.begin(), config.settings.end(), [prefix](const Setting& each) {
    return each.key.starts_with(prefix) && !each.text.empty() && each.origin != "default";
  });
}

// What this version knows of but does not do is refused where somebody would rely on it, and told where not.
Expected<void> check_what_is_here(const Config& config) {
  if (config.batch_window.count() != 0)
    return fail("not_here", "relay.batch_window: this version sends every call at once", "set it to 0ms");
  if (is_set(config, "drivers.nomad."))
    log(LogLevel::warning, "this version has no driver nomad; the keys under drivers.nomad are not used");
  return {};
}

void warn_of_readable(const std::string& file) {
  struct stat facts {};
  if (::stat(file.c_str(), &facts) != 0 || (facts.st_mode & 0077) == 0) return;
  log(LogLevel::warning, "other users can read the tokens file; chmod 600 it", {{"file", file}});
}

void tell_validity(const std::string& file, std::chrono::system_clock::time_point end) {
  const std::time_t seconds = std::chrono::system_clock::to_time_t(end);
  const auto left = end - std::chrono::system_clock::now();
  std::tm parts{};
  std::array<char, 32> text{};
  ::gmtime_r(&seconds, &parts);
  std::strftime(text.data(), text.size(), "%Y-%m-%dT%H:%M:%SZ", &parts);
  if (left >= kToldBeforeEnd) return log(LogLevel::info, "certificate", {{"file", file}, {"valid_until", text.data()}});
  log(LogLevel::warning,
      left.count() < 0 ? "the certificate has expired" : "the certificate expires soon; renew it, then SIGHUP",
      {{"file", file}, {"valid_until", text.data()}});
}

}  // namespace

Expected<std::optional<tls::ServerContext>> read_tls(const std::string& cert, const std::string& key) {
  if (cert.empty() && key.empty()) return std::nullopt;
  if (key.empty()) return fail("tls", "tls.cert is set and tls.key is not", "name the file of its private key");
  if (cert.empty()) return fail("tls", "tls.key is set and tls.cert is not", "name the file of its certificate");
  auto context = tls::ServerContext::read(cert, key);
  if (!context) return tl::unexpected(context.error().within("tls"));
  tell_validity(cert, context->valid_until());
  return std::optional(std::move(*context));
}

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
  auto docker = drivers::docker::find_endpoint(drivers::docker::endpoint_sources(config.docker_host));
  if (!docker) return tl::unexpected(docker.error());
  auto jobs = read_jobs(config.jobs);
  if (!jobs) return tl::unexpected(jobs.error());
  auto tool_server = read_tool_server(config.tool_server_url, config.tool_server_token_file);
  if (!tool_server) return tl::unexpected(tool_server.error());
  auto tls = read_tls(config.tls_cert, config.tls_key);
  if (!tls) return tl::unexpected(tls.error());
  address->tls = tls->has_value() && !address->is_unix();
  if (*tls && !address->tls) log(LogLevel::warning, "a unix socket speaks no TLS; the keys under tls are not used");
  auto state_dir = StateDir::open(config.state_dir);
  if (!state_dir) return tl::unexpected(state_dir.error());
  return Prepared{std::move(*address),   std::move(*tokens),      std::move(*slotd), std::move(*jobs),
                  std::move(*state_dir), std::move(*tool_server), std::move(*tls),   std::move(*docker)};
}

}  // namespace berth::agent

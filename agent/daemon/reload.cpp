// SPDX-License-Identifier: Apache-2.0
// SIGHUP: what is read anew, and what becomes of it.
#include <algorithm>
#include <array>
#include <boost/asio/post.hpp>

#include "agent/daemon/service.hpp"
#include "base/log.hpp"

namespace berth::agent {

namespace asio = boost::asio;

namespace {

// Keys whose new value is taken without a restart.
constexpr std::array<std::string_view, 2> kTaken{"log.level", "log.format"};

bool is_taken(const std::string& key) {
  return std::find(kTaken.begin(), kTaken.end(), key) != kTaken.end();
}

}  // namespace

// Files may be slow; calls go on meanwhile. Signals that come while files are read ask for one more reading.
void Service::reread() {
  reread_again_ = std::exchange(rereading_, true);
  if (reread_again_) return;
  asio::post(worker_, [this, &config = options_.config] {
    auto read = std::make_shared<Reread>(Reread{options_.reload(), read_tokens(config.tokens),
                                                read_tls(config.tls_cert, config.tls_key), read_jobs(config.jobs)});
    asio::post(context_, [this, read] { take(std::move(*read)); });
  });
}

void Service::take(Reread read) {
  rereading_ = false;
  if (stop_signals_ > 0) return;
  take_config(read.config);
  if (read.tokens) tokens_ = std::move(*read.tokens);
  if (!read.tokens)
    log(LogLevel::error, "tokens not reloaded, the earlier ones hold", {{"why", read.tokens.error().message}});
  take_tls(std::move(read.tls));
  if (read.jobs) take_jobs(*read.jobs);
  if (!read.jobs) log(LogLevel::error, "jobs not reloaded", {{"why", read.jobs.error().message}});
  log(LogLevel::info, "reloaded", {{"tokens", tokens_.open() ? "none" : std::to_string(tokens_.all().size())}});
  if (std::exchange(reread_again_, false)) reread();
}

void Service::take_config(const tl::expected<Config, jobs::Diagnostics>& read) {
  if (!read) {
    for (const jobs::Diagnostic& complaint : read.error())
      log(LogLevel::error, "configuration refused, the earlier one holds", {{"at", jobs::to_string(complaint)}});
    return;
  }
  for (const std::string& key : changed_keys(options_.config, *read))
    if (!is_taken(key)) log(LogLevel::warning, "the new value is taken at the next start", {{"key", key}});
  configure_log(read->log_level, read->log_format);
}

void Service::take_tls(Expected<std::optional<tls::ServerContext>> read) {
  if (read) {
    tls_ = std::move(*read);
    return;
  }
  const Error& why = read.error();
  log(LogLevel::error, "certificate not reloaded, the earlier one holds", {{"why", why.message}, {"hint", why.hint}});
}

void Service::take_jobs(const std::vector<FolderJob>& folder) {
  const JobKeeper::Summary summary = keeper_.take(folder);
  if (folder.empty() && summary.removed == 0) return;
  log(LogLevel::info, "jobs",
      {{"applied", std::to_string(summary.applied)},
       {"unchanged", std::to_string(summary.unchanged)},
       {"removed", std::to_string(summary.removed)},
       {"refused", std::to_string(summary.refused)}});
}

}  // namespace berth::agent

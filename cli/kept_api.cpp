// SPDX-License-Identifier: Apache-2.0
#include "cli/kept_api.hpp"

namespace berth::cli {

void KeptApi::observe(agent::RuntimeOptions& options) {
  options.observer = [this](const pool::Effect& effect) {
    metrics_.observe(effect);
    events_.observe(effect);
  };
  options.job_observer = [this](std::string_view job, std::string_view change) { events_.job_changed(job, change); };
}

Expected<void> KeptApi::serve(agent::Runtime& runtime, const std::string& state_dir) {
  agent::ApiOptions options;
  options.version = BERTH_VERSION;
  api_ =
      std::make_unique<agent::Api>(agent::ApiParts{context_, runtime, tokens_, events_, metrics_}, std::move(options));
  server_ =
      std::make_unique<http::Server>(context_, [this](http::Exchange& exchange) { return api_->handle(exchange); });
  const auto listening = server_->listen(address(state_dir), 0);
  if (!listening) return tl::unexpected(listening.error());
  return {};
}

}  // namespace berth::cli

// SPDX-License-Identifier: Apache-2.0
#include "cli/kept_api.hpp"

namespace berth::cli {

// The command packs its own inputs beside it.
KeptApi::KeptApi(boost::asio::io_context& context, const std::string& state_dir)
    : context_(context), events_(context), inputs_(std::make_shared<agent::InputStore>(state_dir + "/api-inputs")) {}

void KeptApi::observe(agent::RuntimeOptions& options) {
  options.observer = [this](const pool::Effect& effect) {
    metrics_.observe(effect);
    events_.observe(effect);
  };
  options.inputs = inputs_;
  options.job_observer = [this](std::string_view job, std::string_view change) { events_.job_changed(job, change); };
}

Expected<void> KeptApi::serve(agent::Runtime& runtime, const std::string& state_dir) {
  agent::ApiOptions options;
  options.version = BERTH_VERSION;
  const agent::ApiParts parts{context_, runtime, tokens_, events_, metrics_, *inputs_};
  api_ = std::make_unique<agent::Api>(parts, std::move(options));
  server_ =
      std::make_unique<http::Server>(context_, [this](http::Exchange& exchange) { return api_->handle(exchange); });
  const auto listening = server_->listen(address(state_dir), 0);
  if (!listening) return tl::unexpected(listening.error());
  return {};
}

void KeptApi::close() {
  api_.reset();
  inputs_->close();
}

}  // namespace berth::cli

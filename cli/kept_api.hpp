// SPDX-License-Identifier: Apache-2.0
// The /v1 API of an agent inside a command, on a unix socket in its private folder: for `berth run --keep`.
#pragma once

#include <boost/asio/io_context.hpp>
#include <memory>
#include <string>

#include "agent/api/api.hpp"

namespace berth::cli {

class KeptApi {
 public:
  KeptApi(boost::asio::io_context& context, const std::string& state_dir);

  // For RuntimeOptions, before there is a runtime.
  void observe(agent::RuntimeOptions& options);
  // The runtime outlives the service.
  [[nodiscard]] Expected<void> serve(agent::Runtime& runtime, const std::string& state_dir);
  void stop() { server_.reset(); }  // cuts every connection
  void close();                     // after stop(), before the runtime goes

  [[nodiscard]] static std::string address(const std::string& state_dir) { return "unix:" + state_dir + "/api"; }

 private:
  boost::asio::io_context& context_;
  agent::EventLog events_;
  agent::AgentMetrics metrics_;
  agent::Tokens tokens_;
  const std::shared_ptr<agent::InputStore> inputs_;
  std::unique_ptr<agent::Api> api_;
  std::unique_ptr<http::Server> server_;
};

}  // namespace berth::cli

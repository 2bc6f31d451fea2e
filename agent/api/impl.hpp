// SPDX-License-Identifier: Apache-2.0
// The API's routes as one class. Private to agent/api. Each group of routes has a .cpp file of its own.
#pragma once

#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>

#include "agent/api/answers.hpp"
#include "agent/api/api.hpp"
#include "agent/api/call_book.hpp"
#include "agent/api/call_set.hpp"
#include "agent/api/routes.hpp"

namespace berth::agent {

class Api::Impl : public std::enable_shared_from_this<Api::Impl> {
 public:
  using Awaitable = boost::asio::awaitable<void>;

  Impl(ApiParts parts, ApiOptions options);
  friend class Api;

  [[nodiscard]] static std::span<const Route> routes();
  [[nodiscard]] Awaitable handle(http::Exchange& exchange);
  void drain();

  [[nodiscard]] Awaitable list_jobs(Request& request);
  [[nodiscard]] Awaitable get_job(Request& request);
  [[nodiscard]] Awaitable put_job(Request& request);
  [[nodiscard]] Awaitable delete_job(Request& request);
  [[nodiscard]] Awaitable get_input(Request& request);
  [[nodiscard]] Awaitable put_input(Request& request);
  [[nodiscard]] Awaitable list_containers(Request& request);
  [[nodiscard]] Awaitable get_container_log(Request& request);
  [[nodiscard]] Awaitable list_slots(Request& request);

  [[nodiscard]] Awaitable list_leases(Request& request);
  [[nodiscard]] Awaitable post_lease(Request& request);
  [[nodiscard]] Awaitable get_lease(Request& request);
  [[nodiscard]] Awaitable patch_lease(Request& request);
  [[nodiscard]] Awaitable delete_lease(Request& request);

  [[nodiscard]] Awaitable post_execution(Request& request);
  [[nodiscard]] Awaitable get_execution(Request& request);
  [[nodiscard]] Awaitable delete_execution(Request& request);
  [[nodiscard]] Awaitable get_output(Request& request);
  [[nodiscard]] Awaitable post_batch(Request& request);

  [[nodiscard]] Awaitable get_file(Request& request);
  [[nodiscard]] Awaitable put_file(Request& request);
  [[nodiscard]] Awaitable delete_file(Request& request);

  [[nodiscard]] Awaitable get_events(Request& request);
  [[nodiscard]] Awaitable get_metrics(Request& request);
  [[nodiscard]] Awaitable get_healthz(Request& request);
  [[nodiscard]] Awaitable get_readyz(Request& request);
  [[nodiscard]] Awaitable get_openapi(Request& request);

 private:
  [[nodiscard]] Awaitable answer(http::Exchange& exchange, std::string_view& route);
  [[nodiscard]] Awaitable answer_nothing(http::Exchange& exchange, std::string_view allowed);
  [[nodiscard]] Awaitable deny(http::Exchange& exchange);
  [[nodiscard]] std::optional<std::pair<int, Error>> refusal_of_job(const jobs::Job& job,
                                                                    const std::string& text) const;
  // The body into the store; its bytes.
  [[nodiscard]] boost::asio::awaitable<Expected<std::uint64_t>> take_input(http::Exchange& exchange,
                                                                           std::string digest);
  // The live lease if it is the caller's to see, or to use; else an error that does not tell the two apart.
  [[nodiscard]] Expected<pool::Lease> lease_seen(const Request& request) const;
  [[nodiscard]] Expected<pool::Lease> lease_used(const Request& request) const;
  [[nodiscard]] std::string lease_json(const pool::Lease& lease, bool with_owner) const;

  // Starts a parsed call of the caller in its place of the set; what is wrong with it becomes its answer.
  void start_call(const std::shared_ptr<CallSet>& set, std::size_t index, const Caller& caller, WantedCall call,
                  std::size_t bytes);
  [[nodiscard]] static Awaitable run_call(std::shared_ptr<Impl> self, std::shared_ptr<CallSet> set, std::size_t index,
                                          WantedCall call, std::shared_ptr<CallBook::Record> record,
                                          CallBook::Admission admission);
  [[nodiscard]] Awaitable stream_set(http::Exchange& exchange, std::shared_ptr<CallSet> set);
  [[nodiscard]] Awaitable answer_single(http::Exchange& exchange, std::shared_ptr<CallSet> set);
  [[nodiscard]] Awaitable answer_array(http::Exchange& exchange, std::shared_ptr<CallSet> set);
  [[nodiscard]] Awaitable send_execution(http::Exchange& exchange, const std::string& lease, const std::string& id,
                                         const CallBook::Record* record);
  [[nodiscard]] boost::asio::awaitable<Expected<std::unique_ptr<Transfer>>> output_once(const Request& request,
                                                                                        double wait);
  // A transfer with the file that the request names; without one the answer has been sent.
  [[nodiscard]] boost::asio::awaitable<std::unique_ptr<Transfer>> begin_transfer(Request& request,
                                                                                 http::ClientRequest ask,
                                                                                 UploadSize upload);
  [[nodiscard]] Awaitable send_body(http::Exchange& exchange, Transfer& transfer);
  void refresh_gauges(MetricsRegistry& registry) const;

  const ApiParts parts_;
  const ApiOptions options_;
  CallBook book_;
  std::size_t event_streams_ = 0;
  bool draining_ = false;
};

}  // namespace berth::agent

// SPDX-License-Identifier: Apache-2.0
// The slot server as its routes see it: slots by name, the ledger, the identity of this boot. Owns everything but the
// io_context and the HTTP server. Single-threaded.
#pragma once

#include <boost/asio/io_context.hpp>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/http/server.hpp"
#include "base/metrics.hpp"
#include "berth/container_spec.hpp"
#include "slotd/byte_budget.hpp"
#include "slotd/call_request.hpp"
#include "slotd/files/workers.hpp"
#include "slotd/ledger.hpp"
#include "slotd/slot.hpp"

namespace berth::slotd {

struct AppOptions {
  ContainerSpec spec;
  std::string data_dir;
  std::string token_sha256;    // hex; empty: open, as the predecessors are
  proxy::GateOptions proxy{};  // but for its list, which is the specification's
};

inline constexpr auto kAbandonAfter = std::chrono::seconds(3);  // a call whose caller went (wire.md 1.4)

class App {
 public:
  App(asio::io_context& context, AppOptions options, std::unique_ptr<isolation::RoomFactory> factory);
  ~App();
  App(const App&) = delete;
  App& operator=(const App&) = delete;

  // Runs the setup commands in a layer of their own (error "setup_failed" with the last 50 lines), then opens the
  // slots.
  [[nodiscard]] asio::awaitable<Expected<void>> open();
  [[nodiscard]] asio::awaitable<void> close();
  // Cancels every call without taking new ones down a slot: for a stop that has run out of patience.
  void cancel_all();

  // One request, whatever it is.
  [[nodiscard]] asio::awaitable<void> handle(http::Exchange& exchange);

  // What became of a submitted call: an execution to wait for, or a refusal.
  struct Submitted {
    std::shared_ptr<Execution> execution;
    bool replayed = false;
  };
  struct CallContext {
    bool from_agent = false;     // carries Berth-Boot: no early answer
    Duration queue_allowance{};  // what earlier calls of the batch may take before it
  };
  [[nodiscard]] tl::expected<Submitted, Refusal> submit(CallRequest request, const CallContext& context);
  // For the metrics: a call that did not come to run.
  void count_refused(const Refusal& refusal);

  [[nodiscard]] Slot* find_slot(std::string_view id);
  [[nodiscard]] const std::vector<std::unique_ptr<Slot>>& slots() const { return slots_; }
  [[nodiscard]] Ledger& ledger() { return ledger_; }
  [[nodiscard]] const AppOptions& options() const { return options_; }
  [[nodiscard]] const std::string& boot_id() const { return boot_id_; }
  [[nodiscard]] const isolation::RoomFactory& factory() const { return *factory_; }
  // Null where slots have no proxy.
  [[nodiscard]] const proxy::Gate* gate() const { return environment_.gate.get(); }
  [[nodiscard]] MetricsRegistry& metrics() { return metrics_; }
  [[nodiscard]] asio::io_context& context() { return context_; }
  [[nodiscard]] const ToolRegistry& tools() const { return tools_; }
  [[nodiscard]] FileWorkers& workers() { return workers_; }
  // What answers of the artifact routes hold until they are sent, and archives until they are unpacked (on disk).
  [[nodiscard]] ByteBudget& artifact_bytes() { return artifact_bytes_; }
  [[nodiscard]] ByteBudget& spool_bytes() { return spool_bytes_; }
  // With a token, boot and generation are required on every slot route (wire.md 1.3).
  [[nodiscard]] bool strict_callers() const { return !options_.token_sha256.empty(); }

  // A caller went before it had its answer: the execution is cancelled after `grace` unless somebody waits for it again
  // (wire.md 1.4). Of several graces the latest end holds.
  void abandon(const std::shared_ptr<Execution>& execution, Duration grace);

 private:
  [[nodiscard]] asio::awaitable<Expected<void>> run_setup();
  [[nodiscard]] bool authorised(const http::RequestHead& head) const;
  asio::awaitable<void> expire_results();
  asio::awaitable<void> watch_abandoned();
  // Cancels those whose time is over; when the next one's is.
  [[nodiscard]] Deadline end_abandoned();
  [[nodiscard]] std::optional<Refusal> overload(const Slot& slot, const CallRequest& request) const;
  void count(Execution& execution);

  asio::io_context& context_;
  const AppOptions options_;
  std::unique_ptr<isolation::RoomFactory> factory_;
  const std::string boot_id_;
  ToolRegistry tools_;
  FileWorkers workers_;
  FileWorkers cleaners_;  // of what rooms leave: apart, so that no slot's file work holds up the reset of another
  ByteBudget artifact_bytes_{std::size_t{64} << 20};
  ByteBudget spool_bytes_;
  Ledger ledger_;
  MetricsRegistry metrics_;
  Counter& calls_;
  Counter& refused_calls_;
  Counter& denied_requests_;
  Histogram& durations_;
  SlotEnvironment environment_;
  std::vector<std::unique_ptr<Slot>> slots_;
  std::map<std::string, Slot*, std::less<>> by_id_;
  std::size_t waiting_bytes_ = 0;  // of calls that have not ended
  std::size_t ended_bytes_ = 0;    // of calls that have, since memory was last given back
  std::vector<std::weak_ptr<Execution>> abandoned_;
  AsyncEvent abandoned_news_;
  AsyncEvent closing_;
  bool closed_ = false;
};

}  // namespace berth::slotd

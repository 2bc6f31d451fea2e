// SPDX-License-Identifier: Apache-2.0
// The routes as one class. Private to agent/executor. Each group of routes has a .cpp file of its own.
#pragma once

#include <memory>
#include <string>
#include <string_view>

#include "agent/api/call_book.hpp"
#include "agent/executor/executor.hpp"
#include "agent/executor/forms.hpp"
#include "agent/executor/keyed_calls.hpp"
#include "agent/executor/trajectories.hpp"

namespace berth::agent {

class Executor::Impl : public std::enable_shared_from_this<Executor::Impl> {
 public:
  using Awaitable = boost::asio::awaitable<void>;

  Impl(ExecutorParts parts, ExecutorOptions options);
  [[nodiscard]] Awaitable handle(http::Exchange& exchange);
  void refresh_gauges(MetricsRegistry& registry) const;
  [[nodiscard]] std::size_t outside_calls() const { return outside_calls_; }
  void end_outside_calls() const;

 private:
  using ResultOf = Expected<Result>;
  // A call on its way. What it answers when nothing ran is a Result as well.
  struct Wanted {
    Trajectories::Key key;
    Caller caller;
    CallForm form;
    std::shared_ptr<Trajectory> trajectory;
    std::shared_ptr<Ticket> ticket;
    Deadline until;      // for its slot
    bool keyed = false;  // its caller named its execution_id
  };

  [[nodiscard]] Awaitable answer(http::Exchange& exchange);
  [[nodiscard]] Awaitable get_root(http::Exchange& exchange, const Caller& caller);
  [[nodiscard]] Awaitable get_health(http::Exchange& exchange, const Caller& caller);
  [[nodiscard]] Awaitable get_status(http::Exchange& exchange, const Caller& caller);
  [[nodiscard]] Awaitable post_execute(http::Exchange& exchange, const Caller& caller);
  [[nodiscard]] Awaitable post_release(http::Exchange& exchange, const Caller& caller);
  [[nodiscard]] Awaitable post_read(http::Exchange& exchange, const Caller& caller);
  [[nodiscard]] Awaitable post_list(http::Exchange& exchange, const Caller& caller);
  [[nodiscard]] Awaitable post_archive(http::Exchange& exchange, const Caller& caller);

  struct Route {
    std::string_view method, path;
    bool guarded;
    Awaitable (Impl::*function)(http::Exchange&, const Caller&);
  };
  [[nodiscard]] static const Route* find_route(std::string_view path);
  friend class Executor;

  [[nodiscard]] Awaitable send_detail(http::Exchange& exchange, int status, std::string_view detail);
  [[nodiscard]] boost::asio::awaitable<std::optional<std::string>> read_body(http::Exchange& exchange);

  [[nodiscard]] boost::asio::awaitable<Result> run(Wanted& wanted);
  [[nodiscard]] boost::asio::awaitable<Result> run_in_slot(Wanted& wanted);
  [[nodiscard]] boost::asio::awaitable<Result> run_outside(Wanted& wanted);
  // `reached`: the tool server may have begun with it.
  [[nodiscard]] boost::asio::awaitable<Result> ask_tool_server(Wanted& wanted, bool& reached);
  // The end of a call that another request makes, or made.
  [[nodiscard]] boost::asio::awaitable<Result> wait_for(Wanted& wanted, KeyedCalls::CallPtr call);
  void note_outside(const Wanted& wanted, std::string_view outcome, Duration took);
  // The lease that the call runs in; else why there is none.
  [[nodiscard]] boost::asio::awaitable<tl::expected<std::string, Result>> lease_for(Wanted& wanted);
  [[nodiscard]] boost::asio::awaitable<tl::expected<std::string, Result>> acquire(Wanted& wanted);
  [[nodiscard]] static Awaitable call(std::shared_ptr<Impl> self, std::string lease, LeaseCall call,
                                      std::shared_ptr<http::Promise<ResultOf>> answer);
  [[nodiscard]] Result result_of(Wanted& wanted, const std::string& lease, ResultOf answer);
  // The caller has gone: its call follows unless somebody comes back for it.
  void let_go(const std::weak_ptr<Trajectory>& trajectory, const std::weak_ptr<Ticket>& ticket);
  [[nodiscard]] Awaitable artifact(http::Exchange& exchange, const Caller& caller, Artifact kind);
  [[nodiscard]] bool is_live(const std::string& lease) const;
  [[nodiscard]] const jobs::Job* default_job() const;

  const ExecutorParts parts_;
  const ExecutorOptions options_;
  Trajectories trajectories_;
  KeyedCalls keyed_;
  CallBook book_;
  std::size_t outside_calls_ = 0;
  std::uint64_t requests_ = 0;
  std::uint64_t errors_ = 0;
};

// A result that these routes make themselves: nothing ran, or nobody knows what did.
[[nodiscard]] Result made_result(Cause cause, std::string error, std::string_view hint = {});

}  // namespace berth::agent

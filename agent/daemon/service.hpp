// SPDX-License-Identifier: Apache-2.0
// The running agent: its parts in the order of their dependence, and what signals do to them. Single-threaded but for
// `worker_`, which reads files. Internal to agent/daemon.
#pragma once

#include <boost/asio/awaitable.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/signal_set.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/thread_pool.hpp>
#include <memory>
#include <optional>

#include "agent/api/api.hpp"
#include "agent/daemon/daemon.hpp"
#include "agent/daemon/job_keeper.hpp"
#include "agent/daemon/prepare.hpp"
#include "agent/executor/executor.hpp"
#include "drivers/driver.hpp"

namespace berth::agent {

class Service {
 public:
  Service(DaemonOptions options, Prepared prepared);
  ~Service();
  Service(const Service&) = delete;
  Service& operator=(const Service&) = delete;

  [[nodiscard]] Expected<void> run();

 private:
  // What SIGHUP reads anew.
  struct Reread {
    tl::expected<Config, jobs::Diagnostics> config;
    Expected<Tokens> tokens;
    Expected<std::optional<tls::ServerContext>> tls;
    Expected<std::vector<FolderJob>> jobs;
  };

  [[nodiscard]] RuntimeOptions runtime_options();
  [[nodiscard]] ApiOptions api_options();
  [[nodiscard]] ExecutorOptions executor_options(std::optional<ToolServer> tool_server) const;
  [[nodiscard]] JobBoard job_board();
  [[nodiscard]] Expected<void> refuse_if_kept(const std::string& job) const;
  [[nodiscard]] boost::asio::awaitable<void> answer(http::Exchange& exchange);
  [[nodiscard]] http::AcceptLayer layer() const;

  [[nodiscard]] boost::asio::awaitable<void> come_up();
  [[nodiscard]] boost::asio::awaitable<void> go_down();
  [[nodiscard]] boost::asio::awaitable<void> let_calls_end();
  [[nodiscard]] boost::asio::awaitable<void> send_last_answers();
  [[nodiscard]] unsigned running_calls() const;

  void watch_signals();
  void on_signal(int number);
  void on_stop_signal();
  void reread();
  void take(Reread read);
  void take_config(const tl::expected<Config, jobs::Diagnostics>& read);
  void take_tls(Expected<std::optional<tls::ServerContext>> read);
  void take_jobs(const std::vector<FolderJob>& folder);

  DaemonOptions options_;
  StateDir state_dir_;
  ListenAddress address_;
  Tokens tokens_;
  std::optional<tls::ServerContext> tls_;  // for connections that come from now on
  std::vector<FolderJob> first_jobs_;
  boost::asio::io_context context_;  // before everything whose coroutines it runs
  EventLog events_;
  AgentMetrics metrics_;
  const std::shared_ptr<InputStore> inputs_;
  std::unique_ptr<drivers::Driver> driver_;
  std::shared_ptr<Runtime> runtime_;
  JobKeeper keeper_;
  std::unique_ptr<Api> api_;
  std::unique_ptr<Executor> executor_;
  std::unique_ptr<http::Server> server_;
  boost::asio::signal_set signals_;
  boost::asio::steady_timer pause_;
  std::optional<Error> failure_;
  unsigned stop_signals_ = 0;
  bool rereading_ = false;
  bool reread_again_ = false;
  boost::asio::thread_pool worker_{1};  // last: it is joined before anything that its work refers to goes
};

}  // namespace berth::agent

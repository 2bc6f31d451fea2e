// SPDX-License-Identifier: Apache-2.0
#include "agent/daemon/service.hpp"

#include <signal.h>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>

#include "agent/daemon/journal.hpp"
#include "agent/daemon/process_gauges.hpp"
#include "base/http/await.hpp"
#include "base/log.hpp"
#include "base/text.hpp"
#include "drivers/paths.hpp"
#include "drivers/registry/registry.hpp"

namespace berth::agent {

namespace asio = boost::asio;

namespace {

using http::kAwait;
constexpr std::chrono::milliseconds kStopLimit{5'000};    // of containers, from SIGTERM to SIGKILL
constexpr std::chrono::milliseconds kAnswerLimit{2'000};  // for the last answers to be read
constexpr std::chrono::milliseconds kDrainPace{50};

// Slots survive an agent that is away for a while (wire.md 1.17).
constexpr std::chrono::seconds kLonelyLimit{600};
constexpr std::chrono::seconds kTellEvery{10};

drivers::DriverOptions driver_options(const StateDir& state_dir, const Prepared& prepared) {
  drivers::DriverOptions options;
  options.state_dir = state_dir.path();
  options.slotd = prepared.slotd;
  options.agent_id = state_dir.agent_id();
  options.lonely_limit = kLonelyLimit;
  options.docker = prepared.docker;
  options.tell = [](const std::string& line) { log(LogLevel::info, line); };
  options.tell_every = kTellEvery;
  return options;
}

Deadline in(std::chrono::milliseconds time) {
  return Deadline(now() + time);
}

}  // namespace

Service::Service(DaemonOptions options, Prepared prepared)
    : options_(std::move(options)),
      state_dir_(std::move(prepared.state_dir)),
      address_(std::move(prepared.address)),
      tokens_(std::move(prepared.tokens)),
      tls_(std::move(prepared.tls)),
      first_jobs_(std::move(prepared.jobs)),
      events_(context_),
      inputs_(std::make_shared<InputStore>(drivers::inputs_path(state_dir_.path()))),
      driver_(drivers::make_drivers(context_, driver_options(state_dir_, prepared))),
      runtime_(std::make_shared<Runtime>(context_, *driver_, runtime_options())),
      keeper_(job_board()),
      api_(std::make_unique<Api>(ApiParts{context_, *runtime_, tokens_, events_, metrics_, *inputs_}, api_options())),
      executor_(std::make_unique<Executor>(ExecutorParts{context_, *runtime_, tokens_, metrics_},
                                           executor_options(std::move(prepared.tool_server)))),
      server_(std::make_unique<http::Server>(
          context_, [this](http::Exchange& exchange) { return answer(exchange); }, server_limits())),
      signals_(context_, SIGHUP, SIGINT, SIGTERM),
      pause_(context_) {
  metrics_.on_scrape([this](MetricsRegistry& registry) {
    if (server_) set_process_gauges(registry, *server_, server_limits());
  });
}

Service::~Service() {
  worker_.join();
  inputs_->close();
}

RuntimeOptions Service::runtime_options() {
  RuntimeOptions options;
  // Names control groups on this machine, so no two lives of an agent share one.
  options.pool.prefix = "agent-" + random_hex(4);
  options.link.batch_calls = options_.config.max_batch;
  options.inputs = inputs_;
  options.observer = [this](const pool::Effect& effect) {
    log_effect(effect);
    metrics_.observe(effect);
    events_.observe(effect);
  };
  options.job_observer = [this](std::string_view job, std::string_view change) { events_.job_changed(job, change); };
  return options;
}

ApiOptions Service::api_options() {
  ApiOptions options;
  options.version = options_.version;
  options.default_job = options_.config.default_job;
  options.max_timeout = options_.config.max_timeout;
  options.jobs.on_put = [this](const jobs::Job& job, const std::string&) { return refuse_if_kept(job.name); };
  options.jobs.on_delete = [this](const std::string& name) { return refuse_if_kept(name); };
  return options;
}

ExecutorOptions Service::executor_options(std::optional<ToolServer> tool_server) const {
  ExecutorOptions options;
  options.default_job = options_.config.default_job;
  options.tool_server = std::move(tool_server);
  options.max_timeout = options_.config.max_timeout;
  return options;
}

// The file would bring it back, or change it again, at the next reload.
Expected<void> Service::refuse_if_kept(const std::string& job) const {
  const std::string file = keeper_.file_of(job);
  if (file.empty()) return {};
  return fail("job_kept", "job " + job + " is kept as " + file + " says",
              "change or remove that file, then send SIGHUP");
}

JobBoard Service::job_board() {
  JobBoard board;
  board.find = [this](const std::string& name) -> const jobs::Job* {
    const auto view = runtime_->pool().job(name);
    const auto found = runtime_->jobs().find(name);
    return found == runtime_->jobs().end() || !view || view->removing ? nullptr : &found->second;
  };
  board.apply = [this](const jobs::Job& job) { runtime_->apply(job); };
  board.remove = [this](const std::string& name) { runtime_->remove_job(name, false); };
  return board;
}

asio::awaitable<void> Service::answer(http::Exchange& exchange) {
  if (Executor::serves(exchange.head().path)) return executor_->handle(exchange);
  return api_->handle(exchange);
}

http::AcceptLayer Service::layer() const {
  if (!address_.tls) return {};
  return [this](int fd) { return tls_->layer(fd); };
}

Expected<void> Service::run() {
  if (auto clean = inputs_->clear(); !clean) return clean;
  const auto port = server_->listen(address_.host, address_.port, layer());
  if (!port) return tl::unexpected(port.error());
  address_.port = *port;
  watch_signals();
  asio::co_spawn(context_, come_up(), asio::detached);
  context_.run();
  // What was cut off ends here, while everything that it refers to is still there.
  server_.reset();
  context_.restart();
  context_.poll();
  if (failure_) return tl::unexpected(*failure_);
  return {};
}

asio::awaitable<void> Service::come_up() {
  const auto started = co_await runtime_->start();
  if (!started) {
    failure_ = started.error();
    co_return co_await go_down();
  }
  take_jobs(std::exchange(first_jobs_, {}));
  log(LogLevel::info, "agent serves",
      {{"address", address_.url(address_.port)},
       {"state_dir", state_dir_.path()},
       {"version", options_.version},
       {"tokens", tokens_.open() ? "none" : std::to_string(tokens_.all().size())}});
}

// --- signals --------------------------------------------------------------------------------------------------------

void Service::watch_signals() {
  signals_.async_wait([this](boost::system::error_code error, int number) {
    if (error) return;
    watch_signals();
    on_signal(number);
  });
}

void Service::on_signal(int number) {
  if (number != SIGHUP) return on_stop_signal();
  if (stop_signals_ == 0) return reread();
  log(LogLevel::warning, "the agent is stopping; SIGHUP does nothing");
}

void Service::on_stop_signal() {
  ++stop_signals_;
  if (stop_signals_ == 1) {
    asio::co_spawn(context_, go_down(), asio::detached);
    return;
  }
  log(LogLevel::warning, "second signal: everything ends now");
  pause_.cancel();
  server_->abort();
  driver_->kill_all();
}

// --- the end --------------------------------------------------------------------------------------------------------

unsigned Service::running_calls() const {
  auto calls = static_cast<unsigned>(executor_->outside_calls());
  for (const pool::Lease& lease : runtime_->pool().leases()) calls += lease.calls;
  return calls;
}

asio::awaitable<void> Service::go_down() {
  log(LogLevel::info, "agent drains",
      {{"calls", std::to_string(running_calls())}, {"drain_ms", std::to_string(options_.config.drain.count())}});
  api_->drain();
  co_await let_calls_end();
  co_await send_last_answers();
  const auto stopped = co_await runtime_->stop(in(stop_signals_ > 1 ? std::chrono::milliseconds(0) : kStopLimit));
  if (!stopped) failure_ = stopped.error();
  log(LogLevel::info, "agent has stopped");
  signals_.cancel();
  context_.stop();
}

asio::awaitable<void> Service::let_calls_end() {
  const Deadline until = in(options_.config.drain);
  while (stop_signals_ < 2 && running_calls() > 0 && !until.expired(now())) {
    pause_.expires_after(kDrainPace);
    co_await pause_.async_wait(kAwait);
  }
  if (const unsigned left = running_calls(); left > 0)
    log(LogLevel::warning, "calls are cut off", {{"calls", std::to_string(left)}});
}

// Calls that are cut off end with their jobs; whoever waits for them hears of it before the connections go.
asio::awaitable<void> Service::send_last_answers() {
  std::vector<std::string> names;
  for (const auto& [name, job] : runtime_->jobs()) names.push_back(name);
  for (const std::string& name : names) runtime_->remove_job(name, true);
  executor_->end_outside_calls();
  bool idle = false;
  server_->stop([this, &idle] {
    idle = true;
    pause_.cancel();
  });
  const Deadline until = in(kAnswerLimit);
  while (!idle && stop_signals_ < 2 && !until.expired(now())) {
    pause_.expires_at(until.at());
    co_await pause_.async_wait(kAwait);
  }
  server_->stop({});
  server_->abort();
}

}  // namespace berth::agent

// SPDX-License-Identifier: Apache-2.0
#include "cli/platform.hpp"

#include <signal.h>
#include <unistd.h>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <cstdio>

#include "base/text.hpp"
#include "cli/notes.hpp"
#include "cli/options.hpp"
#include "cli/terminal.hpp"
#include "drivers/local/locate.hpp"

namespace berth::cli {

namespace asio = boost::asio;

namespace {

constexpr std::chrono::milliseconds kStopLimit{5'000};
constexpr std::size_t kMostTold = 400;
constexpr std::chrono::milliseconds kInterruptLimit{1'500};  // then SIGKILL; an interrupt is over within 2 s

// Containers elsewhere outlive a command that was killed by so long (wire.md 1.17: a private agent has one life).
constexpr std::chrono::seconds kLonelyLimit{60};

// The one driver that the job needs.
Expected<drivers::DriverOptions> driver_options(jobs::DriverKind kind, std::string slotd) {
  drivers::DriverOptions options;
  options.slotd = std::move(slotd);
  options.agent_id = "run-" + random_hex(16);
  options.lonely_limit = kLonelyLimit;
  options.one_life = true;
  options.local = kind == jobs::DriverKind::local;
  options.tell = [](const std::string& line) {
    std::fprintf(stderr, "berth: %s\n", harmless_line(line, kMostTold).c_str());
  };
  if (options.local) return options;
  auto endpoint = drivers::docker::find_endpoint(drivers::docker::endpoint_sources({}));
  if (!endpoint) return tl::unexpected(endpoint.error());
  options.docker = std::move(*endpoint);
  return options;
}

}  // namespace

Platform::Platform(PrivateStateDir state_dir, drivers::DriverOptions driver, bool keep)
    : state_dir_(std::move(state_dir)),
      driver_(drivers::make_drivers(context_, driver)),
      keep_(keep),
      api_(context_, state_dir_.path()),
      runtime_(std::make_shared<agent::Runtime>(context_, *driver_, runtime_options())),
      signals_(context_, SIGINT, SIGTERM, SIGHUP),
      exit_code_(kPlatform) {}

agent::RuntimeOptions Platform::runtime_options() {
  agent::RuntimeOptions options;
  // Names control groups on this machine, so no two runs share one.
  options.pool.prefix = "run-" + random_hex(4);
  if (keep_) api_.observe(options);
  return options;
}

int Platform::run(const jobs::Job& job, const std::string& slotd, int platform_code, const Preparation& prepare,
                  Work work, bool keep) {
  auto program = drivers::find_slotd(drivers::slotd_search(slotd));
  if (!program) {
    print_error(program.error());
    return platform_code;
  }
  auto state_dir = PrivateStateDir::create();
  if (!state_dir) {
    print_error(state_dir.error());
    return platform_code;
  }
  if (const auto prepared = prepare(state_dir->path()); !prepared) {
    print_error(prepared.error());
    return platform_code;
  }
  // A reader of our output that goes away is an error of a write, not the end of the program with slots still there.
  ::signal(SIGPIPE, SIG_IGN);
  auto driver = driver_options(job.driver, std::move(*program));
  if (!driver) {
    print_error(driver.error());
    return platform_code;
  }
  driver->state_dir = state_dir->path();
  Platform platform(std::move(*state_dir), std::move(*driver), keep);
  return platform.bring_up_and_down(job, platform_code, std::move(work));
}

int Platform::bring_up_and_down(const jobs::Job& job, int platform_code, Work work) {
  watch_signals();
  asio::co_spawn(context_, live(job, platform_code, std::move(work)), asio::detached);
  context_.run();
  api_.stop();
  api_.close();
  return exit_code_;
}

asio::awaitable<void> Platform::live(const jobs::Job& job, int platform_code, Work work) {
  exit_code_ = platform_code;
  auto started = co_await runtime_->start();
  if (started && keep_) started = api_.serve(*runtime_, state_dir_.path());
  if (!started) print_error(started.error());
  if (started) {
    // Inputs are the command's to bring: each trajectory has its own.
    jobs::Job pool = job;
    pool.inputs.clear();
    runtime_->apply(pool);
    const int code = co_await work(*this);
    if (!interrupted()) exit_code_ = code;
    done_ = true;
    if (keep_ && !interrupted()) co_return;  // until the interrupt takes everything down
  }
  co_await take_down(platform_code);
}

asio::awaitable<void> Platform::take_down(int platform_code) {
  // An interrupt is already taking everything down.
  if (std::exchange(taking_down_, true)) co_return;
  api_.stop();
  const auto limit = interrupted() ? kInterruptLimit : kStopLimit;
  const auto stopped = co_await runtime_->stop(Deadline(now() + limit));
  if (!stopped) print_error(stopped.error());
  if (!stopped && exit_code_ == kSuccess) exit_code_ = platform_code;
  context_.stop();
}

asio::awaitable<Expected<Held>> Platform::acquire(std::string job, std::string trajectory) {
  agent::AcquireRequest request;
  request.job = std::move(job);
  request.trajectory = std::move(trajectory);
  const auto lease = co_await runtime_->acquire(std::move(request));
  if (!lease) co_return tl::unexpected(lease.error());
  co_return Held{lease->id, lease->container + ":" + pool::slot_name(lease->slot)};
}

asio::awaitable<Expected<std::string>> Platform::lease_of(std::string name) {
  const auto lease = runtime_->live_lease(name);
  if (!lease) co_return tl::unexpected(lease.error());
  co_return lease->id;
}

asio::awaitable<Expected<Result>> Platform::call(std::string lease, agent::LeaseCall call, agent::OutputSink sink) {
  return runtime_->call(std::move(lease), std::move(call), std::move(sink));
}

asio::awaitable<Expected<void>> Platform::put_tar(std::string lease, std::string path, std::string tar,
                                                  Deadline deadline) {
  return runtime_->put_tar(std::move(lease), std::move(path), std::move(tar), deadline);
}

asio::awaitable<Expected<void>> Platform::get_file(std::string lease, std::string path, bool as_tar, BytesSink sink,
                                                   Deadline deadline) {
  return runtime_->get_file(std::move(lease), std::move(path), as_tar, std::move(sink), deadline);
}

asio::awaitable<void> Platform::release(std::string lease) {
  runtime_->release(lease);
  co_return;
}

asio::awaitable<std::vector<std::string>> Platform::missing_isolation(std::string) {
  std::vector<IsolationReport> reports;
  for (const auto& [container, facts] : runtime_->health())
    reports.push_back({facts.isolation, facts.missing, facts.notes});
  co_return sentences_of(reports);
}

void Platform::watch_signals() {
  signals_.async_wait([this](boost::system::error_code error, int) {
    if (error) return;
    on_interrupt();
    watch_signals();
  });
}

void Platform::on_interrupt() {
  if (!done_ || !keep_) exit_code_ = kInterrupted;
  if (++interrupts_ > 1) return driver_->kill_all();
  std::fputs("\nberth: stopping; interrupt again to force\n", stderr);
  if (taking_down_) return driver_->stop_all(Deadline(now() + kInterruptLimit));
  asio::co_spawn(context_, take_down(kPlatform), asio::detached);
}

}  // namespace berth::cli

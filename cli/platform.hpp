// SPDX-License-Identifier: Apache-2.0
// The agent inside the command: state directory, driver, runtime and the interrupt, from start to the last trace.
#pragma once

#include <boost/asio/awaitable.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/signal_set.hpp>
#include <functional>
#include <memory>
#include <optional>

#include "cli/kept_api.hpp"
#include "cli/place.hpp"
#include "cli/state_dir.hpp"
#include "drivers/registry/registry.hpp"
#include "jobs/job.hpp"

namespace berth::cli {

class Platform final : public Place {
 public:
  // What a command does once the runtime is there; the return value is the exit code.
  using Work = std::function<boost::asio::awaitable<int>(Place&)>;

  // Before anything starts, given the state directory: an error means that nothing does.
  using Preparation = std::function<Expected<void>(const std::string& state_dir)>;

  // Brings everything up, does the work, takes everything down. `platform_code` is the exit code when the platform
  // fails. SIGINT or SIGTERM stops the work and gives kInterrupted; a second one takes everything down by force.
  // With `keep` the slots stay when the work is done, and can be reached at address(), until the interrupt; the exit
  // code is the work's then.
  [[nodiscard]] static int run(const jobs::Job& job, const std::string& slotd, int platform_code,
                               const Preparation& prepare, Work work, bool keep = false);

  [[nodiscard]] boost::asio::awaitable<Expected<Held>> acquire(std::string job, std::string trajectory) override;
  [[nodiscard]] boost::asio::awaitable<Expected<std::string>> lease_of(std::string name) override;
  [[nodiscard]] boost::asio::awaitable<Expected<Result>> call(std::string lease, agent::LeaseCall call,
                                                              agent::OutputSink sink) override;
  [[nodiscard]] boost::asio::awaitable<Expected<void>> put_tar(std::string lease, std::string path, std::string tar,
                                                               Deadline deadline) override;
  [[nodiscard]] boost::asio::awaitable<Expected<void>> get_file(std::string lease, std::string path, bool as_tar,
                                                                BytesSink sink, Deadline deadline) override;
  [[nodiscard]] boost::asio::awaitable<void> release(std::string lease) override;
  [[nodiscard]] boost::asio::awaitable<std::vector<std::string>> missing_isolation(std::string job) override;
  [[nodiscard]] boost::asio::io_context& context() override { return context_; }
  [[nodiscard]] const std::string& state_dir() const override { return state_dir_.path(); }
  [[nodiscard]] bool interrupted() const override { return interrupts_ > 0; }
  [[nodiscard]] std::string address() const override { return keep_ ? KeptApi::address(state_dir_.path()) : ""; }

 private:
  Platform(PrivateStateDir state_dir, drivers::DriverOptions driver, bool keep);

  [[nodiscard]] int bring_up_and_down(const jobs::Job& job, int platform_code, Work work);
  [[nodiscard]] boost::asio::awaitable<void> live(const jobs::Job& job, int platform_code, Work work);
  [[nodiscard]] boost::asio::awaitable<void> take_down(int platform_code);
  [[nodiscard]] agent::RuntimeOptions runtime_options();
  void watch_signals();
  void on_interrupt();

  boost::asio::io_context context_;  // first: what its coroutines hold goes before it
  PrivateStateDir state_dir_;
  const std::unique_ptr<drivers::Driver> driver_;
  const bool keep_;
  KeptApi api_;
  std::shared_ptr<agent::Runtime> runtime_;
  boost::asio::signal_set signals_;
  int interrupts_ = 0;
  int exit_code_;
  bool taking_down_ = false;
  bool done_ = false;  // the work is; what is kept waits for the interrupt
};

}  // namespace berth::cli

// SPDX-License-Identifier: Apache-2.0
// Every driver there is. A new one is a folder of its own and one line here.
#pragma once

#include <boost/asio/io_context.hpp>
#include <chrono>
#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "drivers/docker/endpoint.hpp"
#include "drivers/driver.hpp"

namespace berth::drivers {

struct DriverOptions {
  std::string state_dir;  // exists, 0700, owned by this agent alone
  std::string slotd;      // the program, as find_slotd() gives it
  std::string agent_id;   // the same in every life of the agent: what it made elsewhere bears it
  // What it made elsewhere ends itself so long after the agent has gone.
  std::chrono::seconds lonely_limit{600};
  bool one_life = false;  // no later life of this agent cleans up after it
  bool local = true;
  std::optional<docker::Endpoint> docker;             // none: no driver docker
  std::function<void(const std::string& line)> tell;  // how long work goes on, for a person; may be empty
  std::chrono::milliseconds tell_every{1'000};
};

// At least one of them is asked for.
[[nodiscard]] std::unique_ptr<Driver> make_drivers(boost::asio::io_context& context, const DriverOptions& options);

}  // namespace berth::drivers

// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <chrono>
#include <functional>
#include <string>

#include "drivers/docker/endpoint.hpp"

namespace berth::drivers {

struct DockerOptions {
  docker::Endpoint endpoint;
  std::string state_dir;  // exists, 0700, owned by this driver's agent alone
  std::string slotd;      // the program, as find_slotd() gives it
  std::string agent_id;   // the same in every life of an agent: containers with it are this driver's
  // A container whose agent is gone ends itself after so long.
  std::chrono::seconds lonely_limit{600};
  // The engine removes what has ended, for an agent that has no second life to do it.
  bool engine_removes = false;
  std::string registry_config;                        // Docker's configuration file, for credentials
  std::function<void(const std::string& line)> tell;  // progress of a pull, for a person; may be empty
  std::chrono::milliseconds tell_every{1'000};
  std::chrono::milliseconds engine_limit{60'000};   // for one answer of the engine
  std::chrono::milliseconds start_limit{30'000};    // until slotd is ready, without setup
  std::chrono::milliseconds setup_limit{630'000};   // more when the job has setup steps (10 minutes, wire.md 2.6)
  std::chrono::milliseconds stop_limit{2'000};      // from SIGTERM to SIGKILL when a container is no longer wanted
  std::chrono::milliseconds pull_silence{300'000};  // a pull that tells nothing for so long has failed
  std::chrono::milliseconds event_silence{60'000};  // so long without an event: the stream is opened anew
  std::chrono::milliseconds retry_pause{500};       // before an engine that was away is asked again
};

}  // namespace berth::drivers

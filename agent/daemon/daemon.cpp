// SPDX-License-Identifier: Apache-2.0
#include "agent/daemon/daemon.hpp"

#include <signal.h>

#include "agent/daemon/service.hpp"

namespace berth::agent {

Expected<void> run_daemon(DaemonOptions options) {
  configure_log(options.config.log_level, options.config.log_format);
  // A reader of logs or answers that goes away is an error of that write, no reason to end.
  ::signal(SIGPIPE, SIG_IGN);
  auto prepared = prepare(options.config);
  if (!prepared) return tl::unexpected(prepared.error());
  Service service(std::move(options), std::move(*prepared));
  return service.run();
}

}  // namespace berth::agent

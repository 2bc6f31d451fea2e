// SPDX-License-Identifier: Apache-2.0
#include "drivers/registry/registry.hpp"

#include <vector>

#include "drivers/docker/credentials.hpp"
#include "drivers/docker/docker_driver.hpp"
#include "drivers/driver_set.hpp"
#include "drivers/local/local_driver.hpp"

namespace berth::drivers {
namespace {

LocalOptions local_options(const DriverOptions& options) {
  LocalOptions local;
  local.state_dir = options.state_dir;
  local.slotd = options.slotd;
  return local;
}

DockerOptions docker_options(const DriverOptions& options) {
  DockerOptions docker;
  docker.endpoint = *options.docker;
  docker.state_dir = options.state_dir;
  docker.slotd = options.slotd;
  docker.agent_id = options.agent_id;
  docker.lonely_limit = options.lonely_limit;
  docker.engine_removes = options.one_life;
  docker.registry_config = docker::docker_config_file();
  docker.tell = options.tell;
  docker.tell_every = options.tell_every;
  return docker;
}

}  // namespace

std::unique_ptr<Driver> make_drivers(boost::asio::io_context& context, const DriverOptions& options) {
  std::vector<std::unique_ptr<Driver>> all;
  if (options.local) all.push_back(std::make_unique<LocalDriver>(context, local_options(options)));
  if (options.docker) all.push_back(std::make_unique<DockerDriver>(context, docker_options(options)));
  return std::make_unique<DriverSet>(std::move(all));
}

}  // namespace berth::drivers

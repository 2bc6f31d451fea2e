// SPDX-License-Identifier: Apache-2.0
#include "agent/runtime/wanted.hpp"

#include <functional>

namespace berth::agent {
namespace {

template <typename Number>
std::string text_of_number(const std::optional<Number>& number) {
  return number ? std::to_string(*number) : "none";
}

}  // namespace

drivers::Wanted wanted_of(const jobs::Job& job, const std::string& container) {
  drivers::Wanted wanted;
  wanted.spec = jobs::container_spec(job, container);
  wanted.driver = jobs::to_string(job.driver);
  wanted.job = job.name;
  wanted.image = job.image;
  if (job.resources) {
    wanted.cpu = job.resources->cpu;
    wanted.memory_bytes = job.resources->memory_bytes;
    wanted.pids = job.resources->pids;
  }
  wanted.network = job.docker_network;
  return wanted;
}

std::uint64_t version_of(const jobs::Job& job) {
  const drivers::Wanted wanted = wanted_of(job, "version");
  std::string all = container_spec_to_json(wanted.spec);
  for (const std::string& part : {wanted.driver, wanted.image, text_of_number(wanted.cpu),
                                  text_of_number(wanted.memory_bytes), text_of_number(wanted.pids), wanted.network})
    all += '\n' + part;
  return std::hash<std::string>{}(all);
}

}  // namespace berth::agent

// SPDX-License-Identifier: Apache-2.0
#include "agent/daemon/process_gauges.hpp"

#include <sys/resource.h>
#include <system_error>
#include <unistd.h>

#include <charconv>
#include <cstdint>
#include <filesystem>

#include "base/fd.hpp"

namespace berth::agent {
namespace {

// The second number of /proc/self/statm, in pages.
double resident_bytes() {
  const auto text = read_file("/proc/self/statm", 256);
  if (!text) return 0;
  const std::size_t second = text->find(' ') + 1;
  std::uint64_t pages = 0;
  std::from_chars(text->data() + second, text->data() + text->size(), pages);
  return static_cast<double>(pages) * static_cast<double>(::sysconf(_SC_PAGESIZE));
}

double open_descriptors() {
  std::error_code error;
  double count = 0;
  for (std::filesystem::directory_iterator each("/proc/self/fd", error), end; !error && each != end;
       each.increment(error))
    ++count;
  return count;
}

double most_descriptors() {
  rlimit limit{};
  return ::getrlimit(RLIMIT_NOFILE, &limit) == 0 ? static_cast<double>(limit.rlim_cur) : 0;
}

}  // namespace

void set_process_gauges(MetricsRegistry& registry, const http::Server& server, const http::ServerLimits& limits) {
  registry.gauge("berth_resident_bytes", "Memory of the agent itself.").set(resident_bytes());
  registry.gauge("berth_descriptors", "Open descriptors.").set(open_descriptors());
  registry.gauge("berth_descriptors_most", "As many as there may be.").set(most_descriptors());
  registry.gauge("berth_http_connections", "Open connections to the agent.")
      .set(static_cast<double>(server.connections()));
  registry.gauge("berth_http_connections_most", "Beyond so many idle ones go, and new ones wait.")
      .set(static_cast<double>(limits.max_connections));
  registry.counter("berth_http_refused_total", "Requests that HTTP does not allow.")
      .raise_to(static_cast<double>(server.refused()));
}

}  // namespace berth::agent

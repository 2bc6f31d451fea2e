// SPDX-License-Identifier: Apache-2.0
#include "bench/spawn.hpp"

#include <sys/wait.h>

#include <atomic>
#include <spawn.h>
#include <thread>

#include "bench/stats.hpp"

extern char** environ;

namespace berth::bench {
namespace {

bool spawn_once() {
  char shell[] = "sh";
  char flag[] = "-c";
  char command[] = "true";
  char* const arguments[] = {shell, flag, command, nullptr};
  pid_t pid = 0;
  if (::posix_spawn(&pid, "/bin/sh", nullptr, nullptr, arguments, environ) != 0) return false;
  int status = 0;
  return ::waitpid(pid, &status, 0) == pid && status == 0;
}

}  // namespace

Expected<std::vector<double>> spawn_serially(int count) {
  std::vector<double> samples;
  samples.reserve(static_cast<std::size_t>(count));
  for (int i = 0; i < count; ++i) {
    const Stopwatch watch;
    if (!spawn_once()) return fail("spawn", "posix_spawn of /bin/sh -c true failed");
    samples.push_back(watch.milliseconds());
  }
  return samples;
}

Expected<double> spawn_rate(int count, unsigned threads) {
  std::atomic<int> left{count};
  std::atomic<bool> failed{false};
  const Stopwatch watch;
  std::vector<std::thread> workers;
  for (unsigned i = 0; i < threads; ++i) {
    workers.emplace_back([&] {
      while (left.fetch_sub(1) > 0) {
        if (!spawn_once()) failed = true;
      }
    });
  }
  for (std::thread& worker : workers) worker.join();
  if (failed) return fail("spawn", "posix_spawn of /bin/sh -c true failed");
  return count * 1000.0 / watch.milliseconds();
}

}  // namespace berth::bench

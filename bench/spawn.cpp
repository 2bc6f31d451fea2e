// SPDX-License-Identifier: Apache-2.0
#include "bench/spawn.hpp"

#include <sched.h>
#include <sys/wait.h>
#include <unistd.h>

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

// Of the calling thread alone.
bool enter(const std::string& root) {
  if (root == "/") return true;
  return ::unshare(CLONE_FS) == 0 && ::chroot(root.c_str()) == 0 && ::chdir("/") == 0;
}

tl::unexpected<Error> no_spawn(const std::string& root) {
  return fail("spawn", "posix_spawn of /bin/sh -c true failed in " + root);
}

}  // namespace

Expected<std::vector<double>> spawn_serially(int count, const std::string& root) {
  std::vector<double> samples;
  std::thread worker([&] {
    if (!enter(root)) return;
    for (int i = 0; i < count; ++i) {
      const Stopwatch watch;
      if (!spawn_once()) return;
      samples.push_back(watch.milliseconds());
    }
  });
  worker.join();
  if (samples.size() < static_cast<std::size_t>(count)) return no_spawn(root);
  return samples;
}

Expected<double> spawn_rate(int count, unsigned threads, const std::string& root) {
  std::atomic<int> left{count};
  std::atomic<bool> failed{false};
  const Stopwatch watch;
  std::vector<std::thread> workers;
  for (unsigned i = 0; i < threads; ++i) {
    workers.emplace_back([&] {
      if (!enter(root)) failed = true;
      while (!failed && left.fetch_sub(1) > 0) {
        if (!spawn_once()) failed = true;
      }
    });
  }
  for (std::thread& worker : workers) worker.join();
  if (failed) return no_spawn(root);
  return count * 1000.0 / watch.milliseconds();
}

}  // namespace berth::bench

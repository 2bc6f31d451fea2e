// SPDX-License-Identifier: Apache-2.0
#include "slotd/reaper.hpp"

#include <sys/wait.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <dirent.h>
#include <string>
#include <vector>

#include "base/fd.hpp"

namespace berth::slotd {
namespace {

// This process's children, from the kernel's own list.
std::vector<int> children() {
  std::vector<int> pids;
  const auto text = read_file("/proc/self/task/" + std::to_string(::getpid()) + "/children");
  if (!text) return pids;
  const char* at = text->c_str();
  char* end = nullptr;
  for (long pid = std::strtol(at, &end, 10); end != at; pid = std::strtol(at, &end, 10)) {
    pids.push_back(static_cast<int>(pid));
    at = end;
  }
  return pids;
}

}  // namespace

Reaper::Reaper(boost::asio::io_context& context, std::function<bool(int)> is_keeper)
    : signals_(context, SIGCHLD), is_keeper_(std::move(is_keeper)) {}

void Reaper::start() {
  signals_.async_wait([this](const boost::system::error_code& error, int) {
    if (error) return;
    reap();
    start();
  });
}

void Reaper::stop() {
  boost::system::error_code ignored;
  signals_.cancel(ignored);
}

// By pid, not by waiting for any child: a keeper's status belongs to its room.
void Reaper::reap() {
  for (const int pid : children()) {
    if (!is_keeper_(pid)) (void)::waitpid(pid, nullptr, WNOHANG);
  }
}

}  // namespace berth::slotd

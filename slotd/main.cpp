// SPDX-License-Identifier: Apache-2.0
#include <fcntl.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <csignal>
#include <cstdio>

#include "base/fd.hpp"
#include "base/log.hpp"
#include "slotd/options.hpp"
#include "slotd/ready.hpp"
#include "slotd/serve.hpp"

namespace {

constexpr int kUsageError = 2;
constexpr int kPlatformError = 3;

using namespace berth;

int report(const slotd::Options* options, const Error& error) {
  if (options != nullptr) slotd::announce_failure(*options, error);
  std::fprintf(stderr, "berth-slotd: %s\n", error.message.c_str());
  if (!error.hint.empty()) std::fprintf(stderr, "  hint: %s\n", error.hint.c_str());
  return error.code == "usage" ? kUsageError : kPlatformError;
}

}  // namespace

int main(int argc, char** argv) {
  // Nothing that a slot could reach may read this process's memory or environment. An ordinary user's process cannot do
  // this: the kernel would give its new children's id maps to root. Its slots cannot see it, by their pid namespace.
  if (::geteuid() == 0) ::prctl(PR_SET_DUMPABLE, 0);
  ::umask(0022);
  // A reader of logs or answers that goes away is an error of that write, no reason to end.
  ::signal(SIGPIPE, SIG_IGN);
  auto options = slotd::parse_options(argc, argv);
  if (!options) return report(nullptr, options.error());
  if (!options->help.empty()) {
    std::fputs(options->help.c_str(), stdout);
    return 0;
  }
  if (options->version) {
    std::puts("berth-slotd " BERTH_VERSION);
    return 0;
  }
  for (const int fd : {options->ready_fd, options->lifeline_fd}) {
    if (fd >= 0) ::fcntl(fd, F_SETFD, FD_CLOEXEC);
  }
  if (const auto completed = slotd::complete_options(*options); !completed) return report(&*options, completed.error());
  const auto served = slotd::serve(*options);
  return served ? 0 : report(&*options, served.error());
}

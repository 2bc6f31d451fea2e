// SPDX-License-Identifier: Apache-2.0
// The fake as a program with berth-slotd's flags, for tests that start real processes. FAKE_START in the container's
// env chooses what goes wrong at the start: setup_failed, silent, die, late_death; FAKE_STOP=stubborn ignores SIGTERM.
#include <signal.h>
#include <unistd.h>

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/posix/stream_descriptor.hpp>
#include <boost/asio/signal_set.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <cstdio>
#include <cstdlib>
#include <map>
#include <string>

#include "base/fd.hpp"
#include "base/text.hpp"
#include "berth/container_spec.hpp"
#include "tests/support/fake_slotd.hpp"

namespace {

namespace asio = boost::asio;

std::string env_of(const berth::ContainerSpec& spec, const char* name) {
  const auto found = spec.env.find(name);
  return found == spec.env.end() ? std::string() : found->second;
}

void say(int fd, const std::string& line) {
  if (!berth::write_all(fd, line + "\n")) std::_Exit(4);
  ::close(fd);
}

int fail_start(const std::string& how, int ready_fd) {
  if (how == "die") {
    std::fputs("no room for a keeper\n", stderr);
    std::_Exit(9);
  }
  say(ready_fd,
      R"({"ok":false,"error":{"code":"setup_failed","message":"setup step 1 failed: exit code 7","hint":"run it by hand"}})");
  return 3;
}

}  // namespace

int main(int argc, char** argv) {
  std::map<std::string, std::string> flags;
  for (int i = 1; i + 1 < argc; i += 2) flags[argv[i]] = argv[i + 1];
  const int ready_fd = std::atoi(flags["--ready-fd"].c_str());
  const auto text = berth::read_file(flags["--config"]);
  if (!text) return 2;
  const auto spec = berth::container_spec_from_json(*text);
  if (!spec) return 2;
  const std::string how = env_of(*spec, "FAKE_START");
  if (how == "die" || how == "setup_failed") return fail_start(how, ready_fd);

  asio::io_context context;
  berth::testing::FakeOptions options;
  options.slots = spec->slots;
  options.boot_id = berth::random_hex(8);
  berth::testing::FakeSlotd slotd(context, options);
  if (slotd.listen(flags["--listen"]).empty()) return 2;
  asio::posix::stream_descriptor lifeline(context, std::atoi(flags["--lifeline-fd"].c_str()));
  char byte = 0;
  lifeline.async_read_some(asio::buffer(&byte, 1), [](boost::system::error_code, std::size_t) { std::_Exit(5); });
  asio::signal_set signals(context, SIGTERM);
  if (env_of(*spec, "FAKE_STOP") != "stubborn")
    signals.async_wait([](boost::system::error_code, int) { std::_Exit(0); });
  if (how != "silent") say(ready_fd, R"({"ok":true,"boot_id":")" + options.boot_id + R"(","port":0})");
  asio::steady_timer death(context, std::chrono::milliseconds(100));
  if (how == "late_death") death.async_wait([](boost::system::error_code) { std::abort(); });
  context.run();
  return 0;
}

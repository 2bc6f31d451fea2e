// SPDX-License-Identifier: Apache-2.0
#include "bench/agent_process.hpp"

#include <fcntl.h>
#include <signal.h>
#include <sys/wait.h>
#include <system_error>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <cstdlib>
#include <filesystem>
#include <spawn.h>
#include <thread>
#include <vector>

#include "base/fd.hpp"
#include "bench/caller.hpp"
#include "bench/stats.hpp"

extern char** environ;

namespace berth::bench {
namespace {

constexpr double kServesPatienceMs = 30'000;
constexpr double kReadyPatienceMs = 180'000;  // a thousand containers take their time
constexpr int kEndPatienceMs = 30'000;
constexpr auto kPause = std::chrono::milliseconds(2);

std::string last_lines(const std::string& file) {
  const auto text = read_file(file).value_or("");
  return text.substr(text.size() > 600 ? text.size() - 600 : 0);
}

Expected<int> spawn_logged(std::vector<std::string> words, const std::string& log) {
  std::vector<char*> arguments;
  for (std::string& word : words) arguments.push_back(word.data());
  arguments.push_back(nullptr);
  posix_spawn_file_actions_t actions;
  ::posix_spawn_file_actions_init(&actions);
  ::posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0);
  ::posix_spawn_file_actions_addopen(&actions, 1, log.c_str(), O_WRONLY | O_CREAT | O_APPEND, 0600);
  ::posix_spawn_file_actions_adddup2(&actions, 1, 2);
  pid_t pid = -1;
  const int error = ::posix_spawn(&pid, arguments[0], &actions, nullptr, arguments.data(), environ);
  ::posix_spawn_file_actions_destroy(&actions);
  if (error != 0) return fail_errno("starting " + words.front(), error);
  return pid;
}

}  // namespace

Expected<AgentProcess> AgentProcess::start(const std::string& berth, const std::string& slotd) {
  // Short, because sockets are made below it.
  std::string folder = (std::filesystem::temp_directory_path() / "bb-XXXXXX").string();
  if (::mkdtemp(folder.data()) == nullptr) return fail_errno("mkdtemp", errno);
  AgentProcess process;
  process.folder_ = folder;
  const auto pid = spawn_logged({berth, "agent", "--listen", "127.0.0.1:0", "--state-dir", folder + "/state", "--slotd",
                                 slotd, "--log-level", "info"},
                                process.log_file());
  if (!pid) return tl::unexpected(pid.error());
  process.pid_ = *pid;
  if (auto served = process.wait_for_port(); !served) return tl::unexpected(served.error());
  return process;
}

Expected<void> AgentProcess::wait_for_port() {
  constexpr std::string_view kWord = "address=http://127.0.0.1:";
  const Stopwatch watch;
  while (watch.milliseconds() < kServesPatienceMs) {
    const auto text = read_file(log_file()).value_or("");
    const std::size_t at = text.find(kWord);
    if (at != std::string::npos) {
      port_ = static_cast<std::uint16_t>(std::strtoul(text.c_str() + at + kWord.size(), nullptr, 10));
      return {};
    }
    if (::waitpid(pid_, nullptr, WNOHANG) != 0) {
      pid_ = -1;
      break;
    }
    std::this_thread::sleep_for(kPause);
  }
  return fail("agent", "the agent does not serve: " + last_lines(log_file()));
}

Expected<void> AgentProcess::apply(const std::string& name, const std::string& job_file) {
  auto caller = Caller::connect(port_);
  if (!caller) return tl::unexpected(caller.error());
  const auto put = caller->call(prepare("PUT", "/v1/jobs/" + name, job_file));
  if (!put) return tl::unexpected(put.error());
  if (put->status >= 300) return fail("agent", "the job was refused: " + std::string(put->body.substr(0, 300)));
  const std::string ready = prepare("GET", "/readyz");
  const Stopwatch watch;
  while (watch.milliseconds() < kReadyPatienceMs) {
    const auto answer = caller->call(ready);
    if (!answer) return tl::unexpected(answer.error());
    if (answer->status == 200) return {};
    std::this_thread::sleep_for(kPause);
  }
  return fail("agent", "the job does not come up: " + last_lines(log_file()));
}

std::string AgentProcess::socket_of(const std::string& container) const {
  return folder_ + "/state/containers/" + container + "/sock";
}

AgentProcess::AgentProcess(AgentProcess&& other) noexcept
    : pid_(std::exchange(other.pid_, -1)), port_(other.port_), folder_(std::exchange(other.folder_, {})) {}

AgentProcess::~AgentProcess() {
  if (pid_ > 0) ::kill(pid_, SIGTERM);
  for (int waited = 0; pid_ > 0; ++waited) {
    if (::waitpid(pid_, nullptr, WNOHANG) != 0) break;
    if (waited == kEndPatienceMs) ::kill(pid_, SIGKILL);
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
  }
  std::error_code ignored;
  if (!folder_.empty()) std::filesystem::remove_all(folder_, ignored);
}

}  // namespace berth::bench

// SPDX-License-Identifier: Apache-2.0
#include "bench/slotd_process.hpp"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <charconv>
#include <cstdlib>
#include <dirent.h>
#include <filesystem>
#include <fstream>
#include <map>
#include <spawn.h>
#include <sstream>
#include <thread>

extern char** environ;

namespace berth::bench {
namespace {

constexpr int kReadyPatienceMs = 30'000;
constexpr int kEndPatienceMs = 10'000;

std::string proc_file(int pid, const char* name) {
  return "/proc/" + std::to_string(pid) + "/" + name;
}

// "KEY:   123 kB" -> MiB
Expected<double> kilobytes_in(const std::string& file, const std::string& key) {
  std::ifstream in(file);
  std::string line;
  while (std::getline(in, line)) {
    if (!line.starts_with(key + ":")) continue;
    return std::strtod(line.c_str() + key.size() + 1, nullptr) / 1024;
  }
  return fail("proc", "no " + key + " in " + file);
}

struct Stat {
  int parent = 0;
  char state = '?';
};

// The name in stat may hold anything, so the fields are counted from its closing parenthesis.
Stat stat_of(int pid) {
  std::ifstream in(proc_file(pid, "stat"));
  const std::string text((std::istreambuf_iterator<char>(in)), std::istreambuf_iterator<char>());
  const std::size_t end = text.rfind(')');
  Stat stat;
  if (end != std::string::npos) std::istringstream(text.substr(end + 1)) >> stat.state >> stat.parent;
  return stat;
}

std::map<int, Stat> all_processes() {
  std::map<int, Stat> all;
  for (const auto& entry : std::filesystem::directory_iterator("/proc")) {
    const std::string name = entry.path().filename();
    int pid = 0;
    const auto [end, error] = std::from_chars(name.data(), name.data() + name.size(), pid);
    if (error == std::errc() && *end == '\0') all.emplace(pid, stat_of(pid));
  }
  return all;
}

bool is_below(const std::map<int, Stat>& all, int pid, int ancestor) {
  for (auto at = all.find(pid); at != all.end(); at = all.find(at->second.parent)) {
    if (at->second.parent == ancestor) return true;
  }
  return false;
}

Expected<std::uint16_t> read_port(int fd) {
  pollfd ready{fd, POLLIN, 0};
  if (::poll(&ready, 1, kReadyPatienceMs) <= 0) return fail("slotd", "berth-slotd did not get ready in 30 s");
  char line[4096];
  const ssize_t size = ::read(fd, line, sizeof line);
  const std::string text(line, size > 0 ? static_cast<std::size_t>(size) : 0);
  const std::size_t at = text.find("\"port\":");
  const auto port = at == std::string::npos ? 0UL : std::strtoul(text.c_str() + at + 7, nullptr, 10);
  if (port == 0 || port > 65535) return fail("slotd", "berth-slotd did not start: " + text);
  return static_cast<std::uint16_t>(port);
}

Expected<int> spawn(const std::string& binary, const std::vector<std::string>& flags, int ready, int lifeline) {
  std::vector<std::string> words{binary};
  words.insert(words.end(), flags.begin(), flags.end());
  std::vector<char*> arguments;
  for (std::string& word : words) arguments.push_back(word.data());
  arguments.push_back(nullptr);
  posix_spawn_file_actions_t actions;
  ::posix_spawn_file_actions_init(&actions);
  ::posix_spawn_file_actions_adddup2(&actions, ready, 3);
  ::posix_spawn_file_actions_adddup2(&actions, lifeline, 4);
  ::posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDWR, 0);
  ::posix_spawn_file_actions_adddup2(&actions, 0, 2);  // why it did not start comes through the ready pipe
  pid_t pid = -1;
  const int error = ::posix_spawn(&pid, binary.c_str(), &actions, nullptr, arguments.data(), environ);
  ::posix_spawn_file_actions_destroy(&actions);
  if (error != 0) return fail_errno("starting " + binary, error);
  return pid;
}

// dup2 of a descriptor onto itself would keep close-on-exec, so both ends are moved out of the way first.
UniqueFd above_ten(const UniqueFd& fd) {
  return UniqueFd(::fcntl(fd.get(), F_DUPFD_CLOEXEC, 10));
}

}  // namespace

Expected<double> memory_of(int pid, const std::string& key) {
  return kilobytes_in(proc_file(pid, "status"), key);
}

Expected<SlotdProcess> SlotdProcess::start(const std::string& binary, int slots) {
  auto ready = make_pipe();
  auto lifeline = make_pipe();
  if (!ready || !lifeline) return fail("slotd", "no pipes");
  std::string directory = (std::filesystem::temp_directory_path() / "berth-bench-XXXXXX").string();
  if (::mkdtemp(directory.data()) == nullptr) return fail_errno("mkdtemp", errno);

  SlotdProcess process;
  process.data_dir_ = directory;
  const UniqueFd ready_end = above_ten(ready->write);
  const UniqueFd lifeline_end = above_ten(lifeline->read);
  const auto pid = spawn(binary,
                         {"--listen", "127.0.0.1", "--port", "0", "--slots", std::to_string(slots), "--data-dir",
                          directory, "--ready-fd", "3", "--lifeline-fd", "4"},
                         ready_end.get(), lifeline_end.get());
  if (!pid) return tl::unexpected(pid.error());
  process.pid_ = *pid;
  process.lifeline_ = std::move(lifeline->write);
  ready->write.reset();
  const auto port = read_port(ready->read.get());
  if (!port) return tl::unexpected(port.error());
  process.where_ = *port;
  return process;
}

SlotdProcess::SlotdProcess(AgentProcess agent, int pid, Endpoint where)
    : pid_(pid), where_(std::move(where)), agent_(std::move(agent)) {}

SlotdProcess::SlotdProcess(SlotdProcess&& other) noexcept
    : pid_(std::exchange(other.pid_, -1)),
      where_(std::move(other.where_)),
      agent_(std::move(other.agent_)),
      lifeline_(std::move(other.lifeline_)),
      data_dir_(std::exchange(other.data_dir_, {})) {}

SlotdProcess::~SlotdProcess() {
  if (agent_) return;
  lifeline_.reset();
  for (int waited = 0; pid_ > 0; ++waited) {
    if (::waitpid(pid_, nullptr, WNOHANG) != 0) break;
    if (waited == kEndPatienceMs) ::kill(pid_, SIGKILL);
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
  }
  std::error_code ignored;
  if (!data_dir_.empty()) std::filesystem::remove_all(data_dir_, ignored);
}

Expected<void> SlotdProcess::forget_peak() const {
  std::ofstream out(proc_file(pid_, "clear_refs"));
  out << "5" << std::flush;
  if (!out) return fail("proc", "cannot reset the peak in " + proc_file(pid_, "clear_refs"));
  return {};
}

std::vector<int> SlotdProcess::descendants() const {
  const std::map<int, Stat> all = all_processes();
  std::vector<int> below;
  for (const auto& [pid, stat] : all) {
    if (is_below(all, pid, pid_)) below.push_back(pid);
  }
  return below;
}

void SlotdProcess::keep_to(const cpu_set_t& cores) const {
  std::vector<int> all = descendants();
  all.push_back(pid_);
  for (const int pid : all) {
    std::error_code gone;
    for (const auto& task : std::filesystem::directory_iterator(proc_file(pid, "task"), gone))
      ::sched_setaffinity(std::atoi(task.path().filename().c_str()), sizeof cores, &cores);
  }
}

ProcessCount SlotdProcess::count_descendants() const {
  ProcessCount count;
  for (const int pid : descendants()) {
    const char state = stat_of(pid).state;
    if (state == 'Z') ++count.zombies;
    if (state != 'Z' && state != '?') ++count.alive;
  }
  return count;
}

Expected<double> SlotdProcess::proportional_memory(int pid) {
  return kilobytes_in(proc_file(pid, "smaps_rollup"), "Pss");
}

}  // namespace berth::bench

// SPDX-License-Identifier: Apache-2.0
// Starting a command. The child shares the keeper's memory until it execs (the keeper stands still meanwhile), so that
// nothing is copied and a failure is reported in a variable that no command can ever write.
#include <fcntl.h>
#include <linux/openat2.h>
#include <sched.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "isolation/keeper/keeper.hpp"

namespace berth::keeper {
namespace {

struct Request {
  protocol::Start fixed;
  const char* text = nullptr;
  std::size_t text_size = 0;
  void* mapped = nullptr;  // the text, when it came in a file
  const char* cwd = nullptr;
  char** argv = nullptr;
  char** env = nullptr;
  int standard[3] = {-1, -1, -1};
  const int* join = nullptr;
  unsigned join_count = 0;
  // Written by the child.
  std::uint64_t tag = 0;
  int error_number = 0;
  const char* step = "";
};

constexpr std::size_t kFewStrings = 1024;
char* few_strings[kFewStrings];
alignas(16) char child_stack[std::size_t{64} << 10];
Request request;

[[noreturn]] void give_up(const char* step) {
  request.error_number = errno;
  request.step = step;
  ::_exit(127);
}

void join_groups() {
  for (unsigned i = 0; i < request.join_count; ++i) {
    if (::write(request.join[i], "0", 1) != 1) give_up("cgroup");
    ::close(request.join[i]);
  }
}

void raise_oom_score() {
  const int fd = ::openat(state.proc, "self/oom_score_adj", O_WRONLY | O_CLOEXEC);
  if (fd < 0 || ::write(fd, "500", 3) != 3) give_up("oom_score_adj");
  ::close(fd);
}

void limit_child(int resource, std::uint64_t value) {
  if (value == protocol::kNoLimit) return;
  const rlimit both{value, value};
  if (::setrlimit(static_cast<__rlimit_resource_t>(resource), &both) != 0) give_up("limit");
}

// Bare system calls: libc's would look for other threads to change as well.
void become_user() {
  if (state.uid == 0 && state.gid == 0 && state.group_count == 0) return;
  if (::syscall(SYS_setgroups, state.group_count, state.groups) != 0) give_up("groups");
  if (::syscall(SYS_setresgid, state.gid, state.gid, state.gid) != 0) give_up("gid");
  if (::syscall(SYS_setresuid, state.uid, state.uid, state.uid) != 0) give_up("uid");
}

// A path through /proc's magic links would leave the slot's own tree.
void enter_cwd() {
  open_how how{};
  how.flags = O_PATH | O_DIRECTORY | O_CLOEXEC;
  how.resolve = RESOLVE_NO_MAGICLINKS;
  const long fd = ::syscall(SYS_openat2, AT_FDCWD, request.cwd, &how, sizeof how);
  if (fd < 0 || ::fchdir(static_cast<int>(fd)) != 0) give_up("cwd");
}

void place_descriptors() {
  for (int i = 0; i < 3; ++i) {
    if (request.standard[i] >= 0 && ::dup2(request.standard[i], i) != i) give_up("descriptors");
  }
  if ((request.fixed.flags & protocol::kTty) != 0 && ::ioctl(0, TIOCSCTTY, 0) != 0) give_up("tty");
}

const char* find_path() {
  for (char** variable = request.env; *variable != nullptr; ++variable) {
    if (std::strncmp(*variable, "PATH=", 5) == 0) return *variable + 5;
  }
  return "/usr/local/bin:/usr/bin:/bin";
}

// Tries each directory of PATH; a permission problem is remembered, as execvp does.
void exec_by_path(const char* name) {
  int remembered = ENOENT;
  char candidate[4096];
  const std::size_t name_size = std::strlen(name);
  for (const char* at = find_path();;) {
    const char* end = ::strchrnul(at, ':');
    const auto size = static_cast<std::size_t>(end - at);
    if (size > 0 && size + name_size + 2 <= sizeof candidate) {  // an empty part would mean the working directory
      std::memcpy(candidate, at, size);
      candidate[size] = '/';
      std::memcpy(candidate + size + 1, name, name_size + 1);
      ::execve(candidate, request.argv, request.env);
      if (errno == EACCES) remembered = EACCES;
      if (errno != EACCES && errno != ENOENT && errno != ENOTDIR && errno != ESTALE && errno != ELOOP) return;
    }
    if (*end == 0) break;
    at = end + 1;
  }
  errno = remembered;
}

void close_others() {
  if (in_force(Measure::closed_descriptors)) {
    if (::close_range(STDERR_FILENO + 1, ~0U, 0) != 0) give_up("descriptors");
    return;
  }
  // Dropped for a test: what the keeper holds is let through, so that the test sees it.
  for (int fd = kControl; fd < 16; ++fd) ::fcntl(fd, F_SETFD, 0);
}

int child_main(void*) {
  join_groups();
  if (in_force(Measure::new_session)) {
    if (::setsid() < 0) give_up("session");
  } else if (::setpgid(0, 0) != 0) {
    give_up("group");
  }
  if (state.tagged && (request.tag = namespace_of("self/ns/uts")) == 0) give_up("tag");
  if (in_force(Measure::oom_score)) raise_oom_score();
  if ((request.fixed.flags & protocol::kNoNetwork) != 0) raise_loopback(give_up);
  place_descriptors();
  become_user();
  enter_cwd();
  limit_child(RLIMIT_CPU, request.fixed.cpu_seconds);
  limit_child(RLIMIT_DATA, request.fixed.data_bytes);
  limit_child(RLIMIT_NPROC, request.fixed.processes);
  close_others();
  sigset_t none;
  ::sigemptyset(&none);
  ::sigprocmask(SIG_SETMASK, &none, nullptr);
  const char* name = request.argv[0];
  if (std::strchr(name, '/') != nullptr) {
    ::execve(name, request.argv, request.env);
  } else {
    exec_by_path(name);
  }
  give_up("exec");
}

bool read_request(const Packet& packet) {
  request = Request{};
  auto& fixed = request.fixed;
  if (!protocol::parse(packet.data, packet.size, protocol::Kind::start, fixed) || fixed.argc == 0) return false;
  unsigned next = 0;
  const bool in_file = (fixed.flags & protocol::kTextInFile) != 0;
  unsigned expected = in_file ? 1 : 0;
  for (const auto flag : {protocol::kHasIn, protocol::kHasOut, protocol::kHasErr}) {
    expected += (fixed.flags & flag) != 0 ? 1 : 0;
  }
  if (packet.fd_count < expected || fixed.text_size > protocol::kPayloadLimit) return false;
  request.text = packet.data + sizeof fixed;
  request.text_size = fixed.text_size;
  if (in_file) {
    struct stat info {};
    if (::fstat(packet.fds[next], &info) != 0 || static_cast<std::size_t>(info.st_size) != fixed.text_size)
      return false;
    void* mapped = ::mmap(nullptr, fixed.text_size, PROT_READ, MAP_PRIVATE, packet.fds[next++], 0);
    if (mapped == MAP_FAILED) return false;
    request.mapped = mapped;
    request.text = static_cast<const char*>(mapped);
  } else if (packet.size != sizeof fixed + fixed.text_size) {
    return false;
  }
  if ((fixed.flags & protocol::kHasIn) != 0) request.standard[0] = packet.fds[next++];
  if ((fixed.flags & protocol::kHasOut) != 0) request.standard[1] = packet.fds[next++];
  if ((fixed.flags & protocol::kHasErr) != 0) request.standard[2] = packet.fds[next++];
  request.join = packet.fds + next;
  request.join_count = packet.fd_count - next;
  return true;
}

// Room for the pointers: a static array, or pages of their own for long lists.
char** allocate_pointers(std::size_t count) {
  if (count <= kFewStrings) return few_strings;
  void* pages = ::mmap(nullptr, count * sizeof(char*), PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  return pages == MAP_FAILED ? nullptr : static_cast<char**>(pages);
}

bool split_text(char** pointers) {
  protocol::Reader reader(request.text, request.text_size);
  request.cwd = reader.take_string();
  request.argv = pointers;
  request.env = pointers + request.fixed.argc + 1;
  for (std::uint32_t i = 0; i < request.fixed.argc; ++i) request.argv[i] = const_cast<char*>(reader.take_string());
  for (std::uint32_t i = 0; i < request.fixed.envc; ++i) request.env[i] = const_cast<char*>(reader.take_string());
  request.argv[request.fixed.argc] = nullptr;
  request.env[request.fixed.envc] = nullptr;
  const bool complete = request.fixed.envc == 0 ? request.argv[request.fixed.argc - 1] != nullptr
                                                : request.env[request.fixed.envc - 1] != nullptr;
  return complete && request.cwd != nullptr && reader.left() == 0;
}

Launch run_request() {
  Launch result;
  int flags = CLONE_VM | CLONE_VFORK | SIGCHLD;
  if (state.tagged) flags |= CLONE_NEWUTS;
  if ((request.fixed.flags & protocol::kNoNetwork) != 0) flags |= CLONE_NEWNET;
  result.pid = ::clone(child_main, child_stack + sizeof child_stack, flags, nullptr);
  if (result.pid < 0) {
    result.error_number = errno;
    result.step = "fork";
    return result;
  }
  result.tag = request.tag;
  result.error_number = request.error_number;
  result.step = request.step;
  if (result.error_number != 0) {
    ::waitpid(result.pid, nullptr, 0);  // it has left our memory, so it is at its very end
    result.pid = -1;
  }
  return result;
}

}  // namespace

Launch launch(const Packet& packet) {
  Launch result;
  result.error_number = EPROTO;
  result.step = "request";
  const bool understood = read_request(packet);
  const std::size_t count = std::size_t{request.fixed.argc} + request.fixed.envc + 2;
  // Each string takes a byte at least, so the text bounds the count.
  char** pointers = understood && count <= request.text_size + 2 ? allocate_pointers(count) : nullptr;
  if (pointers != nullptr && split_text(pointers)) result = run_request();
  if (pointers != nullptr && pointers != few_strings) ::munmap(pointers, count * sizeof(char*));
  if (request.mapped != nullptr) ::munmap(request.mapped, request.text_size);
  return result;
}

}  // namespace berth::keeper

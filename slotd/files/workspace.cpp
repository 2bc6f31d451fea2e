// SPDX-License-Identifier: Apache-2.0
#include "slotd/files/workspace.hpp"

#include <fcntl.h>
#include <linux/openat2.h>
#include <sys/fsuid.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <cerrno>
#include <climits>
#include <cstring>
#include <vector>

#include "base/text.hpp"

namespace berth::slotd {
namespace {

constexpr std::string_view kName = "workspace";
constexpr mode_t kNewMode = 0644;
constexpr int kMaxLinks = 40;  // as the kernel follows

int openat2_below(int root, const std::string& path, int flags) {
  open_how how{};
  how.flags = static_cast<std::uint64_t>(flags) | O_CLOEXEC;
  how.resolve = RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS;
  for (int tries = 0;; ++tries) {
    const auto fd = static_cast<int>(::syscall(SYS_openat2, root, path.c_str(), &how, sizeof how));
    // EAGAIN: a rename happened during resolution; the kernel asks to try again.
    if (fd >= 0 || errno != EAGAIN || tries == 100) return fd;
  }
}

std::uint64_t mount_of(int fd) {
  struct statx facts {};
  if (::statx(fd, "", AT_EMPTY_PATH, STATX_MNT_ID, &facts) != 0) return 0;
  return facts.stx_mnt_id;
}

// The server never changes its own ids; asking the kernel each time would cost as much as the work.
uid_t own_uid() {
  static const uid_t uid = ::geteuid();
  return uid;
}

gid_t own_gid() {
  static const gid_t gid = ::getegid();
  return gid;
}

// The path of what a descriptor holds, as its own mount namespace sees it.
Expected<std::string> name_in_kernel(int fd) {
  constexpr std::string_view kDeleted = " (deleted)";
  std::string name(PATH_MAX, '\0');
  const auto link = "/proc/self/fd/" + std::to_string(fd);
  const auto length = ::readlink(link.c_str(), name.data(), name.size());
  if (length < 0) return tl::unexpected<Error>(file_error(errno, "path"));
  name.resize(static_cast<std::size_t>(length));
  struct stat facts {};
  const bool gone = ::fstat(fd, &facts) == 0 && facts.st_nlink == 0;
  if (gone && name.size() > kDeleted.size()) name.resize(name.size() - kDeleted.size());
  return name;
}

// "a/b/c" -> {"a/b", "c"}; trailing slashes are no part of a name.
std::pair<std::string, std::string> split(std::string path) {
  while (path.size() > 1 && path.back() == '/') path.pop_back();
  const auto slash = path.rfind('/');
  if (slash == std::string::npos) return {"", path};
  return {path.substr(0, slash), path.substr(slash + 1)};
}

}  // namespace

Error file_error(int error_number, std::string_view path) {
  const auto text = std::string(path) + ": " + std::strerror(error_number);
  switch (error_number) {
    case ENOENT: return {"not_found", "Not found: " + std::string(path), {}};
    case EXDEV:
    case ELOOP: return {"outside", std::string(kOutsideMessage), {}};
    case ENOTDIR: return {"not_a_directory", text, {}};
    case EISDIR:
    case ENXIO: return {"not_a_file", "Not a file: " + std::string(path), {}};
    case ENOSPC:
    case EDQUOT: return {"disk_full", text, "the slot's disk is full; delete files or raise slot.disk"};
    case EACCES:
    case EPERM: return {"denied", text, {}};
    case ENAMETOOLONG: return {"bad_path", text, {}};
    default: return {"system", text, {}};
  }
}

FsIdentity::FsIdentity(const isolation::Room& room) : FsIdentity(FsIds{room.host_uid(), room.host_gid()}) {}

FsIdentity::FsIdentity(FsIds ids) {
  if (own_uid() != 0 || ids.uid == 0) return;
  ::setfsgid(ids.gid);
  ::setfsuid(ids.uid);
  changed_ = true;
}

FsIdentity::~FsIdentity() {
  if (!changed_) return;
  ::setfsuid(own_uid());
  ::setfsgid(own_gid());
}

Workspace::Workspace(const isolation::Room& room, std::string alias)
    : Workspace(room.root_fd(), room.workspace_fd(), std::move(alias)) {}

Workspace::Workspace(int root, int workspace, std::string alias)
    : root_(root), workspace_(workspace), mount_(mount_of(workspace)), alias_(std::move(alias)) {}

Expected<WorkspaceHandle> WorkspaceHandle::of(const isolation::Room& room, std::string alias) {
  UniqueFd root(::fcntl(room.root_fd(), F_DUPFD_CLOEXEC, 0));
  UniqueFd workspace(::fcntl(room.workspace_fd(), F_DUPFD_CLOEXEC, 0));
  if (!root || !workspace) return fail_errno("workspace", errno);
  return WorkspaceHandle(std::move(root), std::move(workspace), std::move(alias), {room.host_uid(), room.host_gid()});
}

std::string Workspace::display(std::string_view path) const {
  auto inner = in_slot(path);
  return inner ? "/" + *inner : std::string(path);
}

Expected<std::string> Workspace::in_slot(std::string_view path) const {
  while (path.size() > 1 && path.back() == '/') path.remove_suffix(1);  // no part of a name, for files too
  if (path.find('\0') != std::string_view::npos) return fail("outside", std::string(kOutsideMessage));
  if (path.size() >= PATH_MAX - 16) return tl::unexpected<Error>(file_error(ENAMETOOLONG, path.substr(0, 64)));
  if (path.empty() || path.front() != '/') return std::string(kName) + "/" + std::string(path);
  for (const std::string& prefix : {"/" + std::string(kName), alias_}) {
    if (prefix.empty() || path.substr(0, prefix.size()) != prefix) continue;
    const auto rest = path.substr(prefix.size());
    if (rest.empty() || rest.front() == '/') return std::string(kName) + std::string(rest);
  }
  return fail("outside", std::string(kOutsideMessage));
}

// The longest beginning of a path that exists. What exists has parents that do, so that halving finds it: a path may
// have two thousand parts.
Workspace::Reached Workspace::reach(std::string_view slot_path) const {
  std::vector<std::size_t> ends;
  for (std::size_t at = slot_path.find('/'); at != std::string_view::npos; at = slot_path.find('/', at + 1)) {
    if (at > 0 && slot_path[at - 1] != '/') ends.push_back(at);
  }
  Reached reached;
  for (std::size_t low = 0, high = ends.size(); low < high;) {
    const auto middle = low + (high - low) / 2;
    UniqueFd fd(openat2_below(root_, std::string(slot_path.substr(0, ends[middle])), O_PATH));
    if (fd) {
      reached = {std::move(fd), slot_path.substr(ends[middle])};
      low = middle + 1;
    } else {
      high = middle;
    }
  }
  return reached;
}

// Whether the nearest part of the path that exists has left the workspace: then it is refused whatever is missing
// there, so that no answer tells what the system's tree holds.
bool Workspace::parent_is_outside(std::string_view slot_path) const {
  const auto reached = reach(slot_path);
  return reached.fd && mount_of(reached.fd.get()) != mount_;
}

Expected<UniqueFd> Workspace::open_resolved(const std::string& slot_path, int flags) const {
  UniqueFd fd(openat2_below(root_, slot_path, flags));
  const int problem = errno;
  if (!fd && problem == ENOENT && parent_is_outside(slot_path)) return fail("outside", std::string(kOutsideMessage));
  errno = problem;
  if (!fd) {
    const auto shown = slot_path.substr(std::min(slot_path.size(), kName.size() + 1));
    return tl::unexpected<Error>(file_error(errno, shown));
  }
  if (mount_of(fd.get()) != mount_) return fail("outside", std::string(kOutsideMessage));
  return fd;
}

Expected<UniqueFd> Workspace::open(std::string_view path, int flags) const {
  const auto inner = in_slot(path);
  if (!inner) return tl::unexpected<Error>(inner.error());
  // Opening what lies outside, before the mount tells, has no effect worth the second look-up: without O_CREAT,
  // non-blocking, and all within the slot's own tree and rights.
  return open_resolved(*inner, (flags & O_PATH) != 0 ? flags : flags | O_NONBLOCK | O_NOCTTY);
}

Expected<Workspace::File> Workspace::open_file(std::string_view path) const {
  auto fd = open(path, O_RDONLY);
  if (!fd) return tl::unexpected<Error>(fd.error());
  File file{std::move(*fd), {}};
  if (::fstat(file.fd.get(), &file.facts) != 0) return tl::unexpected<Error>(file_error(errno, path));
  if (!S_ISREG(file.facts.st_mode)) return tl::unexpected<Error>(file_error(EISDIR, path));
  return file;
}

Expected<UniqueFd> Workspace::make_directories(const std::string& slot_path) const {
  auto there = open_resolved(slot_path, O_PATH | O_DIRECTORY);
  if (there || there.error().code != "not_found") return there;
  auto [directory, rest] = reach(slot_path);
  if (!directory) return there;
  if (mount_of(directory.get()) != mount_) return fail("outside", std::string(kOutsideMessage));
  while (!rest.empty()) {
    const auto slash = std::min(rest.find('/', 1), rest.size());
    const std::string name(rest.substr(1, slash - 1));
    rest.remove_prefix(slash);
    if (name.empty() || name == ".") continue;
    if (name == "..") return there;
    if (::mkdirat(directory.get(), name.c_str(), 0755) != 0 && errno != EEXIST)
      return tl::unexpected<Error>(file_error(errno, name));
    directory.reset(::openat(directory.get(), name.c_str(), O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
    if (!directory) return tl::unexpected<Error>(file_error(errno, name));
  }
  return std::move(directory);
}

Expected<UniqueFd> Workspace::open_directory(std::string_view path, bool create) const {
  const auto inner = in_slot(path);
  if (!inner) return tl::unexpected<Error>(inner.error());
  return create ? make_directories(*inner) : open_resolved(*inner, O_PATH | O_DIRECTORY);
}

Expected<Workspace::Place> Workspace::place(std::string_view path, bool make_parents) const {
  auto inner = in_slot(path);
  if (!inner) return tl::unexpected<Error>(inner.error());
  auto slot_path = *inner;
  for (int links = 0; links < kMaxLinks; ++links) {
    auto [parent, name] = split(slot_path);
    if (name.empty() || name == "." || name == ".." || parent.empty())
      return tl::unexpected<Error>(file_error(EISDIR, path));
    auto directory = make_parents ? make_directories(parent) : open_resolved(parent, O_PATH | O_DIRECTORY);
    if (!directory) return tl::unexpected<Error>(directory.error());
    std::array<char, PATH_MAX> target{};
    const auto length = ::readlinkat(directory->get(), name.c_str(), target.data(), target.size());
    if (length < 0) return Place{std::move(*directory), std::move(name)};
    const std::string_view text(target.data(), static_cast<std::size_t>(length));
    slot_path = !text.empty() && text.front() == '/' ? std::string(text.substr(1)) : parent + "/" + std::string(text);
    if (slot_path.size() >= PATH_MAX) return tl::unexpected<Error>(file_error(ENAMETOOLONG, path));
  }
  return tl::unexpected<Error>(file_error(ELOOP, path));
}

Expected<std::string> Workspace::name_of(int fd) const {
  auto top = name_in_kernel(workspace_);
  auto name = name_in_kernel(fd);
  if (!top || !name) return name ? top : name;
  if (*top == "/") top->clear();
  if (name->compare(0, top->size(), *top) != 0) return fail("outside", std::string(kOutsideMessage));
  name->erase(0, top->size());
  if (name->empty()) return name;
  if (name->front() != '/') return fail("outside", std::string(kOutsideMessage));
  return name->substr(1);
}

Expected<NewFile> NewFile::create(Workspace::Place place) {
  // Unique in this process; O_EXCL refuses a name that somebody has planted.
  static std::atomic<std::uint64_t> made = 0;
  auto temporary = ".berth-" + std::to_string(::getpid()) + "-" + std::to_string(++made);
  UniqueFd fd(::openat(place.directory.get(), temporary.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC,
                       kNewMode));
  if (!fd) return tl::unexpected<Error>(file_error(errno, place.name));
  return NewFile(std::move(place), std::move(temporary), std::move(fd));
}

NewFile::~NewFile() {
  if (fd_) ::unlinkat(place_.directory.get(), temporary_.c_str(), 0);
}

Expected<void> NewFile::write(std::string_view data) {
  while (!data.empty()) {
    const auto count = ::write(fd_.get(), data.data(), data.size());
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) return tl::unexpected<Error>(file_error(errno, place_.name));
    data.remove_prefix(static_cast<std::size_t>(count));
  }
  return {};
}

Expected<void> NewFile::commit(mode_t mode) {
  struct stat old {};
  if (::fstatat(place_.directory.get(), place_.name.c_str(), &old, AT_SYMLINK_NOFOLLOW) == 0) {
    if (!S_ISREG(old.st_mode)) return tl::unexpected<Error>(file_error(EISDIR, place_.name));
    mode = old.st_mode & 07777U;
  }
  if (mode != kNewMode && ::fchmod(fd_.get(), mode) != 0) return tl::unexpected<Error>(file_error(errno, place_.name));
  if (::renameat(place_.directory.get(), temporary_.c_str(), place_.directory.get(), place_.name.c_str()) != 0) {
    return tl::unexpected<Error>(file_error(errno, place_.name));
  }
  fd_.reset();
  return {};
}

}  // namespace berth::slotd

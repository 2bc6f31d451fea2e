// SPDX-License-Identifier: Apache-2.0
#include "cli/host_files.hpp"

#include <fcntl.h>
#include <linux/openat2.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>

#include "base/text.hpp"

namespace berth::cli {
namespace {

UniqueFd open_beneath(int root, const std::string& path) {
  open_how how{};
  how.flags = O_RDONLY | O_DIRECTORY | O_CLOEXEC;
  how.resolve = RESOLVE_BENEATH | RESOLVE_NO_MAGICLINKS;
  return UniqueFd(static_cast<int>(::syscall(SYS_openat2, root, path.c_str(), &how, sizeof how)));
}

}  // namespace

std::optional<std::vector<std::string>> inside_parts(std::string_view path) {
  if (path.empty() || path.starts_with('/') || path.find('\0') != std::string_view::npos) return std::nullopt;
  std::vector<std::string> parts;
  while (!path.empty()) {
    const std::size_t end = path.find('/');
    const std::string_view part = path.substr(0, end);
    path = end == std::string_view::npos ? std::string_view() : path.substr(end + 1);
    if (part == "..") return std::nullopt;
    if (!part.empty() && part != ".") parts.emplace_back(part);
  }
  return parts;
}

Expected<HostFolder> HostFolder::open(const std::string& path) {
  UniqueFd fd(::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!fd) return fail_errno("opening the folder " + path, errno);
  return HostFolder(std::move(fd));
}

Expected<HostFolder> HostFolder::enter(const std::string& path) const {
  const auto parts = inside_parts(path);
  if (!parts) return fail("outside", path + " is not a path below the folder");
  std::string so_far = ".";
  UniqueFd folder = open_beneath(fd_.get(), so_far);
  for (const std::string& part : *parts) {
    if (!folder) break;
    so_far += "/" + part;
    UniqueFd next = open_beneath(fd_.get(), so_far);
    if (!next && errno == ENOENT && ::mkdirat(folder.get(), part.c_str(), 0777) == 0)
      next = open_beneath(fd_.get(), so_far);
    folder = std::move(next);
  }
  if (!folder && errno == EXDEV)
    return fail("outside", path + " leads outside its folder through a link", "remove the link");
  if (!folder) return fail_errno("opening " + path, errno);
  return HostFolder(std::move(folder));
}

HostFolder::NewFile::NewFile(UniqueFd folder, UniqueFd file, std::string temporary, std::string name)
    : folder_(std::move(folder)), file_(std::move(file)), temporary_(std::move(temporary)), name_(std::move(name)) {}

HostFolder::NewFile::~NewFile() {
  if (folder_ && !temporary_.empty()) ::unlinkat(folder_.get(), temporary_.c_str(), 0);
}

Expected<void> HostFolder::NewFile::commit(unsigned mode) {
  if (::fchmod(file_.get(), mode) != 0) return fail_errno("setting the mode of " + name_, errno);
  if (::renameat(folder_.get(), temporary_.c_str(), folder_.get(), name_.c_str()) != 0)
    return fail_errno("writing " + name_, errno);
  temporary_.clear();
  return {};
}

Expected<HostFolder::NewFile> HostFolder::create(const std::string& name) const {
  if (name.empty() || name == "." || name == ".." || name.find('/') != std::string::npos)
    return fail("outside", name + " is no file name");
  std::string temporary = ".berth-" + random_hex(8);
  UniqueFd folder(::fcntl(fd_.get(), F_DUPFD_CLOEXEC, 3));
  UniqueFd file(::openat(fd_.get(), temporary.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600));
  if (!folder || !file) return fail_errno("creating " + name, errno);
  return NewFile(std::move(folder), std::move(file), std::move(temporary), name);
}

std::pair<std::string, std::string> folder_and_name(const std::string& path) {
  const std::size_t slash = path.rfind('/');
  if (slash == std::string::npos) return {"", path};
  return {path.substr(0, slash), path.substr(slash + 1)};
}

}  // namespace berth::cli

// SPDX-License-Identifier: Apache-2.0
#include "slotd/ready.hpp"

#include <sys/stat.h>
#include <unistd.h>

#include "base/fd.hpp"
#include "base/log.hpp"
#include "slotd/metadata.hpp"

namespace berth::slotd {
namespace {

void tell(const Options& options, const std::string& line) {
  if (options.ready_fd >= 0) {
    (void)write_all(options.ready_fd, line + "\n");
    ::close(options.ready_fd);
  }
  if (options.ready_file.empty()) return;
  constexpr unsigned kForAll = 0644;  // it holds no secret
  if (auto written = write_file_atomically(options.ready_file, line + "\n", kForAll); !written) {
    log(LogLevel::error, "the ready file cannot be written", {{"error", written.error().message}});
  }
}

}  // namespace

void give_socket_to_owner(const std::string& listen) {
  constexpr std::string_view kUnix = "unix:";
  if (!listen.starts_with(kUnix) || ::geteuid() != 0) return;
  const std::string path = listen.substr(kUnix.size());
  struct stat folder {};
  const auto slash = path.rfind('/');
  if (slash == std::string::npos || ::stat(path.substr(0, slash + 1).c_str(), &folder) != 0 || folder.st_uid == 0)
    return;
  if (::lchown(path.c_str(), folder.st_uid, folder.st_gid) != 0) {
    log(LogLevel::warning, "the socket cannot be given to the owner of its folder", {{"path", path}});
  }
}

void announce_start(const Options& options, const std::string& boot_id, std::uint16_t port) {
  tell(options, Metadata().boolean("ok", true).text("boot_id", boot_id).integer("port", port).str());
}

void announce_failure(const Options& options, const Error& error) {
  const auto body = Metadata().text("code", error.code).text("message", error.message).text("hint", error.hint).str();
  tell(options, Metadata().boolean("ok", false).json("error", body).str());
}

}  // namespace berth::slotd

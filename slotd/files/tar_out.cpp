// SPDX-License-Identifier: Apache-2.0
#include "slotd/files/tar_out.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>

#include "slotd/files/workspace.hpp"

namespace berth::slotd {

Expected<void> TarOut::add(const TreeWalk::Entry& entry) {
  auto facts = entry.facts;
  if (S_ISLNK(facts.st_mode)) {
    const auto target = read_link(walk_.directory(), entry.name());
    return target ? writer_.add_link(entry.path, facts, *target) : Expected<void>();  // gone meanwhile
  }
  if (S_ISDIR(facts.st_mode)) {
    if (entry.unreadable != 0) return tl::unexpected<Error>(file_error(entry.unreadable, entry.path));
    return writer_.add_directory(entry.path, facts);
  }
  if (!S_ISREG(facts.st_mode)) return {};
  UniqueFd file(
      ::openat(walk_.directory(), entry.name().c_str(), O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC));
  if (!file && (errno == ENOENT || errno == ELOOP)) return {};  // gone meanwhile, or another thing by now
  if (!file || ::fstat(file.get(), &facts) != 0) return tl::unexpected<Error>(file_error(errno, entry.path));
  if (!S_ISREG(facts.st_mode)) return {};
  return writer_.begin_file(entry.path, facts, std::move(file));
}

Expected<bool> TarOut::step(std::size_t enough) {
  Expected<void> done;
  if (writer_.in_file()) {
    done = writer_.copy_piece();
  } else {
    auto entry = walk_.next();
    if (!entry) return tl::unexpected<Error>(entry.error());
    if (*entry) {
      done = add(**entry);
    } else {
      writer_.close();
      complete_ = true;
    }
  }
  if (!done) return tl::unexpected<Error>(done.error());
  return !complete_ && writer_.pending().size() < enough;
}

}  // namespace berth::slotd

// SPDX-License-Identifier: Apache-2.0
#include "slotd/slot_storage.hpp"

#include <sys/stat.h>
#include <unistd.h>

#include <boost/asio/post.hpp>
#include <boost/asio/thread_pool.hpp>
#include <cerrno>
#include <filesystem>

#include "base/text.hpp"

namespace berth::slotd {
namespace {

// Deleting a large tree takes long; one thread at low urgency is enough, and its backlog holds only trees of ended
// leases.
boost::asio::thread_pool& sweeper() {
  static boost::asio::thread_pool pool(1);
  return pool;
}

}  // namespace

std::string host_workspace(const ContainerSpec& spec, const std::string& workspace_dir) {
  return spec.slot.storage == StorageMode::host ? workspace_dir : std::string();
}

boost::asio::awaitable<Expected<void>> prepare_workspace(const ContainerSpec& spec, std::string workspace_dir,
                                                         bool empty) {
  if (spec.slot.storage != StorageMode::host) co_return Expected<void>{};
  const auto aside = workspace_dir + ".old-" + random_hex(8);
  // rename never follows a link, whatever the slot left in its workspace.
  if (empty && ::rename(workspace_dir.c_str(), aside.c_str()) == 0) {
    boost::asio::post(sweeper(), [aside] {
      std::error_code ignored;
      std::filesystem::remove_all(aside, ignored);
    });
  } else if (empty && errno != ENOENT) {
    co_return fail_errno("moving " + workspace_dir + " aside", errno);
  }
  if (::mkdir(workspace_dir.c_str(), 0755) != 0 && errno != EEXIST)
    co_return fail_errno("making " + workspace_dir, errno);
  co_return Expected<void>{};
}

}  // namespace berth::slotd

// SPDX-License-Identifier: Apache-2.0
#include "drivers/remove.hpp"

#include <filesystem>

#include "drivers/paths.hpp"

namespace berth::drivers {

namespace fs = std::filesystem;

namespace {

void open_directories(const std::string& path) {
  std::error_code error;
  fs::recursive_directory_iterator each(path, error);
  while (!error && each != fs::recursive_directory_iterator()) {
    std::error_code ignored;
    // Before the iterator goes on, which enters it.
    if (each->symlink_status(ignored).type() == fs::file_type::directory)
      fs::permissions(each->path(), fs::perms::owner_all, fs::perm_options::add, ignored);
    each.increment(error);
  }
}

}  // namespace

std::error_code remove_container_tree(const std::string& path) {
  std::error_code error;
  fs::remove_all(path, error);
  if (!error) return error;
  open_directories(path);
  fs::remove_all(path, error);
  return error;
}

Expected<void> remove_stray_folders(const std::string& state_dir,
                                    const std::function<bool(const std::string&)>& is_used) {
  Expected<void> all;
  std::error_code unreadable;
  for (const auto& entry : fs::directory_iterator(containers_path(state_dir), unreadable)) {
    if (is_used(entry.path().filename().string())) continue;
    const std::error_code failed = remove_container_tree(entry.path().string());
    if (failed && all) all = fail("leftover", "removing " + entry.path().string() + ": " + failed.message());
  }
  return all;
}

}  // namespace berth::drivers

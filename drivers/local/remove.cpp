// SPDX-License-Identifier: Apache-2.0
#include "drivers/local/remove.hpp"

#include <filesystem>

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

}  // namespace berth::drivers

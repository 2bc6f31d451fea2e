// SPDX-License-Identifier: Apache-2.0
// The whole tree of an image: of a directory that holds one, or of the container that we are in.
#include <algorithm>
#include <filesystem>
#include <set>

#include "base/fd.hpp"
#include "base/log.hpp"
#include "isolation/layout_parts.hpp"

namespace berth::isolation {
namespace {

namespace fs = std::filesystem;

// An image's own; the server's directory would take the image's place there.
const std::set<std::string> kOfImages = {"bin", "boot", "etc", "home", "lib", "lib64", "media", "mnt",
                                         "opt", "root", "run", "sbin", "srv", "usr",   "var"};

bool lies_in(const fs::path& directory, const std::string& path) {
  return path == directory.string() || path.starts_with(directory.string() + "/");
}

class ImageLayout {
 public:
  ImageLayout(const LayoutOptions& options, std::vector<Mount> mounts)
      : options_(options),
        top_(options.root == RootMode::container ? "/" : options.rootfs),
        mounts_(std::move(mounts)) {}

  Expected<std::vector<LayoutEntry>> run() {
    if (auto good = check_work_dir(); !good) return tl::unexpected(good.error());
    std::error_code error;
    for (const auto& item : fs::directory_iterator(top_, error)) {
      if (auto added = add(item); !added) return tl::unexpected(added.error());
    }
    if (error) return fail("isolation", "the root " + top_ + " cannot be read: " + error.message());
    add_missing_directories(entries_);
    return std::move(entries_);
  }

 private:
  Expected<void> add(const fs::directory_entry& item) {
    const std::string name = item.path().filename().string();
    if (is_own_name(name)) return {};
    if (!is_showable_name(name)) {
      log(LogLevel::warning, "slots do not see this: its name cannot be a mount option", {{"name", name}});
      return {};
    }
    std::error_code error;
    if (item.is_symlink(error)) {
      add_layout_link(item.path(), entries_);
    } else if (item.is_directory(error)) {
      if (!lies_in(item.path(), options_.work_dir)) return add_directory(item.path(), name);
    } else if (item.is_regular_file(error) && options_.root == RootMode::container) {
      entries_.push_back({LayoutEntry::Kind::file, name, item.path().string(), 0644, false});
    }
    return {};
  }

  Expected<void> check_work_dir() const {
    const auto slash = options_.work_dir.find('/', 1);
    const std::string name = options_.work_dir.substr(1, slash == std::string::npos ? slash : slash - 1);
    if (options_.root != RootMode::container) return {};
    std::error_code error;
    if (const auto real = fs::weakly_canonical(options_.work_dir, error); error || real != options_.work_dir) {
      return fail("config",
                  "the data directory " + options_.work_dir + " is behind a link of the image: " + real.string(),
                  "give --data-dir a directory that is none of the image's");
    }
    if (!kOfImages.contains(name)) return {};
    return fail("config", "the data directory " + options_.work_dir + " lies in /" + name + ", which slots are to see",
                "give --data-dir a directory of its own at the top, such as /.berth/data");
  }

  // The lower directory of an overlay in a user namespace has no mounts below it.
  Expected<void> add_directory(const fs::path& path, const std::string& name) {
    std::string source = path.string();
    if (has_mounts_below(mounts_, source)) {
      source = options_.work_dir + "/copies/" + name;
      std::error_code error;
      fs::create_directories(options_.work_dir + "/copies", error);
      log(LogLevel::debug, "copied for the slots: something is mounted in it", {{"directory", path.string()}});
      if (auto copied = copy_directory(path.string(), source); !copied) return copied;
    }
    entries_.push_back({LayoutEntry::Kind::system, name, source, 0755, false});
    return {};
  }

  const LayoutOptions& options_;
  const std::string top_;
  const std::vector<Mount> mounts_;
  std::vector<LayoutEntry> entries_;
};

}  // namespace

bool has_mounts_below(const std::vector<Mount>& mounts, const std::string& directory) {
  const std::string prefix = directory == "/" ? "/" : directory + "/";
  return std::any_of(mounts.begin(), mounts.end(), [&](const Mount& mount) {
    return mount.point.size() > prefix.size() && mount.point.starts_with(prefix);
  });
}

Expected<std::vector<LayoutEntry>> image_layout(const LayoutOptions& options) {
  auto mountinfo = read_file("/proc/self/mountinfo");
  if (!mountinfo) return tl::unexpected(mountinfo.error());
  return ImageLayout(options, parse_mounts(*mountinfo)).run();
}

}  // namespace berth::isolation

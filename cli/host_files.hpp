// SPDX-License-Identifier: Apache-2.0
// Writing what came out of a slot below a folder of the host, and nowhere else: names and links are hostile. Blocking.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/fd.hpp"
#include "berth/error.hpp"

namespace berth::cli {

struct UnpackLimits {
  std::uint64_t bytes = std::uint64_t{1} << 30;
  std::uint64_t entries = 200'000;
};

// A folder that nothing is written outside of.
class HostFolder {
 public:
  [[nodiscard]] static Expected<HostFolder> open(const std::string& path);

  // The folder `path` below this one, made where it is missing. A link on the way may not lead outside.
  [[nodiscard]] Expected<HostFolder> enter(const std::string& path) const;

  // A new file of this folder; it replaces an older one of that name when commit() is called, else it never was there.
  class NewFile {
   public:
    NewFile(NewFile&&) noexcept = default;
    NewFile& operator=(NewFile&&) = delete;
    ~NewFile();
    [[nodiscard]] Expected<void> write(std::string_view bytes) { return write_all(file_.get(), bytes); }
    [[nodiscard]] Expected<void> commit(unsigned mode);

   private:
    friend class HostFolder;
    NewFile(UniqueFd folder, UniqueFd file, std::string temporary, std::string name);
    UniqueFd folder_;
    UniqueFd file_;
    std::string temporary_;
    std::string name_;
  };
  [[nodiscard]] Expected<NewFile> create(const std::string& name) const;

  // Unpacks a tar file: directories, files, and links that stay inside. What is left out is told in `skipped`.
  [[nodiscard]] Expected<void> unpack(const std::string& tar_file, const UnpackLimits& limits,
                                      std::vector<std::string>& skipped) const;

 private:
  friend class Unpacker;
  explicit HostFolder(UniqueFd fd) : fd_(std::move(fd)) {}
  UniqueFd fd_;
};

// The parts of a relative path without "." and empty ones; nothing when it is absolute, empty or contains "..".
[[nodiscard]] std::optional<std::vector<std::string>> inside_parts(std::string_view path);

// "a/b/c" is ("a/b", "c"); without a slash the folder is "".
[[nodiscard]] std::pair<std::string, std::string> folder_and_name(const std::string& path);

}  // namespace berth::cli

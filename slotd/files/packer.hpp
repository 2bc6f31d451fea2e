// SPDX-License-Identifier: Apache-2.0
// A file or a tree of the workspace as a gzipped tar within limits (facts/slot-protocol.md 2.8): files, links that stay
// inside, directories that are empty; names relative to the workspace; sorted. What cannot fit is refused as soon as
// that is known. Blocking in pieces; single-threaded, movable between threads.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>

#include "base/fd.hpp"
#include "berth/error.hpp"
#include "slotd/files/tar_writer.hpp"
#include "slotd/files/tree_walk.hpp"
#include "slotd/files/workspace.hpp"

namespace berth::slotd {

struct PackLimits {
  std::uint64_t max_bytes = 5'000'000;  // of the archive
  std::size_t max_entries = 5'000;      // files and links; as many empty directories beside them
};

class Packer {
 public:
  // Beyond this many bytes of files the archive is refused, however well they might compress.
  static constexpr std::uint64_t kMaxContent = std::uint64_t{1} << 30;

  // `root`: what is packed, a directory or a regular file; `name`: its name in the workspace ("" for the root).
  Packer(std::shared_ptr<const WorkspaceHandle> workspace, UniqueFd root, std::string name, PackLimits limits);

  // Does a bounded piece of the work; false when all is done. Error "too_large": see needed().
  [[nodiscard]] Expected<bool> step();

  [[nodiscard]] std::string take() { return std::move(writer_.pending()); }
  [[nodiscard]] std::size_t entries() const { return entries_; }
  // Something was left out for max_entries or because it could not be read.
  [[nodiscard]] bool truncated() const { return truncated_; }
  // After "too_large": the least size the archive would have.
  [[nodiscard]] std::uint64_t needed() const { return needed_; }

 private:
  [[nodiscard]] Expected<bool> check_size();
  [[nodiscard]] bool is_full();
  [[nodiscard]] Expected<bool> add_next();
  [[nodiscard]] Expected<void> add(const TreeWalk::Entry& entry);
  [[nodiscard]] Expected<void> add_link(const TreeWalk::Entry& entry, const std::string& path);
  [[nodiscard]] Expected<void> add_file(UniqueFd file, const std::string& path);
  [[nodiscard]] Expected<bool> finish();
  [[nodiscard]] std::string path_of(const std::string& below) const;

  const std::shared_ptr<const WorkspaceHandle> workspace_;
  UniqueFd single_;  // a file alone
  const std::string name_;
  const PackLimits limits_;
  std::optional<TreeWalk> walk_;  // of a directory
  TarWriter writer_;
  std::size_t entries_ = 0;
  std::size_t directories_ = 0;
  std::uint64_t content_ = 0;
  std::uint64_t needed_ = 0;
  bool truncated_ = false;
};

}  // namespace berth::slotd

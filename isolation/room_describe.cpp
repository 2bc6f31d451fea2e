// SPDX-License-Identifier: Apache-2.0
// The description of a slot for its keeper: the layout turned into mounts that the id mode allows.
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <filesystem>

#include "isolation/room_impl.hpp"

namespace berth::isolation {
namespace {

constexpr std::uint64_t kBytesPerInode = 4096;
constexpr std::uint64_t kFewestInodes = 4096;
constexpr std::uint64_t kMostInodes = std::uint64_t{1} << 20;

class Describer {
 public:
  Describer(const RoomShared& shared, const RoomSpec& room) : shared_(shared), room_(room) {}

  Expected<Outgoing> run(pid_t keeper) {
    if (shared_.ids == IdMode::shifted) {
      auto user_namespace = open_user_namespace(keeper);
      if (!user_namespace) return tl::unexpected(user_namespace.error());
      user_namespace_ = std::move(*user_namespace);
    }
    fill_limits();
    fill_user();
    if (auto placed = place_layer(); !placed) return tl::unexpected(placed.error());
    if (auto placed = place_workspace(); !placed) return tl::unexpected(placed.error());
    for (const auto& entry : shared_.layout) {
      if (auto added = add_entry(entry); !added) return tl::unexpected(added.error());
    }
    return finish();
  }

 private:
  bool in_force(Measure measure) const { return has(shared_.plan.in_force, measure); }

  void fill_limits() {
    const auto& slot = shared_.spec.slot;
    fixed_.measures = shared_.measures_of(room_).to_ullong();
    fixed_.isolated = shared_.isolated ? 1 : 0;
    if (shared_.has_proxy(room_)) fixed_.proxy_port = kProxyPort;
    fixed_.disk_bytes = slot.disk_bytes;
    fixed_.disk_inodes = std::clamp(slot.disk_bytes / kBytesPerInode, kFewestInodes, kMostInodes);
    const auto& abilities = shared_.abilities;
    const bool wants_memory = has(shared_.plan.wanted, Measure::memory_limit);
    if (wants_memory && !abilities.cgroup_memory) fixed_.data_bytes = slot.memory_bytes;
    if (in_force(Measure::pids_limit) && !abilities.cgroup_pids) fixed_.processes = slot.pids;
  }

  void fill_user() {
    if (room_.is_setup) return;
    fixed_.uid = shared_.user.uid;
    fixed_.gid = shared_.user.gid;
    fixed_.group_count = static_cast<std::uint32_t>(shared_.user.groups.size());
    std::copy(shared_.user.groups.begin(), shared_.user.groups.end(), fixed_.groups);
  }

  // Index of a detached, possibly id-mapped mount of `path`; kNoFd where the keeper can use the path itself.
  Expected<std::uint32_t> add_tree(const std::string& path, bool map_ids) {
    if (shared_.ids != IdMode::shifted) return protocol::kNoFd;
    auto tree = clone_tree(path, {map_ids ? user_namespace_.get() : -1, !map_ids});
    if (!tree) return tl::unexpected(tree.error());
    if (out_.owned.size() == protocol::kFdLimit)
      return fail("isolation", "too many directories at the top of the root");
    out_.owned.push_back(std::move(*tree));
    return static_cast<std::uint32_t>(out_.owned.size() - 1);
  }

  Expected<void> place_layer() {
    if (!room_.is_setup && !shared_.has_layer) return {};
    layer_ = shared_.layer_dir();
    fixed_.layer = room_.is_setup ? protocol::Layer::write : protocol::Layer::read;
    if (!shared_.isolated) return {};
    std::error_code error;
    for (const char* part : {"/u", "/k"}) {
      if (room_.is_setup) std::filesystem::create_directories(layer_ + part, error);
    }
    if (error) return fail("isolation", "making the setup layer " + layer_ + ": " + error.message());
    auto tree = add_tree(layer_, true);
    if (!tree) return tl::unexpected(tree.error());
    fixed_.layer_tree = *tree;
    return {};
  }

  Expected<void> place_workspace() {
    workspace_ = room_.workspace_dir;
    if (!shared_.isolated && workspace_.empty()) workspace_ = shared_.work_dir + "/slots/" + room_.slot;
    if (workspace_.empty()) return {};
    if (!shared_.isolated) return {};
    auto tree = add_tree(workspace_, true);
    if (!tree) {
      Error error = tree.error();
      error.hint =
          "use `storage: memory`, or a state directory on a file system with id-mapped mounts (ext4, xfs, btrfs)";
      return tl::unexpected(error);
    }
    fixed_.workspace_tree = *tree;
    return {};
  }

  Expected<void> add_entry(const LayoutEntry& entry) {
    switch (entry.kind) {
      case LayoutEntry::Kind::link: return append(protocol::EntryKind::link, entry, protocol::kNoFd);
      case LayoutEntry::Kind::shared: return append(protocol::EntryKind::bind_shared, entry, protocol::kNoFd);
      case LayoutEntry::Kind::directory: {
        const bool overlaid = entry.layered && fixed_.layer != protocol::Layer::none;
        return append(overlaid ? protocol::EntryKind::overlay : protocol::EntryKind::directory, entry, protocol::kNoFd);
      }
      case LayoutEntry::Kind::file: {
        auto tree = add_tree(entry.source, true);
        if (!tree) return tl::unexpected(tree.error());
        return append(protocol::EntryKind::file, entry, *tree);
      }
      case LayoutEntry::Kind::system: break;
    }
    // Our own copy of /etc is an overlay even where the system is shown read-only: a bind of it would tell every slot,
    // in its mount table, where slotd keeps its files.
    const bool own_copy =
        shared_.abilities.overlay_in_user_namespace && entry.source.starts_with(shared_.work_dir + "/");
    const bool writable = shared_.plan.writable_root || own_copy;
    auto tree = add_tree(entry.source, writable);
    if (!tree) return tl::unexpected(tree.error());
    return append(writable ? protocol::EntryKind::overlay : protocol::EntryKind::bind_read_only, entry, *tree);
  }

  Expected<void> append(protocol::EntryKind kind, const LayoutEntry& entry, std::uint32_t tree) {
    protocol::Entry fixed;
    fixed.kind = kind;
    fixed.mode = entry.mode;
    fixed.tree = tree;
    fixed.name_size = static_cast<std::uint16_t>(entry.name.size() + 1);
    fixed.source_size = static_cast<std::uint16_t>(entry.source.size() + 1);
    if (entry.source.size() >= 4096) return fail("isolation", "path too long: " + entry.source);
    entries_.append(reinterpret_cast<const char*>(&fixed), sizeof fixed);
    entries_.append(entry.name).push_back('\0');
    entries_.append(entry.source).push_back('\0');
    ++fixed_.entries;
    return {};
  }

  Expected<Outgoing> finish() {
    std::string text;
    const auto add = [&text](const std::string& part) {
      text.append(part).push_back('\0');
      return static_cast<std::uint32_t>(part.size() + 1);
    };
    fixed_.slot_size = add(room_.slot);
    fixed_.workspace_size = add(workspace_);
    fixed_.layer_size = add(layer_);
    text += entries_;
    fixed_.filter_length = static_cast<std::uint32_t>(shared_.filter.size());
    text.append(reinterpret_cast<const char*>(shared_.filter.data()), shared_.filter.size() * sizeof(sock_filter));
    fixed_.header.size = static_cast<std::uint32_t>(sizeof fixed_ + text.size());
    if (fixed_.header.size > protocol::kPacketLimit) return fail("isolation", "the slot's description is too long");
    out_.bytes.assign(reinterpret_cast<const char*>(&fixed_), sizeof fixed_);
    out_.bytes += text;
    return std::move(out_);
  }

  const RoomShared& shared_;
  const RoomSpec& room_;
  protocol::Describe fixed_;
  UniqueFd user_namespace_;
  std::string workspace_;
  std::string layer_;
  std::string entries_;
  Outgoing out_;
};

}  // namespace

Expected<Outgoing> describe_room(const RoomShared& shared, const RoomSpec& room, pid_t keeper) {
  return Describer(shared, room).run(keeper);
}

}  // namespace berth::isolation

// SPDX-License-Identifier: Apache-2.0
// Inside of RoomFactory and Room; for room*.cpp and factory*.cpp only.
#pragma once

#include <linux/filter.h>
#include <sys/types.h>

#include <deque>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "isolation/cgroup.hpp"
#include "isolation/idmap.hpp"
#include "isolation/layout.hpp"
#include "isolation/protocol.hpp"
#include "isolation/room.hpp"
#include "isolation/user.hpp"

namespace berth::isolation {

inline constexpr int kLowestFd = 10;  // above every number that the child gives a meaning of its own

// What all rooms of a container share; outlives them.
struct RoomShared {
  ContainerSpec spec;
  std::string work_dir;
  Abilities abilities;
  IsolationPlan plan;
  bool isolated = true;  // false: commands run as plain children (rung three)
  IdMode ids = IdMode::none;
  IdBlock id_block;
  UserIds user;     // whom commands run as; setup rooms stay root
  UniqueFd keeper;  // sealed program
  std::vector<sock_filter> filter;
  std::vector<LayoutEntry> layout;
  std::unique_ptr<CgroupParent> groups;
  bool has_layer = false;           // setup was adopted
  mutable std::uint64_t begun = 0;  // rooms so far: each has a group of its own, since an old one may still be dying

  [[nodiscard]] std::string layer_dir() const { return work_dir + "/layer"; }
  // RoomFactory::measures_of
  [[nodiscard]] MeasureSet measures_of(const RoomSpec& room) const {
    MeasureSet kept = plan.in_force;
    if (room.is_setup) kept.reset(static_cast<std::size_t>(Measure::network_namespace));
    return kept;
  }
  [[nodiscard]] bool has_proxy(const RoomSpec& room) const {
    return spec.slot.network == NetworkMode::allow && !room.is_setup;
  }
};

class RoomFactory::Impl : public RoomShared {};

// --- factory_keeper.cpp ---
[[nodiscard]] Expected<UniqueFd> make_keeper_file();

// --- room_launch.cpp ---
struct Launched {
  pid_t pid = -1;
  UniqueFd pidfd;
  UniqueFd control;
};
// Clones the keeper's process into new namespaces and, as soon as its id maps are written, lets it exec. It joins the
// groups behind `join` by itself meanwhile.
[[nodiscard]] Expected<Launched> launch_keeper(const RoomShared& shared, const RoomSpec& room, std::uint32_t id_base,
                                               const std::vector<UniqueFd>& join);

// --- room_describe.cpp ---
struct Outgoing {
  std::string bytes;
  std::vector<UniqueFd> owned;  // descriptors made for this message
};
[[nodiscard]] Expected<Outgoing> describe_room(const RoomShared& shared, const RoomSpec& room, pid_t keeper);

// --- room_start.cpp ---
[[nodiscard]] Expected<Outgoing> encode_start(std::uint64_t id, const Command& what, unsigned standard_flags,
                                              const protocol::Start& limits);

// --- room_wire.cpp ---
// Never waits; error code "busy" when the keeper does not keep up, "gone" when it is dead.
[[nodiscard]] Expected<void> send_packet(int control, const void* data, std::size_t size,
                                         const std::vector<int>& fds = {});
struct Incoming {
  enum class State : std::uint8_t { packet, nothing, closed } state = State::nothing;
  std::vector<char> bytes;
  std::vector<UniqueFd> fds;
};
[[nodiscard]] Incoming receive_packet(int control);

class Room::Impl {
 public:
  Impl(const RoomShared& shared, RoomSpec spec) : shared_(shared), spec_(std::move(spec)) {}
  ~Impl();

  [[nodiscard]] Expected<void> begin();
  [[nodiscard]] std::optional<Event> next_event();
  [[nodiscard]] Expected<void> start(std::uint64_t id, const Command& what, CommandFds fds);
  [[nodiscard]] Expected<void> send(const void* message, std::size_t size, const std::vector<int>& fds = {});
  [[nodiscard]] std::optional<GroupUsage> command_usage(std::uint64_t id) const;
  void begin_destroy();
  [[nodiscard]] Expected<void> finish_destroy();
  [[nodiscard]] std::uint32_t host_id(std::uint32_t own) const;  // of the slot's root
  // Of whom commands run as; `own` where there is one id only.
  [[nodiscard]] std::uint32_t host_id_of(std::uint32_t id, std::uint32_t own) const;
  [[nodiscard]] const UserIds& user() const;

  const RoomShared& shared_;
  RoomSpec spec_;
  UniqueFd control_;
  UniqueFd pidfd_;
  pid_t pid_ = -1;
  UniqueFd root_;
  UniqueFd workspace_;
  UniqueFd listener_;
  UniqueFd mounts_;  // the mount namespace; none on rung three
  std::unique_ptr<Cgroup> group_;

 private:
  void decode(Incoming& packet);
  void take_built(Incoming& packet);
  void take_failure(Incoming& packet);
  void take_exit(const protocol::Exited& message);
  void keeper_closed();
  void close_call_group(std::uint64_t id);
  [[nodiscard]] Expected<std::vector<UniqueFd>> open_call_group(std::uint64_t id, const Command& what,
                                                                protocol::Start& limits);
  [[nodiscard]] std::string own_cwd(const std::string& cwd) const;

  std::deque<Event> events_;
  std::map<std::uint64_t, std::unique_ptr<Cgroup>> call_groups_;
  std::map<std::uint64_t, GroupUsage> call_usage_;  // of calls that ended and whose number was not used again
  bool building_ = true;
  bool gone_ = false;
  bool reaped_ = false;
};

}  // namespace berth::isolation

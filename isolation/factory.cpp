// SPDX-License-Identifier: Apache-2.0
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <filesystem>

#include "isolation/filter.hpp"
#include "isolation/probe.hpp"
#include "isolation/room_impl.hpp"

namespace berth::isolation {
namespace {

namespace fs = std::filesystem;

IdMode choose_ids(const RoomShared& shared) {
  const auto& plan = shared.plan;
  if (!has(plan.in_force, Measure::user_namespace)) return IdMode::none;
  if (has(plan.in_force, Measure::shifted_ids)) return IdMode::shifted;
  return shared.abilities.root_user && shared.abilities.many_ids ? IdMode::identity : IdMode::single;
}

Expected<void> make_work_dir(const std::string& path) {
  std::error_code error;
  fs::create_directories(path, error);
  if (error) return fail("system", "making " + path + ": " + error.message());
  return {};
}

// Commands of an image's USER need ids beside our own.
Expected<void> choose_user(RoomShared& shared) {
  auto user = resolve_user_in(shared.spec.root == RootMode::container ? "" : shared.spec.rootfs, shared.spec.user);
  if (!user) return tl::unexpected(user.error());
  shared.user = std::move(*user);
  if (shared.user.is_root()) return {};
  if (shared.abilities.root_user && !shared.isolated) {
    // The workspaces lie in it: commands pass through, and list nothing.
    if (::chmod(shared.work_dir.c_str(), 0711) != 0) return fail_errno("opening " + shared.work_dir, errno);
    return {};
  }
  if (shared.abilities.root_user && shared.ids != IdMode::single) return {};
  return fail("isolation", "commands cannot run as user " + shared.spec.user + ": there is one user id here only",
              "run as root that may set user ids (CAP_SETUID, CAP_SETGID)");
}

Expected<void> prepare_isolated(RoomShared& shared) {
  if (!has(shared.plan.in_force, Measure::mount_namespace)) {
    return fail("isolation", "mount_namespace cannot be dropped alone: the slot's root rests on it",
                "drop private_root instead, or set `isolation: none`");
  }
  shared.ids = choose_ids(shared);
  if (shared.ids == IdMode::shifted) shared.id_block = IdBlock::take(shared.spec.id, shared.spec.slots + 1);
  auto layout = make_layout(
      {shared.spec.root, shared.spec.rootfs, shared.work_dir, has(shared.plan.in_force, Measure::private_root)});
  if (!layout) return tl::unexpected(layout.error().within("preparing the slots' root"));
  shared.layout = std::move(*layout);
  if (!has(shared.plan.in_force, Measure::seccomp)) return {};
  auto filter = compile_filter();
  if (!filter) return tl::unexpected(filter.error());
  shared.filter = std::move(*filter);
  return {};
}

}  // namespace

RoomFactory::RoomFactory(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
RoomFactory::~RoomFactory() = default;

Expected<std::unique_ptr<RoomFactory>> RoomFactory::create(const ContainerSpec& spec, const std::string& work_dir) {
  auto impl = std::make_unique<Impl>();
  impl->spec = spec;
  if (auto made = make_work_dir(work_dir); !made) return tl::unexpected(made.error());
  impl->work_dir = fs::absolute(work_dir).lexically_normal().string();
  impl->abilities = probe_abilities();
  impl->groups = open_cgroup_parent(spec.id, impl->abilities);
  auto plan = make_plan(spec, impl->abilities);
  if (!plan) return tl::unexpected(plan.error());
  impl->plan = std::move(*plan);
  impl->isolated = impl->plan.rung != 3;
  auto keeper = make_keeper_file();
  if (!keeper) return tl::unexpected(keeper.error());
  impl->keeper = std::move(*keeper);
  if (impl->isolated) {
    if (auto prepared = prepare_isolated(*impl); !prepared) return tl::unexpected(prepared.error());
  }
  if (auto chosen = choose_user(*impl); !chosen) return tl::unexpected(chosen.error());
  return std::unique_ptr<RoomFactory>(new RoomFactory(std::move(impl)));
}

MeasureSet RoomFactory::measures_of(const RoomSpec& room) const {
  return impl_->measures_of(room);
}

const IsolationPlan& RoomFactory::plan() const {
  return impl_->plan;
}
const Abilities& RoomFactory::abilities() const {
  return impl_->abilities;
}

Expected<std::unique_ptr<Room>> RoomFactory::begin(RoomSpec spec) {
  auto room = std::make_unique<Room::Impl>(*impl_, std::move(spec));
  if (auto begun = room->begin(); !begun) return tl::unexpected(begun.error());
  return std::unique_ptr<Room>(new Room(std::move(room)));
}

Expected<void> RoomFactory::adopt_setup_layer() {
  std::error_code error;
  if (impl_->isolated && !fs::is_directory(impl_->layer_dir() + "/u", error)) {
    return fail("isolation", "no setup layer was written", "begin a room with is_setup and destroy it first");
  }
  fs::remove_all(impl_->layer_dir() + "/k", error);  // overlay's scratch directories
  impl_->has_layer = true;
  return {};
}

}  // namespace berth::isolation

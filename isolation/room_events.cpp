// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <cerrno>

#include "isolation/room_impl.hpp"

namespace berth::isolation {
namespace {

constexpr std::size_t kKeptUsages = 256;

std::string text_of(const char* text, std::size_t size) {
  return std::string(text, std::find(text, text + size, '\0'));
}

}  // namespace

std::optional<Event> Room::Impl::next_event() {
  if (events_.empty() && !gone_) {
    Incoming packet = receive_packet(control_.get());
    if (packet.state == Incoming::State::closed) keeper_closed();
    if (packet.state == Incoming::State::packet) decode(packet);
  }
  if (events_.empty()) return std::nullopt;
  Event event = std::move(events_.front());
  events_.pop_front();
  return event;
}

void Room::Impl::keeper_closed() {
  gone_ = true;
  mounts_.reset();
  if (building_) events_.emplace_back(BuildFailed{Error{"isolation", "the slot's keeper died while building", {}}});
  building_ = false;
  events_.emplace_back(KeeperGone{});
}

void Room::Impl::decode(Incoming& packet) {
  const char* data = packet.bytes.data();
  const std::size_t size = packet.bytes.size();
  protocol::Exited exited;
  protocol::Killed killed;
  protocol::StartFailed failed;
  if (protocol::parse(data, size, protocol::Kind::exited, exited)) return take_exit(exited);
  if (protocol::parse(data, size, protocol::Kind::killed, killed)) {
    close_call_group(killed.command);
    events_.emplace_back(Killed{killed.command, killed.processes});
  } else if (protocol::parse(data, size, protocol::Kind::start_failed, failed)) {
    close_call_group(failed.command);
    events_.emplace_back(StartFailed{failed.command, text_of(failed.step, sizeof failed.step), failed.error_number});
  } else if (building_) {
    take_built(packet);
  }
}

void Room::Impl::take_built(Incoming& packet) {
  protocol::Built built;
  const bool proxied = shared_.has_proxy(spec_);
  if (!protocol::parse(packet.bytes.data(), packet.bytes.size(), protocol::Kind::built, built) ||
      packet.fds.size() != 2U + (shared_.isolated ? 1 : 0) + (proxied ? 1 : 0)) {
    return take_failure(packet);
  }
  building_ = false;
  const MeasureSet seen(built.measures);
  if (const auto missing = shared_.measures_of(spec_) & ~seen; missing.any()) {
    std::string names;
    for (std::size_t i = 0; i < kMeasureCount; ++i) {
      if (missing.test(i)) names += (names.empty() ? "" : ", ") + std::string(to_string(static_cast<Measure>(i)));
    }
    events_.emplace_back(BuildFailed{Error{"isolation", "the kernel does not confirm: " + names, {}}});
    return;
  }
  root_ = std::move(packet.fds[0]);
  workspace_ = std::move(packet.fds[1]);
  if (shared_.isolated) mounts_ = std::move(packet.fds[2]);
  if (proxied) listener_ = std::move(packet.fds.back());
  events_.emplace_back(Ready{seen, built.processes, built.workspace_entries, built.open_sockets});
}

void Room::Impl::take_failure(Incoming& packet) {
  protocol::BuildFailed failed;
  building_ = false;
  if (!protocol::parse(packet.bytes.data(), packet.bytes.size(), protocol::Kind::build_failed, failed)) {
    events_.emplace_back(BuildFailed{Error{"isolation", "the slot's keeper sent something unknown", {}}});
    return;
  }
  const auto error = errno_error(text_of(failed.step, sizeof failed.step), failed.error_number);
  events_.emplace_back(BuildFailed{Error{"isolation", "building the slot: " + error.message, {}}});
}

void Room::Impl::take_exit(const protocol::Exited& message) {
  if (message.others_alive == 0) close_call_group(message.command);
  events_.emplace_back(Exited{message.command, message.wait_status, message.usage, message.others_alive != 0});
}

void Room::Impl::close_call_group(std::uint64_t id) {
  const auto found = call_groups_.find(id);
  if (found == call_groups_.end()) return;
  if (call_usage_.size() >= kKeptUsages) call_usage_.erase(call_usage_.begin());
  call_usage_[id] = found->second->usage();
  call_groups_.erase(found);
}

std::optional<GroupUsage> Room::Impl::command_usage(std::uint64_t id) const {
  if (const auto live = call_groups_.find(id); live != call_groups_.end()) return live->second->usage();
  if (const auto ended = call_usage_.find(id); ended != call_usage_.end()) return ended->second;
  return std::nullopt;
}

}  // namespace berth::isolation

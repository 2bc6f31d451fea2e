// SPDX-License-Identifier: Apache-2.0
// The room of one slot over time: built, used, torn down, built anew and verified, with its events turned into
// coroutines. Single-threaded.
#pragma once

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/awaitable.hpp>
#include <boost/asio/posix/stream_descriptor.hpp>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "base/deadline.hpp"
#include "berth/error.hpp"
#include "isolation/room.hpp"
#include "slotd/async_event.hpp"
#include "slotd/leftovers.hpp"
#include "slotd/proxy/slot_proxy.hpp"

namespace berth::slotd {

namespace asio = boost::asio;

// A started command as its runner sees it. `changed` is notified with every new fact.
struct RunningCommand {
  explicit RunningCommand(const asio::any_io_executor& executor) : changed(executor) {}
  std::uint64_t id = 0;
  std::optional<isolation::Exited> exited;
  std::optional<isolation::StartFailed> start_failed;
  std::optional<isolation::Killed> killed;
  bool room_gone = false;  // the keeper died, or the slot is being reset: nothing of the command is left
  AsyncEvent changed;

  [[nodiscard]] bool over() const { return exited || start_failed || room_gone; }
};

class SlotRoom {
 public:
  // `cleaners` take down what rooms leave. `gate`: what the slot's proxy obeys; null where its network is not `allow`.
  SlotRoom(const asio::any_io_executor& executor, isolation::RoomFactory& factory, FileWorkers& cleaners,
           isolation::RoomSpec spec, std::shared_ptr<proxy::Gate> gate = nullptr);
  ~SlotRoom();
  SlotRoom(const SlotRoom&) = delete;
  SlotRoom& operator=(const SlotRoom&) = delete;

  // Tears the present room down (every process of it dies) and builds a new one; returns once the old one is proved
  // dead and the new one verified clean. The old one's mounts may go after that, those of the one before it have gone.
  // One at a time.
  [[nodiscard]] asio::awaitable<Expected<void>> rebuild();
  // Ends the present room without a new one.
  [[nodiscard]] asio::awaitable<Expected<void>> tear_down();

  // Ready and its keeper alive.
  [[nodiscard]] bool usable() const { return ready_; }
  // Only while usable().
  [[nodiscard]] isolation::Room& room() { return *room_; }
  [[nodiscard]] const isolation::MeasureSet& in_force() const { return in_force_; }
  // Null where there is none.
  [[nodiscard]] proxy::SlotProxy* proxy() { return proxy_.get(); }
  // Kills the keeper, and so all of the slot, for a fault of the room's own: it counts as lost from then on.
  void condemn();
  // Runs when the keeper dies though nobody asked for it.
  void on_keeper_lost(std::function<void()> callback) { on_lost_ = std::move(callback); }

  [[nodiscard]] Expected<std::shared_ptr<RunningCommand>> start(const isolation::Command& command,
                                                                isolation::CommandFds fds);
  // The pid of a keeper that this object will collect itself, alive or dying.
  [[nodiscard]] bool waits_for(int pid) const { return keepers_.count(pid) > 0; }

 private:
  // Lets go of the room, whose processes begin to die; null when there is none.
  [[nodiscard]] std::unique_ptr<isolation::Room> bury();
  [[nodiscard]] asio::awaitable<Expected<void>> await_death(std::unique_ptr<isolation::Room> dying);
  [[nodiscard]] asio::awaitable<Expected<void>> await_ready(Deadline deadline);
  [[nodiscard]] Expected<void> open_proxy();
  void watch();
  void handle(isolation::Event event);
  void room_ended();
  [[nodiscard]] RunningCommand* find(std::uint64_t id);

  asio::any_io_executor executor_;
  isolation::RoomFactory& factory_;
  const isolation::RoomSpec spec_;
  const std::unique_ptr<proxy::SlotProxy> proxy_;
  std::unique_ptr<isolation::Room> room_;
  std::unique_ptr<asio::posix::stream_descriptor> control_;  // room_'s descriptor, never closed here
  bool ready_ = false;
  std::optional<isolation::Ready> ready_facts_;
  std::optional<Error> build_error_;
  isolation::MeasureSet in_force_;
  AsyncEvent changed_;
  Leftovers leftovers_;
  std::map<std::uint64_t, std::weak_ptr<RunningCommand>> running_;
  std::uint64_t next_command_ = 1;
  std::function<void()> on_lost_;
  std::set<int> keepers_;
  // Guards handlers that fire after this object is gone.
  std::shared_ptr<bool> alive_ = std::make_shared<bool>(true);
};

}  // namespace berth::slotd

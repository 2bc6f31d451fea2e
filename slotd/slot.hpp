// SPDX-License-Identifier: Apache-2.0
// One slot: a queue of calls in order of arrival, its room, its generation floor and its reset. Single-threaded.
#pragma once

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/awaitable.hpp>
#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <optional>
#include <set>
#include <string>

#include "berth/container_spec.hpp"
#include "slotd/async_event.hpp"
#include "slotd/execution.hpp"
#include "slotd/ledger.hpp"
#include "slotd/session/session.hpp"
#include "slotd/slot_room.hpp"
#include "slotd/slot_turn.hpp"
#include "slotd/tools/tool.hpp"

namespace berth::slotd {

// What slots share; outlives them.
struct SlotEnvironment {
  const ContainerSpec& spec;
  isolation::RoomFactory& factory;
  const ToolRegistry& tools;
  FileWorkers& cleaners;  // of what rooms leave
  Ledger& ledger;
  std::string data_dir;
  std::function<void(Execution&)> on_finished;  // metrics
  std::shared_ptr<proxy::Gate> gate;            // null where slots have no proxy
};

enum class SlotState : std::uint8_t { starting, available, executing, resetting, error };
[[nodiscard]] std::string_view to_string(SlotState state);
// The word existing clients know for it.
[[nodiscard]] std::string_view peer_word(SlotState state);

class Slot {
 public:
  Slot(const asio::any_io_executor& executor, SlotEnvironment& environment, unsigned index);
  ~Slot();
  Slot(const Slot&) = delete;
  Slot& operator=(const Slot&) = delete;

  [[nodiscard]] const std::string& id() const { return id_; }
  [[nodiscard]] const std::string& workspace_dir() const { return workspace_dir_; }
  [[nodiscard]] SlotState state() const;
  [[nodiscard]] std::uint64_t generation() const { return floor_; }
  [[nodiscard]] std::string current_execution_id() const;
  [[nodiscard]] std::size_t queued() const { return queue_.size(); }
  // Calls it holds beside the one whose turn it is.
  [[nodiscard]] std::size_t waiting() const { return queue_.size() + beside_.size(); }
  [[nodiscard]] std::uint64_t disk_bytes() const { return environment_.spec.slot.disk_bytes; }
  [[nodiscard]] const std::optional<Error>& trouble() const { return trouble_; }
  [[nodiscard]] SlotRoom& room() { return room_; }

  // Builds the first room and begins to serve. Runs until close().
  void open();
  // Takes a call: queued for its turn, or begun at once if its tool takes none. `early` is taken off time limits.
  void submit(const std::shared_ptr<Execution>& execution, Seconds early);
  // Queues work that is no call; it holds the slot from its wait() to its end().
  void submit(const std::shared_ptr<SlotTurn>& turn);
  // TERM, two seconds, KILL for a running call; a queued one never starts. Idempotent.
  void cancel(Execution& execution);
  void cancel_all();
  // Ends everything, builds a clean room and verifies it. With a generation: the new floor (older ones are refused:
  // "stale_generation"; one whose reset is already done is left alone). Without: the floor grows by one.
  [[nodiscard]] asio::awaitable<Expected<void>> reset(std::optional<std::uint64_t> generation);
  // Waits while a room is being built. False: there is none to use.
  [[nodiscard]] asio::awaitable<bool> settled(Deadline deadline);
  // Cancels everything and tears the room down. No calls after it.
  [[nodiscard]] asio::awaitable<void> close();

 private:
  struct Queued {
    std::shared_ptr<Execution> execution;  // none: a turn
    Seconds early{0};
    std::shared_ptr<SlotTurn> turn = {};
    [[nodiscard]] Deadline start_by() const { return turn ? turn->start_by() : execution->start_by; }
  };
  asio::awaitable<void> serve();
  asio::awaitable<void> watch_deadlines();
  asio::awaitable<void> run(Queued queued);
  asio::awaitable<void> run_turn(std::shared_ptr<SlotTurn> turn);
  asio::awaitable<void> run_beside(Queued queued);
  asio::awaitable<Expected<void>> renew();
  void cancel_queue(std::string_view why);
  [[nodiscard]] Deadline next_deadline() const;
  void expire_queue();
  void finish(Execution& execution, ToolResult result);
  [[nodiscard]] Finished complete(const Execution& execution, ToolResult result) const;
  void keeper_lost();

  asio::any_io_executor executor_;
  SlotEnvironment& environment_;
  const std::string id_;
  const std::string workspace_dir_;
  SlotRoom room_;
  Session session_;
  std::deque<Queued> queue_;
  std::shared_ptr<Execution> current_;
  std::shared_ptr<SlotTurn> turn_;               // that holds the slot now
  std::set<std::shared_ptr<Execution>> beside_;  // background calls
  std::uint64_t floor_ = 1;
  std::optional<std::uint64_t> reset_to_;  // generation whose reset is done
  bool resetting_ = true;                  // until the first room stands
  bool opened_ = false;
  bool closed_ = false;
  std::optional<Error> trouble_;  // why it cannot be handed out
  AsyncEvent wake_;               // queue, room or closing changed
  AsyncEvent idle_;               // a call ended, or a reset
  AsyncEvent deadlines_;          // queue_ has new deadlines
  std::shared_ptr<bool> alive_ = std::make_shared<bool>(true);
};

}  // namespace berth::slotd

// SPDX-License-Identifier: Apache-2.0
// Which lease a trajectory has, who waits for it, and what becomes of them. Private to agent/executor. Single-threaded.
#pragma once

#include <boost/asio/io_context.hpp>
#include <functional>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "agent/link/turns.hpp"

namespace berth::agent {

// One call from its arrival to its answer.
struct Ticket {
  std::string execution_id;
  bool vanished = false;       // its caller's connection is closed
  bool cancelled = false;      // it is to end: its caller stayed away, or its trajectory was released
  const char* why = "";        // of cancelled
  std::function<void()> stop;  // ends what it waits for at the moment; may be empty
  bool done = false;
  bool queue_full = false;  // it was refused for want of room, to be asked again later
  bool outside = false;     // a tool server has it, not a slot

  void cancel(const char* reason) {
    if (std::exchange(cancelled, true)) return;
    why = reason;
    if (stop) stop();
  }
};

// A caller's own name for one run of an agent. Two tokens with the same name for one have two.
struct Trajectory {
  explicit Trajectory(boost::asio::io_context& context) : turns(std::make_shared<Turns>(context, 1)) {}

  std::string lease;             // empty: none asked for, or its loss has been told
  std::shared_ptr<Turns> turns;  // between arrival and being handed to the slot, so that the order is kept
  std::set<std::shared_ptr<Ticket>> tickets;

  // Somebody else still wants this execution.
  [[nodiscard]] bool is_wanted(const std::string& execution_id) const;
};

class Trajectories {
 public:
  using Key = std::pair<std::string, std::string>;  // owner, trajectory
  // Those without a live lease are forgotten when there are more.
  static constexpr std::size_t kMost = 65'536;

  using IsLive = std::function<bool(const std::string& lease)>;
  Trajectories(boost::asio::io_context& context, IsLive is_live) : context_(context), is_live_(std::move(is_live)) {}

  [[nodiscard]] std::shared_ptr<Trajectory> get(const Key& key);
  [[nodiscard]] std::shared_ptr<Trajectory> find(const Key& key) const;
  // What is asked for later is another one.
  [[nodiscard]] std::shared_ptr<Trajectory> take(const Key& key);
  // Forgets one that has neither lease nor calls.
  void tidy(const Key& key, const std::shared_ptr<Trajectory>& trajectory);
  // Of all that are known; a cancelled one may be forgotten meanwhile.
  [[nodiscard]] std::vector<std::shared_ptr<Ticket>> tickets() const;
  [[nodiscard]] std::size_t size() const { return all_.size(); }

 private:
  void make_room();

  boost::asio::io_context& context_;
  IsLive is_live_;
  std::map<Key, std::shared_ptr<Trajectory>> all_;
};

}  // namespace berth::agent

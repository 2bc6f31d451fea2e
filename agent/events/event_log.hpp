// SPDX-License-Identifier: Apache-2.0
// Every change of state of the agent, numbered, the newest kept in a bounded ring: what /v1/events sends. It only
// listens: made before the runtime, it outlives it. Single-threaded (one io_context).
#pragma once

#include <boost/asio/awaitable.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/steady_timer.hpp>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "agent/pool/effects.hpp"
#include "base/deadline.hpp"

namespace berth::agent {

struct Event {
  std::uint64_t number = 0;  // from 1, one more each time
  std::string type;          // slot, container, lease, job
  std::string data;          // JSON text of one object, on one line
  std::string owner;         // of the lease that it is about; empty: about none
};

class EventLog {
 public:
  explicit EventLog(boost::asio::io_context& context, std::size_t most_events = 10'000);
  ~EventLog();
  EventLog(const EventLog&) = delete;
  EventLog& operator=(const EventLog&) = delete;

  // For RuntimeOptions::observer.
  void observe(const pool::Effect& effect);
  // For RuntimeOptions::job_observer: `change` is "applied" or "removing".
  void job_changed(std::string_view job, std::string_view change);

  // Ids are "LIFE-NUMBER", so that an id of an earlier agent is known for what it is.
  [[nodiscard]] std::string id_of(std::uint64_t number) const;
  // The number of an id of this life; nothing for any other text.
  [[nodiscard]] std::optional<std::uint64_t> number_of(std::string_view id) const;

  [[nodiscard]] std::uint64_t newest() const { return newest_; }  // 0: none yet
  [[nodiscard]] std::uint64_t oldest() const;                     // of those kept; newest() + 1 when there is none
  // The first events after `number`, at most `most`. Those before oldest() are gone.
  [[nodiscard]] std::vector<Event> after(std::uint64_t number, std::size_t most) const;
  // Returns once there is an event after `number`, or at the deadline, or when wake() was called.
  [[nodiscard]] boost::asio::awaitable<void> wait(std::uint64_t number, Deadline until);
  // Everybody who waits looks again: a reader went, or the agent stops.
  void wake();

 private:
  void add(std::string type, std::string data, std::string owner);
  void on(const pool::Granted& effect);
  void on(const pool::LeaseEnded& effect);
  void on(const pool::Persist& effect);
  void on(const pool::SlotChanged& effect);
  void on(const pool::ContainerChanged& effect);
  void on(const pool::JobGone& effect);
  template <typename Other>
  void on(const Other&) {}

  const std::size_t most_events_;
  const std::string life_;
  std::deque<Event> events_;
  std::uint64_t newest_ = 0;
  std::map<std::string, std::string, std::less<>> owners_;     // of live leases, by id
  std::map<std::string, std::uint64_t, std::less<>> unowned_;  // leases told of before their owner was, with the event
  std::shared_ptr<boost::asio::steady_timer> news_;            // cancelled to wake all who wait
};

}  // namespace berth::agent

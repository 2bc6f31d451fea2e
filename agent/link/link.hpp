// SPDX-License-Identifier: Apache-2.0
// The I/O of one container: its queue of calls, its connections, its boot. Guarantees, whatever the container does:
// calls of one slot run in order of arrival; a slow call delays no other slot; nothing runs twice; every call is
// answered by its deadline; a result is only ever given to the call whose id and place it carries (design section 4).
// Single-threaded; made by std::make_shared, because its coroutines keep it alive until they have ended.
#pragma once

#include <boost/asio/awaitable.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/steady_timer.hpp>
#include <chrono>
#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "agent/link/sent_ids.hpp"
#include "agent/link/transfer.hpp"
#include "agent/link/turns.hpp"
#include "agent/link/wire.hpp"
#include "base/http/client.hpp"
#include "base/http/connections.hpp"
#include "berth/call.hpp"

namespace berth::agent {

struct LinkLimits {
  std::size_t queue = 4096;       // calls accepted and not answered
  std::size_t batch_calls = 200;  // of one batch; slotd takes 1,000
  std::size_t batch_bytes = std::size_t{32} << 20;
  std::size_t call_bytes = std::size_t{2} << 20;
  std::size_t line_bytes = std::size_t{8} << 20;
  std::chrono::milliseconds silence{30'000};        // slotd pings every 10 s; quiet for so long is a broken connection
  std::chrono::milliseconds repeat_limit{300'000};  // from the first break until an id is given up
  std::chrono::milliseconds most_backoff{1'000};
  std::chrono::milliseconds answer_grace{100};   // past a call's deadline before the server is asked if it lives
  std::chrono::milliseconds probe_limit{300};    // how long that may take
  std::chrono::milliseconds alive_grace{5'000};  // what a living server gets on top, once
  std::chrono::milliseconds health_limit{2'000};
};

// What the links of an agent did, for its metrics; it outlives each of them.
struct LinkCounts {
  std::uint64_t batches = 0;          // sent
  std::uint64_t repeats = 0;          // calls that were asked for again after their connection broke
  std::uint64_t protocol_errors = 0;  // answers that were not the protocol
};

struct LinkOptions {
  http::Address address;
  std::string boot_id;
  unsigned slots = 1;
  std::chrono::seconds detach{600};  // how long slotd lets calls live on whose connection broke
  LinkLimits limits;
  std::shared_ptr<LinkCounts> counts = std::make_shared<LinkCounts>();
};

// Output of a running command, in order and without repeats. Called on the io_context's thread.
using OutputSink = std::function<void(const OutputLine&)>;

class ContainerLink : public std::enable_shared_from_this<ContainerLink> {
 public:
  ContainerLink(boost::asio::io_context& context, LinkOptions options);
  ~ContainerLink();
  ContainerLink(const ContainerLink&) = delete;
  ContainerLink& operator=(const ContainerLink&) = delete;

  // Queues the call and waits for its result. An error means that it was not accepted and nothing ran: "queue_full",
  // "call_too_large". Everything else is a Result with its cause.
  // `on_start` is told when the command begins; only together with a sink.
  [[nodiscard]] boost::asio::awaitable<Expected<Result>> call(Call call, OutputSink sink = {},
                                                              std::function<void()> on_start = {});

  // Ends an execution: one that waits here is taken out of the queue, else slotd is asked (TERM, 2 s, KILL). Its waiter
  // hears of it through its result.
  [[nodiscard]] boost::asio::awaitable<Expected<void>> cancel(std::string slot, std::string execution_id,
                                                              std::uint64_t generation);
  // Brings a slot back to its first state; asked again until the deadline when the connection breaks.
  [[nodiscard]] boost::asio::awaitable<Expected<void>> reset(std::string slot, std::uint64_t generation,
                                                             Deadline deadline);
  [[nodiscard]] boost::asio::awaitable<Expected<HealthFacts>> health();
  [[nodiscard]] boost::asio::awaitable<Expected<HealthFacts>> health(std::chrono::milliseconds limit);

  // Files of a slot; `path` is relative to its workspace. A directory travels as a tar.
  [[nodiscard]] boost::asio::awaitable<Expected<void>> put_tar(std::string slot, std::uint64_t generation,
                                                               std::string path, std::string tar, Deadline deadline);
  // Parts of the body go to `sink`, which may refuse. Errors: slotd's ("not_found", "is_directory"), the sink's, the
  // connection's. `as_tar` for directories.
  using BytesSink = std::function<Expected<void>(std::string_view part)>;
  [[nodiscard]] boost::asio::awaitable<Expected<void>> get_file(std::string slot, std::uint64_t generation,
                                                                std::string path, bool as_tar, BytesSink sink,
                                                                Deadline deadline);

  // A question about a slot that is no call: `request.target` is what follows /slots/SLOT/, encoded, with its query.
  // The answer is slotd's own, whatever its status.
  [[nodiscard]] boost::asio::awaitable<Expected<http::WholeResponse>> ask_slot(std::string slot,
                                                                               std::uint64_t generation,
                                                                               http::ClientRequest request,
                                                                               Deadline deadline);
  // POST /artifacts/KIND of slotd; `fields`: JSON text of an object, what is asked for beside the slot. The answer is
  // slotd's own, whatever its status. Takes its turn with the transfers.
  [[nodiscard]] boost::asio::awaitable<Expected<http::WholeResponse>> artifact(std::string kind, std::string slot,
                                                                               std::uint64_t generation,
                                                                               std::string fields, Deadline deadline);
  // The same as ask_slot with bodies in pieces; begun when it is returned. A container has half as many at a time as it
  // has slots, so that calls keep connections; the others wait for their turn until the deadline ("busy").
  [[nodiscard]] boost::asio::awaitable<Expected<std::unique_ptr<Transfer>>> transfer(
      std::string slot, std::uint64_t generation, http::ClientRequest request, UploadSize upload, Deadline deadline,
      std::function<void()> on_end);

  // Every unanswered call of this slot up to this generation ends with this cause; those not yet sent are not sent.
  void end_slot(std::string_view slot, std::uint64_t generation, Cause cause, const std::string& message);
  // The container is gone: every unanswered call ends as container_lost, every later one at once. Repeating is
  // harmless.
  void close(const std::string& why);

  [[nodiscard]] std::size_t unanswered() const { return unanswered_.size(); }
  [[nodiscard]] const std::string& boot_id() const { return options_.boot_id; }
  // "unix:PATH" or "http://HOST:PORT"
  [[nodiscard]] std::string address() const;
  // Transfers and artifacts that wait for their turn.
  [[nodiscard]] std::size_t transfers_waiting() const { return transfers_->waiting(); }
  [[nodiscard]] const LinkCounts& counts() const { return *options_.counts; }

 private:
  struct Pending;
  using PendingPtr = std::shared_ptr<Pending>;
  using Batch = std::vector<PendingPtr>;

  // The calls of one slot, in order of arrival.
  struct SlotQueue {
    std::deque<PendingPtr> waiting;  // not sent, or to be sent again
    std::size_t in_flight = 0;       // in a batch that is under way; while there are any, the slot sends no others
    std::size_t unanswered = 0;
    SentIds sent;
    TimePoint busy_until{};  // when the last of them has to be answered
    bool ready = false;      // listed in ready_
  };
  struct Outcome;

  void enqueue(const PendingPtr& pending);
  [[nodiscard]] boost::asio::awaitable<Result> wait_for(PendingPtr pending);
  void finish(Pending& pending, Result result);
  // Whether the execution may have begun: through this request, or through an earlier one with the same id.
  [[nodiscard]] Started started(const Call& call) const;
  void give_up(const PendingPtr& pending, bool alive);

  void pump();
  void mark_ready(const std::string& slot, SlotQueue& queue);
  void leave_slot(Pending& pending);
  [[nodiscard]] Batch choose();
  [[nodiscard]] std::size_t take_prefix(SlotQueue& queue, Batch& batch, std::size_t bytes) const;
  [[nodiscard]] boost::asio::awaitable<Outcome> exchange(const Batch& batch);
  [[nodiscard]] boost::asio::awaitable<Outcome> read_results(http::ClientConnection& connection, const Batch& batch);
  [[nodiscard]] Expected<void> take_line(std::string_view text, const Batch& batch, BatchLines& lines);
  void take_result(ResultLine line, const Batch& batch);
  void take_start(std::string_view execution_id, const Batch& batch);
  [[nodiscard]] Expected<void> take_output(OutputLine line, const Batch& batch);
  [[nodiscard]] http::ClientRequest batch_request(const Batch& batch) const;
  void settle(const Batch& batch, const Outcome& outcome);
  void repeat(const Batch& batch, const Error& error);
  void note_sending(const Batch& batch);
  void note_sent(const Batch& batch, bool sent);
  void answer_rest(const Batch& batch, Cause cause, const Error& error);

  [[nodiscard]] boost::asio::awaitable<Expected<http::WholeResponse>> ask(http::ClientRequest request, bool urgent,
                                                                          Deadline deadline);
  // Ends what waits here and has not been put into a batch; false when there is no such call.
  [[nodiscard]] bool take_back(std::string_view slot, std::string_view execution_id);
  [[nodiscard]] bool awaits_answer(std::string_view slot, std::string_view execution_id) const;
  void add_fields(http::ClientRequest& request, std::optional<std::uint64_t> generation) const;

  boost::asio::io_context& context_;
  LinkOptions options_;
  std::shared_ptr<http::Connections> work_;    // slots + 1: batches, files, resets
  std::shared_ptr<http::Connections> urgent_;  // 1: health and cancelling, never behind a long transfer
  std::shared_ptr<Turns> transfers_;
  std::set<http::ClientConnection*> carriers_;  // of work_: those with a batch on them
  http::ClientConnection* unheard_ = nullptr;   // that of them whose batch the server has not begun to answer
  boost::asio::steady_timer retry_timer_;
  std::map<std::string, SlotQueue, std::less<>> slots_;
  std::deque<std::string> ready_;  // slots with something to send, first come first served
  std::map<Pending*, PendingPtr> unanswered_;
  std::chrono::milliseconds backoff_{0};
  bool writing_ = false;
  bool waiting_to_retry_ = false;
  std::optional<std::string> closed_;
};

}  // namespace berth::agent

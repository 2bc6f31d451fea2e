// SPDX-License-Identifier: Apache-2.0
// The pool brought to life: its effects carried out, its events collected from driver, links, timers and callers.
// A daemon keeps one for years, `berth run` for a minute. Single-threaded: everything on one io_context, which has to
// run until stop() has returned; make it with make_shared.
#pragma once

#include <boost/asio/awaitable.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/steady_timer.hpp>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "agent/inputs/input_store.hpp"
#include "agent/link/link.hpp"
#include "agent/link/transfer.hpp"
#include "agent/pool/pool.hpp"
#include "base/http/promise.hpp"
#include "drivers/driver.hpp"
#include "jobs/job.hpp"

namespace berth::agent {

struct RuntimeOptions {
  pool::Options pool;
  LinkLimits link;
  std::chrono::milliseconds health_interval{5'000};
  // Sees every effect before it is carried out (Persist before what depends on it): the store, the event stream.
  std::function<void(const pool::Effect&)> observer;
  // Hears of jobs before the pool does: "applied" or "removing".
  std::function<void(std::string_view job, std::string_view change)> job_observer;
  // Where the inputs of jobs are, which name digests alone. None: jobs have no inputs here.
  std::shared_ptr<InputStore> inputs;
};

struct AcquireRequest {
  std::string job;
  std::string trajectory;  // empty: one of its own
  std::string owner;
  Deadline wait;                              // for a slot: by then there is one, or none
  Deadline ready_by;                          // no earlier than `wait`: the answer comes by then, the inputs are there
  std::optional<Duration> ttl;                // none: the job's
  std::optional<Duration> idle;               // none: the job's
  std::optional<unsigned> max_slots;          // most slots that the owner may hold or wait for
  std::map<std::string, std::string> labels;  // the caller's own words, kept as long as the lease
};
struct LeaseGrant {
  pool::Lease lease;
  bool existing = false;  // the trajectory's live lease again
};
// `error.code`: those of pool::Refused, "inputs_failed" (the slot is reset), and "cancelled".
struct LeaseRefusal {
  Error error;
  Duration retry_after{};  // zero: asking again will not help soon
};

// A call as a caller knows it; container, slot and generation are the lease's.
struct LeaseCall {
  std::string execution_id;  // empty: the runtime draws 128 random bits
  std::string tool;
  std::string args = "{}";
  Seconds timeout{30};
  std::map<std::string, std::string> env;
  CallLimits limits;
};

class Runtime : public std::enable_shared_from_this<Runtime> {
 public:
  // The driver outlives the runtime.
  Runtime(boost::asio::io_context& context, drivers::Driver& driver, RuntimeOptions options = {});
  ~Runtime();
  Runtime(const Runtime&) = delete;
  Runtime& operator=(const Runtime&) = delete;

  // Takes over what the driver still has of an earlier life. Once, first.
  [[nodiscard]] boost::asio::awaitable<Expected<void>> start();

  // Brings the job's pool up, or makes it what the job now says.
  void apply(const jobs::Job& job);
  void remove_job(const std::string& name, bool force);
  // Nothing new is leased from now on, waiters are refused; leases and containers live on.
  void close_doors();

  // A lease for the trajectory, asked for under a number that nobody else has (new_request()). A new one is answered
  // when the job's inputs are in its slot, and is of no use to anybody before. A caller that goes away while it waits
  // is taken out of the queue by cancel_acquire(), and a slot whose inputs nobody waits for any more is released; a
  // lease that was granted just before stays granted.
  [[nodiscard]] pool::RequestId new_request() { return next_request_++; }
  [[nodiscard]] boost::asio::awaitable<tl::expected<LeaseGrant, LeaseRefusal>> lease(pool::RequestId request,
                                                                                     AcquireRequest wanted);
  void cancel_acquire(pool::RequestId request);
  // The live lease; errors "unknown_lease", "lease_ended" (why is in the message).
  [[nodiscard]] Expected<pool::Lease> live_lease(const std::string& lease) const;
  // Sets the given ones anew, counted from now. Errors of live_lease().
  [[nodiscard]] Expected<pool::Lease> renew(const std::string& lease, std::optional<Duration> ttl,
                                            std::optional<Duration> idle);

  // Errors: those of pool::Refused; "container_failed" carries the hint of the container's own error.
  [[nodiscard]] boost::asio::awaitable<Expected<pool::Lease>> acquire(AcquireRequest request);
  // The slot is reset before anybody else gets it. Releasing twice is harmless.
  void release(const std::string& lease);

  // Errors mean that nothing ran: "unknown_lease", "lease_ended", "inputs_under_way" (so of every other use), and those
  // of ContainerLink::call.
  // `on_start` is told when the command begins; only together with a sink.
  [[nodiscard]] boost::asio::awaitable<Expected<Result>> call(std::string lease, LeaseCall call, OutputSink sink = {},
                                                              std::function<void()> on_start = {});

  // Files of the lease's slot, relative to its workspace (ContainerLink::put_tar, get_file).
  [[nodiscard]] boost::asio::awaitable<Expected<void>> put_tar(std::string lease, std::string path, std::string tar,
                                                               Deadline deadline);
  [[nodiscard]] boost::asio::awaitable<Expected<void>> get_file(std::string lease, std::string path, bool as_tar,
                                                                ContainerLink::BytesSink sink, Deadline deadline);
  // Ends an execution that was asked for by call() (TERM, 2 s, KILL), or takes it out of the queue. Its waiter hears of
  // it through its result.
  [[nodiscard]] boost::asio::awaitable<Expected<void>> cancel(std::string lease, std::string execution_id);
  // Any other question to the slot's server: `request.target` is what follows /slots/SLOT/, encoded, with its query.
  // The answer is its own, whatever its status.
  [[nodiscard]] boost::asio::awaitable<Expected<http::WholeResponse>> ask(std::string lease,
                                                                          http::ClientRequest request,
                                                                          Deadline deadline);
  // ContainerLink::artifact of the lease's slot.
  [[nodiscard]] boost::asio::awaitable<Expected<http::WholeResponse>> artifact(std::string lease, std::string kind,
                                                                               std::string fields, Deadline deadline);
  // The same as ask() with bodies that travel piece by piece. The lease does not idle out while the transfer exists.
  [[nodiscard]] boost::asio::awaitable<Expected<std::unique_ptr<Transfer>>> transfer(std::string lease,
                                                                                     http::ClientRequest request,
                                                                                     UploadSize upload,
                                                                                     Deadline deadline);

  // Ends every lease, call and container; gracefully until the deadline, then by force. The error names what is left.
  [[nodiscard]] boost::asio::awaitable<Expected<void>> stop(Deadline graceful_until);

  // Driver::usage and Driver::read_log of a container of this runtime.
  [[nodiscard]] boost::asio::awaitable<Expected<drivers::Usage>> container_usage(std::string container,
                                                                                 Deadline deadline);
  [[nodiscard]] boost::asio::awaitable<Expected<drivers::LogPart>> container_log(std::string container,
                                                                                 std::string after, Deadline deadline);

  // start() has returned: what an earlier life left has been seen to.
  [[nodiscard]] bool started() const { return started_; }
  [[nodiscard]] const pool::Pool& pool() const { return pool_; }
  // Of all links that there were.
  [[nodiscard]] const LinkCounts& link_counts() const { return *link_counts_; }
  // What the containers said of themselves when they came up, by id.
  [[nodiscard]] const std::map<std::string, HealthFacts>& health() const { return health_; }
  // Applied and not gone, by name.
  [[nodiscard]] const std::map<std::string, jobs::Job>& jobs() const { return jobs_; }
  // Whether jobs of this driver can be applied.
  [[nodiscard]] bool serves(std::string_view driver) const { return driver_.serves(driver); }
  // The container's connection; null while it does not answer yet.
  [[nodiscard]] std::shared_ptr<const ContainerLink> link(const std::string& container) const;
  // The labels of a live lease; empty for every other.
  [[nodiscard]] const std::map<std::string, std::string>& labels(const std::string& lease) const;

 private:
  // From StartContainer (or adoption) until the driver says gone.
  struct Container {
    std::string job;
    std::optional<drivers::Wanted> wanted;             // none: asked to stop
    std::shared_ptr<ContainerLink> link;               // set once it has answered
    std::shared_ptr<boost::asio::steady_timer> pause;  // of its health watcher
    std::optional<Error> refused;  // it runs but does not answer as it should, and is being taken down for that
  };
  using Found = std::pair<std::shared_ptr<ContainerLink>, pool::Lease>;
  using LeaseAnswer = tl::expected<LeaseGrant, LeaseRefusal>;
  using AnswerPtr = std::shared_ptr<http::Promise<LeaseAnswer>>;
  struct Waiter {
    AnswerPtr answer;
    std::map<std::string, std::string> labels;
    Deadline ready_by;
  };
  // Who waits for the inputs of a slot that has been leased, and whether the lease was there before the request.
  using Filling = std::map<pool::RequestId, std::pair<AnswerPtr, bool>>;

  void step(pool::Event event);
  void on(const pool::Granted& effect);
  void on(const pool::Refused& effect);
  void on(const pool::LeaseEnded& effect);
  void on(const pool::ResetSlot& effect);
  void on(const pool::StartContainer& effect);
  void on(const pool::StopContainer& effect);
  void on(const pool::JobGone& effect);
  template <typename Other>
  void on(const Other&) {}  // for observers only
  void arm_timer();

  void heard(const drivers::ContainerFacts& facts);
  void heard_gone(const drivers::ContainerFacts& facts);
  [[nodiscard]] boost::asio::awaitable<void> welcome(drivers::ContainerFacts facts);
  [[nodiscard]] boost::asio::awaitable<void> watch_health(std::string container, std::shared_ptr<ContainerLink> link);
  [[nodiscard]] boost::asio::awaitable<void> reset(std::shared_ptr<ContainerLink> link, pool::ResetSlot effect);
  [[nodiscard]] boost::asio::awaitable<Expected<HealthFacts>> first_health(ContainerLink& link,
                                                                           const drivers::ContainerFacts& facts);
  void refuse(const std::string& container, Error why);
  void converge();
  [[nodiscard]] bool needs_inputs(const pool::Lease& lease) const;
  void start_filling(const pool::Lease& lease, Deadline until);
  [[nodiscard]] boost::asio::awaitable<void> fill(pool::Lease lease, std::vector<jobs::Input> inputs, Deadline until);
  [[nodiscard]] boost::asio::awaitable<Expected<void>> bring(const pool::Lease& lease, const jobs::Input& input,
                                                             Deadline until);
  [[nodiscard]] boost::asio::awaitable<Expected<void>> send(InputReader& reader, Transfer& transfer,
                                                            const std::string& lease, Deadline until);
  // The request's answer when it waits for inputs; it does so no more then. Null: it does not.
  [[nodiscard]] AnswerPtr withdraw(pool::RequestId request);
  void keep_inputs(const jobs::Job& job);
  void sweep_inputs();
  void arm_sweep();
  [[nodiscard]] Expected<Found> find(const std::string& lease) const;
  [[nodiscard]] Expected<Found> begin_use(const std::string& lease);

  boost::asio::io_context& context_;
  drivers::Driver& driver_;
  RuntimeOptions options_;
  pool::Pool pool_;
  boost::asio::steady_timer tick_timer_;
  boost::asio::steady_timer sweep_timer_;  // of the store of inputs
  std::map<std::string, jobs::Job> jobs_;
  std::map<std::string, Container> containers_;
  std::map<std::string, HealthFacts> health_;
  std::map<std::string, Error> start_errors_;  // job -> why its last container did not come up
  std::map<pool::RequestId, Waiter> waiting_;
  std::map<std::string, Filling, std::less<>> fillings_;                           // by lease
  std::map<std::string, std::map<std::string, std::string>, std::less<>> labels_;  // of live leases
  pool::RequestId next_request_ = 1;
  std::deque<pool::Event> events_;
  const std::shared_ptr<LinkCounts> link_counts_ = std::make_shared<LinkCounts>();
  bool started_ = false;
  bool stepping_ = false;
  bool wanted_changed_ = false;
};

}  // namespace berth::agent

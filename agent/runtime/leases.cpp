// SPDX-License-Identifier: Apache-2.0
// Leases: asked for, waited for, looked at, renewed; what is asked of their slots beside calls.
#include "agent/runtime/runtime.hpp"
#include "base/text.hpp"

namespace berth::agent {

namespace asio = boost::asio;

namespace {

LeaseRefusal inputs_are_late() {
  return {{"inputs_failed", "the job's inputs were not in the slot in time", "ask again, and wait longer"},
          std::chrono::seconds(1)};
}

}  // namespace

asio::awaitable<tl::expected<LeaseGrant, LeaseRefusal>> Runtime::lease(pool::RequestId request, AcquireRequest wanted) {
  const auto self = shared_from_this();
  const auto answer = std::make_shared<http::Promise<LeaseAnswer>>(context_);
  waiting_.emplace(request, Waiter{answer, std::move(wanted.labels), wanted.ready_by});
  pool::AcquireRequested event;
  event.request = request;
  event.lease = random_hex(16);
  event.job = wanted.job;
  event.trajectory = std::move(wanted.trajectory);
  event.owner = std::move(wanted.owner);
  event.deadline = wanted.wait.at();
  event.ttl = wanted.ttl;
  event.idle = wanted.idle;
  event.max_slots = wanted.max_slots;
  step(std::move(event));
  auto granted = co_await answer->wait(wanted.ready_by);
  // The pool's own answer, which is due by then.
  if (!granted && waiting_.contains(request)) granted = co_await answer->wait(Deadline());
  if (!granted) {
    static_cast<void>(withdraw(request));
    co_return tl::unexpected(inputs_are_late());
  }
  if (!*granted && granted->error().error.code == "container_failed") {
    const auto why = start_errors_.find(wanted.job);
    if (why != start_errors_.end()) granted->error().error.hint = why->second.hint;
  }
  co_return std::move(*granted);
}

asio::awaitable<Expected<pool::Lease>> Runtime::acquire(AcquireRequest request) {
  const auto granted = co_await lease(new_request(), std::move(request));
  if (!granted) co_return tl::unexpected(granted.error().error);
  co_return granted->lease;
}

void Runtime::cancel_acquire(pool::RequestId request) {
  step(pool::AcquireCancelled{request});
  const auto waiter = waiting_.extract(request);
  const AnswerPtr answer = waiter.empty() ? withdraw(request) : waiter.mapped().answer;
  if (answer) answer->set(tl::unexpected(LeaseRefusal{{"cancelled", "the caller went away", {}}, {}}));
}

void Runtime::close_doors() {
  step(pool::Closing{});
}

void Runtime::release(const std::string& lease) {
  step(pool::ReleaseRequested{lease});
}

Expected<pool::Lease> Runtime::live_lease(const std::string& lease) const {
  if (const pool::Lease* found = pool_.find_lease(lease)) return *found;
  const auto why = pool_.ended(lease);
  if (!why) return fail("unknown_lease", "there is no lease " + lease);
  return fail("lease_ended", "the lease has ended: " + std::string(pool::to_string(*why)), "acquire a slot anew");
}

Expected<pool::Lease> Runtime::renew(const std::string& lease, std::optional<Duration> ttl,
                                     std::optional<Duration> idle) {
  step(pool::RenewRequested{lease, ttl, idle});
  return live_lease(lease);
}

Expected<Runtime::Found> Runtime::find(const std::string& lease) const {
  auto found = live_lease(lease);
  if (!found) return tl::unexpected(found.error());
  if (fillings_.contains(lease))
    return fail("inputs_under_way", "the job's inputs are not in the slot yet", "wait for the answer to its request");
  const auto container = containers_.find(found->container);
  if (container == containers_.end() || !container->second.link)
    return fail("container_unavailable", "the container " + found->container + " does not answer yet", "try again");
  return Found{container->second.link, *std::move(found)};
}

asio::awaitable<Expected<void>> Runtime::cancel(std::string lease, std::string execution_id) {
  const auto self = shared_from_this();
  const auto found = find(lease);
  if (!found) co_return tl::unexpected(found.error());
  const auto& [link, held] = *found;
  co_return co_await link->cancel(pool::slot_name(held.slot), std::move(execution_id), held.generation);
}

asio::awaitable<Expected<http::WholeResponse>> Runtime::ask(std::string lease, http::ClientRequest request,
                                                            Deadline deadline) {
  const auto self = shared_from_this();
  const auto found = begin_use(lease);
  if (!found) co_return tl::unexpected(found.error());
  const auto& [link, held] = *found;
  auto answer = co_await link->ask_slot(pool::slot_name(held.slot), held.generation, std::move(request), deadline);
  step(pool::CallEnded{lease});
  co_return answer;
}

asio::awaitable<Expected<http::WholeResponse>> Runtime::artifact(std::string lease, std::string kind,
                                                                 std::string fields, Deadline deadline) {
  const auto self = shared_from_this();
  const auto found = begin_use(lease);
  if (!found) co_return tl::unexpected(found.error());
  const auto& [link, held] = *found;
  auto answer = co_await link->artifact(std::move(kind), pool::slot_name(held.slot), held.generation, std::move(fields),
                                        deadline);
  step(pool::CallEnded{lease});
  co_return answer;
}

asio::awaitable<Expected<std::unique_ptr<Transfer>>> Runtime::transfer(std::string lease, http::ClientRequest request,
                                                                       UploadSize upload, Deadline deadline) {
  const auto self = shared_from_this();
  const auto found = begin_use(lease);
  if (!found) co_return tl::unexpected(found.error());
  const auto& [link, held] = *found;
  std::function<void()> on_end = [self, lease] { self->step(pool::CallEnded{lease}); };
  co_return co_await link->transfer(pool::slot_name(held.slot), held.generation, std::move(request), upload, deadline,
                                    std::move(on_end));
}

std::shared_ptr<const ContainerLink> Runtime::link(const std::string& container) const {
  const auto found = containers_.find(container);
  return found == containers_.end() ? nullptr : found->second.link;
}

const std::map<std::string, std::string>& Runtime::labels(const std::string& lease) const {
  static const std::map<std::string, std::string> kNone;
  const auto found = labels_.find(lease);
  return found == labels_.end() ? kNone : found->second;
}

}  // namespace berth::agent

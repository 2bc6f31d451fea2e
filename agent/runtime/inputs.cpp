// SPDX-License-Identifier: Apache-2.0
// A job's inputs on their way into a slot that has just been leased. Nobody is given the lease before they are there.
#include <algorithm>
#include <array>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <set>

#include "agent/runtime/runtime.hpp"
#include "base/call_wire.hpp"
#include "base/text.hpp"

namespace berth::agent {

namespace asio = boost::asio;

namespace {

constexpr std::chrono::minutes kSweepPause{5};
constexpr std::size_t kMostRefusal = std::size_t{64} << 10;

// "/workspace/a/b/" -> "a/b"
std::string_view below_workspace(std::string_view path) {
  constexpr std::string_view kRoot = "/workspace";
  if (path.starts_with(kRoot)) path.remove_prefix(kRoot.size());
  while (path.starts_with('/')) path.remove_prefix(1);
  while (path.ends_with('/')) path.remove_suffix(1);
  return path;
}

http::ClientRequest upload_to(const std::string& folder) {
  http::ClientRequest request;
  request.method = "PUT";
  request.target = "files/" + percent_encode_path(below_workspace(folder)) + "?tar=1";
  request.content_type = "application/x-tar";
  return request;
}

bool is_about_room(std::string_view code) {
  constexpr std::array<std::string_view, 3> kCodes{"disk_full", "too_large", "too_many"};
  return std::find(kCodes.begin(), kCodes.end(), code) != kCodes.end();
}

LeaseRefusal not_filled(const Error& why) {
  const bool room = is_about_room(why.code);
  return {{"inputs_failed", "the job's inputs could not be put into the slot: " + why.message,
           room ? "raise slot.disk, or leave out what the slots do not need" : "ask again"},
          std::chrono::seconds(1)};
}

// What the slot server says at the end.
asio::awaitable<Expected<void>> outcome_of(Transfer& transfer, Deadline until) {
  const auto head = co_await transfer.finish(until);
  if (!head) co_return tl::unexpected(head.error());
  std::string body;
  while (body.size() < kMostRefusal) {
    const auto piece = co_await transfer.read(until);
    if (!piece) co_return tl::unexpected(piece.error());
    if (piece->empty()) break;
    body += *piece;
  }
  const int status = transfer.head().status;
  if (status >= 300) co_return tl::unexpected(error_of_answer(status, body));
  co_return Expected<void>{};
}

}  // namespace

bool Runtime::needs_inputs(const pool::Lease& lease) const {
  const auto job = jobs_.find(lease.job);
  return options_.inputs && job != jobs_.end() && !job->second.inputs.empty();
}

void Runtime::start_filling(const pool::Lease& lease, Deadline until) {
  auto work = [self = shared_from_this(), lease, inputs = jobs_.at(lease.job).inputs, until] {
    return self->fill(lease, inputs, until);
  };
  asio::co_spawn(context_, std::move(work), asio::detached);
}

// The slot does not idle out meanwhile, and a draining agent waits for it as for a call.
asio::awaitable<void> Runtime::fill(pool::Lease lease, std::vector<jobs::Input> inputs, Deadline until) {
  const auto self = shared_from_this();
  step(pool::CallStarted{lease.id});
  Expected<void> done;
  for (std::size_t i = 0; i < inputs.size() && done; ++i) done = co_await bring(lease, inputs[i], until);
  step(pool::CallEnded{lease.id});
  const Filling filling = std::move(fillings_.extract(lease.id).mapped());
  const auto live = live_lease(lease.id);
  if (done && !live) done = tl::unexpected(live.error());
  if (!done) release(lease.id);
  for (const auto& [request, waiting] : filling) {
    const auto& [answer, existing] = waiting;
    if (done) answer->set(LeaseGrant{*live, existing});
    if (!done) answer->set(tl::unexpected(not_filled(done.error())));
  }
}

asio::awaitable<Expected<void>> Runtime::bring(const pool::Lease& lease, const jobs::Input& input, Deadline until) {
  const auto reader = options_.inputs->open(input_digest(input.from).value_or(input.from));
  if (!reader) co_return tl::unexpected(reader.error());
  const auto container = containers_.find(lease.container);
  if (container == containers_.end() || !container->second.link)
    co_return fail("container_unavailable", "the container " + lease.container + " does not answer");
  const auto link = container->second.link;
  http::ClientRequest request = upload_to(input.to);
  std::string slot = pool::slot_name(lease.slot);
  std::function<void()> on_end = [] {};
  const UploadSize size = (*reader)->size();
  auto transfer =
      co_await link->transfer(std::move(slot), lease.generation, std::move(request), size, until, std::move(on_end));
  if (!transfer) co_return tl::unexpected(transfer.error());
  const auto sent = co_await send(**reader, **transfer, lease.id, until);
  if (!sent) co_return sent;
  co_return co_await outcome_of(**transfer, until);
}

// A slot server that wants no more has answered: outcome_of() hears it.
asio::awaitable<Expected<void>> Runtime::send(InputReader& reader, Transfer& transfer, const std::string& lease,
                                              Deadline until) {
  while (true) {
    const auto piece = co_await reader.next();
    if (!piece) co_return tl::unexpected(piece.error());
    if (piece->empty()) co_return Expected<void>{};
    const auto live = live_lease(lease);
    if (!live) co_return tl::unexpected(live.error());
    const auto taken = co_await transfer.write(*piece, until);
    if (!taken) co_return Expected<void>{};
  }
}

Runtime::AnswerPtr Runtime::withdraw(pool::RequestId request) {
  for (auto& [lease, filling] : fillings_) {
    const auto found = filling.extract(request);
    if (found.empty()) continue;
    const std::string unwanted = lease;
    if (filling.empty()) release(unwanted);
    return found.mapped().first;
  }
  return nullptr;
}

// What a job names from now on has to be there still; what none names any more has its whole time from now.
void Runtime::keep_inputs(const jobs::Job& job) {
  if (!options_.inputs) return;
  for (const jobs::Input& input : job.inputs)
    options_.inputs->touch(input_digest(input.from).value_or(input.from), now());
  sweep_inputs();
}

void Runtime::sweep_inputs() {
  if (!options_.inputs) return;
  std::set<std::string> named;
  for (const auto& [name, job] : jobs_)
    for (const jobs::Input& input : job.inputs) named.insert(input_digest(input.from).value_or(input.from));
  options_.inputs->sweep(named, now());
}

void Runtime::arm_sweep() {
  sweep_timer_.expires_after(kSweepPause);
  sweep_timer_.async_wait([weak = weak_from_this()](boost::system::error_code error) {
    const auto self = weak.lock();
    if (!self || error) return;
    self->sweep_inputs();
    self->arm_sweep();
  });
}

}  // namespace berth::agent

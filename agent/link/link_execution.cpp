// SPDX-License-Identifier: Apache-2.0
// Executions and files of a slot: ending them, asking for them, moving them piece by piece.
#include <algorithm>
#include <boost/asio/as_tuple.hpp>
#include <boost/asio/use_awaitable.hpp>

#include "agent/link/link.hpp"
#include "agent/link/pending.hpp"
#include "base/text.hpp"

namespace berth::agent {

namespace asio = boost::asio;

namespace {

constexpr std::chrono::seconds kCancelLimit{5};
constexpr std::chrono::milliseconds kCancelPause{20};

}  // namespace

std::string ContainerLink::address() const {
  const http::Address& address = options_.address;
  if (!address.unix_path.empty()) return "unix:" + address.unix_path;
  const bool literal = address.host.find(':') != std::string::npos;
  return "http://" + (literal ? "[" + address.host + "]" : address.host) + ":" + std::to_string(address.port);
}

bool ContainerLink::awaits_answer(std::string_view slot, std::string_view execution_id) const {
  return std::any_of(unanswered_.begin(), unanswered_.end(), [&](const auto& each) {
    return each.second->call.slot == slot && each.second->call.execution_id == execution_id;
  });
}

bool ContainerLink::take_back(std::string_view slot, std::string_view execution_id) {
  std::vector<PendingPtr> found;
  for (const auto& [key, pending] : unanswered_) {
    const bool here = !pending->in_batch && !pending->sending && !pending->sent;
    if (here && pending->call.slot == slot && pending->call.execution_id == execution_id) found.push_back(pending);
  }
  for (const PendingPtr& pending : found)
    finish(*pending,
           local_result(pending->call, Cause::cancelled, "cancelled before it was sent", started(pending->call)));
  return !found.empty();
}

asio::awaitable<Expected<void>> ContainerLink::cancel(std::string slot, std::string execution_id,
                                                      std::uint64_t generation) {
  const auto self = shared_from_this();
  const Deadline deadline(now() + kCancelLimit);
  asio::steady_timer pause(context_);
  while (true) {
    // The same id may wait here and run there.
    if (take_back(slot, execution_id) && !awaits_answer(slot, execution_id)) co_return Expected<void>{};
    http::ClientRequest request;
    request.method = "DELETE";
    request.target = "/slots/" + percent_encode(slot) + "/executions/" + percent_encode(execution_id);
    add_fields(request, generation);
    const auto answer = co_await ask(std::move(request), true, deadline);
    if (!answer) co_return tl::unexpected(answer.error());
    if (answer->head.status < 300) co_return Expected<void>{};
    // What slotd does not know may be on its way to it.
    const bool again =
        answer->head.status == 404 && awaits_answer(slot, execution_id) && !deadline.expired(now() + kCancelPause);
    if (!again) co_return tl::unexpected(error_of_answer(answer->head.status, answer->body));
    pause.expires_after(kCancelPause);
    co_await pause.async_wait(asio::as_tuple(asio::use_awaitable));
  }
}

asio::awaitable<Expected<http::WholeResponse>> ContainerLink::ask_slot(std::string slot, std::uint64_t generation,
                                                                       http::ClientRequest request, Deadline deadline) {
  const auto self = shared_from_this();
  request.target = "/slots/" + percent_encode(slot) + "/" + request.target;
  add_fields(request, generation);
  co_return co_await ask(std::move(request), false, deadline);
}

asio::awaitable<Expected<std::unique_ptr<Transfer>>> ContainerLink::transfer(std::string slot, std::uint64_t generation,
                                                                             http::ClientRequest request,
                                                                             UploadSize upload, Deadline deadline,
                                                                             std::function<void()> on_end) {
  const auto self = shared_from_this();
  auto turn = co_await transfers_->take(deadline);
  if (!turn) {
    on_end();
    co_return fail("busy", "other files are being moved into and out of the container", "try again");
  }
  auto loan = co_await work_->borrow(deadline);
  const bool lent = static_cast<bool>(loan);
  std::function<void()> ended = [turn = std::move(turn), on_end = std::move(on_end)] { on_end(); };
  auto transfer = std::make_unique<Transfer>(std::move(loan), std::move(ended));
  if (!lent) co_return fail("connect", closed_.value_or("no connection to the container is free"));
  request.target = "/slots/" + percent_encode(slot) + "/" + request.target;
  add_fields(request, generation);
  const auto begun = co_await transfer->begin(std::move(request), upload, deadline);
  if (!begun) co_return tl::unexpected(begun.error());
  co_return transfer;
}

}  // namespace berth::agent

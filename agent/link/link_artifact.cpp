// SPDX-License-Identifier: Apache-2.0
// Artifacts of a slot: what a caller without a shell looks at and takes away.
#include <nlohmann/json.hpp>

#include "agent/link/link.hpp"
#include "agent/link/pending.hpp"
#include "base/json.hpp"

namespace berth::agent {

namespace asio = boost::asio;

namespace {

// slotd sends 5,000,000 bytes of a file at most: six for each control character, as text in JSON.
constexpr std::size_t kMostAnswer = std::size_t{32} << 20;

}  // namespace

asio::awaitable<Expected<http::WholeResponse>> ContainerLink::artifact(std::string kind, std::string slot,
                                                                       std::uint64_t generation, std::string fields,
                                                                       Deadline deadline) {
  const auto self = shared_from_this();
  auto body = parse_json(fields);
  if (!body || !body->is_object()) co_return fail("bad_request", "an artifact is asked for with an object");
  (*body)["slot_id"] = std::move(slot);
  (*body)["generation"] = generation;
  const auto turn = co_await transfers_->take(deadline);
  if (!turn) co_return fail("busy", "other files are being moved out of the container", "try again");
  auto loan = co_await work_->borrow(deadline);
  if (!loan) co_return fail("connect", closed_.value_or("no connection to the container is free"));
  http::ClientRequest request;
  request.method = "POST";
  request.target = "/artifacts/" + kind;
  request.body = dump_json(*body);
  add_fields(request, std::nullopt);
  auto head = co_await loan->send(request, deadline);
  if (!head) co_return tl::unexpected(head.error());
  auto text = co_await loan->read_body(kMostAnswer, deadline);
  if (!text) co_return tl::unexpected(text.error());
  co_return http::WholeResponse{std::move(*head), std::move(*text)};
}

}  // namespace berth::agent

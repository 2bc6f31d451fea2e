// SPDX-License-Identifier: Apache-2.0
// POST /artifacts/read, /artifacts/list and /artifacts/archive (facts/slot-protocol.md 2.6 to 2.8): each takes its turn
// in the slot's queue and gives the slot back before it answers.
#include <nlohmann/json.hpp>

#include "base/json.hpp"
#include "base/text.hpp"
#include "base/utf8.hpp"
#include "slotd/routes/artifact_work.hpp"
#include "slotd/routes/file_answers.hpp"
#include "slotd/routes/routes.hpp"

namespace berth::slotd {
namespace {

constexpr auto kTurnWait = std::chrono::hours(1);  // no call may run for longer
constexpr std::size_t kMaxWaiting = 1024;
constexpr std::size_t kPart = std::size_t{48} << 10;  // of an answer; a multiple of three, for base64

// Ends the turn whichever way the route is left.
struct TurnGuard {
  std::shared_ptr<SlotTurn> turn;
  ~TurnGuard() { turn->end(); }
};

std::string encoded(std::string_view part, ArtifactAnswer::As as) {
  if (as == ArtifactAnswer::As::json) return std::string(part);
  if (as == ArtifactAnswer::As::base64) return base64_encode(part);
  std::string text;
  append_json_string(text, part);
  return text.substr(1, text.size() - 2);
}

// Content goes out in parts: encoded it may be six times as large.
asio::awaitable<void> send(http::Exchange& exchange, ArtifactAnswer answer) {
  const std::string_view quote = answer.as == ArtifactAnswer::As::json ? "" : "\"";
  std::string_view left = answer.content;
  std::string part = answer.before + std::string(quote);
  http::Response head;
  head.status = answer.status;
  const bool whole = left.size() <= kPart;
  if (!whole) {
    if (!co_await exchange.begin_stream(std::move(head))) co_return;
  }
  while (!left.empty()) {
    auto piece = left.substr(0, kPart);
    if (answer.as == ArtifactAnswer::As::text && piece.size() < left.size()) piece = without_partial_end(piece);
    left.remove_prefix(piece.size());
    part += encoded(piece, answer.as);
    if (whole) break;
    if (!co_await exchange.write(part)) co_return;
    part.clear();
  }
  part += std::string(quote) + answer.after;
  if (whole) {
    co_await send_json(exchange, answer.status, std::move(part));
    co_return;
  }
  if (co_await exchange.write(part)) (void)co_await exchange.end_stream();
}

// What can be said without looking at any file.
std::optional<ArtifactAnswer> early_answer(App& app, const ArtifactRequest& request, bool archive) {
  const auto* slot = app.find_slot(request.slot);
  if (slot == nullptr) return artifact_refusal(404, "Unknown slot: " + request.slot, "unknown_slot");
  if (request.bad_generation || (!request.generation && app.strict_callers()))
    return artifact_refusal(400, "generation must be a whole number", "bad_generation");
  if (request.generation && *request.generation < slot->generation())
    return artifact_refusal(409, "stale_generation: the slot is at generation " + std::to_string(slot->generation()),
                            "stale_generation");
  if (archive && request.format != "tar.gz")
    return artifact_refusal(400, "Unsupported archive format: " + request.format, "format");
  if (!request.path) return artifact_refusal(403, kOutsideMessage, "outside");
  if (slot->waiting() >= kMaxWaiting)
    return artifact_refusal(429, "queue_full: too many requests wait for it", "queue_full");
  if (app.artifact_bytes().is_full())
    return artifact_refusal(429, "busy: files that are being sent fill the memory for them", "busy");
  return std::nullopt;
}

asio::awaitable<ArtifactAnswer> work_in_turn(App& app, http::Exchange& exchange, Slot& slot, ArtifactRequest request,
                                             ArtifactWork work) {
  const auto start_by = Deadline(now() + kTurnWait);
  const auto turn = std::make_shared<SlotTurn>(app.context().get_executor(), start_by);
  const TurnGuard guard{turn};
  exchange.on_disconnect([weak = std::weak_ptr(turn)] {
    if (const auto waiting = weak.lock()) waiting->abandon();
  });
  slot.submit(turn);
  const auto granted = co_await turn->wait();
  if (!granted) co_return artifact_refusal(file_status(granted.error()), granted.error().message, granted.error().code);
  if (!slot.room().usable()) co_return artifact_refusal(503, "The slot has no room; reset it", "slot_not_ready");
  auto handle = WorkspaceHandle::of(slot.room().room(), slot.workspace_dir());
  if (!handle) co_return artifact_refusal(500, handle.error().message, handle.error().code);
  auto job = std::make_shared<ArtifactJob>();
  job->request = std::move(request);
  job->workspace = std::make_shared<const WorkspaceHandle>(std::move(*handle));
  auto answer = co_await work(app, job, turn);
  co_return answer;
}

asio::awaitable<void> artifact_route(App& app, http::Exchange& exchange, ArtifactWork work, const char* default_path) {
  if (!co_await check_boot(app, exchange)) co_return;
  const auto json = co_await read_json_object(exchange);
  if (!json) co_return;
  auto request = parse_artifact_request(*json, default_path);
  auto answer = early_answer(app, request, work == archive_work);
  ByteBudget::Held held(app.artifact_bytes());
  if (!answer) {
    auto* slot = app.find_slot(request.slot);
    answer = co_await work_in_turn(app, exchange, *slot, std::move(request), work);
    held.add(answer->content.size());
  }
  co_await send(exchange, *std::move(answer));
}

}  // namespace

asio::awaitable<void> artifact_read_route(App& app, http::Exchange& exchange) {
  co_await artifact_route(app, exchange, read_work, "");
}
asio::awaitable<void> artifact_list_route(App& app, http::Exchange& exchange) {
  co_await artifact_route(app, exchange, list_work, ".");
}
asio::awaitable<void> artifact_archive_route(App& app, http::Exchange& exchange) {
  co_await artifact_route(app, exchange, archive_work, ".");
}

}  // namespace berth::slotd

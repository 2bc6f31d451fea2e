// SPDX-License-Identifier: Apache-2.0
#include "slotd/routes/result_stream.hpp"

#include <algorithm>

#include "base/json.hpp"
#include "base/text.hpp"
#include "base/utf8.hpp"
#include "slotd/metadata.hpp"

namespace berth::slotd {
namespace {

constexpr auto kPingEvery = std::chrono::seconds(10);
constexpr std::size_t kLineBytes = std::size_t{32} << 10;  // of output in one line

// How far one item has been told.
struct Told {
  bool start = false;
  bool result = false;
  std::uint64_t out = 0;
  std::uint64_t err = 0;
};

// The next output line of one stream; empty when there is nothing to tell.
std::string output_line(const Execution& execution, const OutputRing& ring, std::string_view stream,
                        std::uint64_t& told) {
  auto part = ring.read(told, kLineBytes);
  const bool last = execution.state == ExecutionState::finished && part.offset + part.data.size() == ring.total();
  // An incomplete character at the end waits for its rest, unless nothing more will come.
  if (!last && part.data.size() >= 4) part.data.resize(without_partial_end(part.data).size());
  if (part.data.empty()) return {};
  told = part.offset + part.data.size();
  Metadata line;
  line.text("type", "output")
      .json("execution_id", execution.call.id_json)
      .text("execution", execution.call.id)
      .text("stream", stream);
  line.integer("offset", static_cast<std::int64_t>(part.offset));
  is_valid_utf8(part.data) ? line.text("text", part.data) : line.text("base64", base64_encode(part.data));
  return line.str() + "\n";
}

std::string start_line(const Execution& execution, std::size_t index) {
  Metadata line;
  line.text("type", "start").json("execution_id", execution.call.id_json).text("execution", execution.call.id);
  line.text("slot_id", execution.call.slot).integer("index", static_cast<std::int64_t>(index));
  return line.str() + "\n";
}

std::string result_line(const Item& item, std::size_t index) {
  return R"({"type": "result", "index": )" + std::to_string(index) + ", " + item.json().substr(1) + "\n";
}

std::string end_line(std::size_t results) {
  return R"({"type": "end", "results": )" + std::to_string(results) + "}\n";
}

// All that is new about one item.
std::string news_of(const Item& item, std::size_t index, Told& told, bool with_output, bool with_start) {
  std::string lines;
  const auto* execution = item.execution.get();
  if (execution != nullptr && with_start && !told.start && execution->state != ExecutionState::queued) {
    told.start = true;
    lines += start_line(*execution, index);
  }
  if (execution != nullptr && with_output) {
    const auto stream = execution->output_stream;
    for (auto line = output_line(*execution, execution->stdout_ring, stream, told.out); !line.empty();
         line = output_line(*execution, execution->stdout_ring, stream, told.out)) {
      lines += line;
    }
    for (auto line = output_line(*execution, execution->stderr_ring, "stderr", told.err); !line.empty();
         line = output_line(*execution, execution->stderr_ring, "stderr", told.err)) {
      lines += line;
    }
  }
  if (item.answered() && !told.result) {
    told.result = true;
    lines += result_line(item, index);
  }
  return lines;
}

}  // namespace

ItemSet::~ItemSet() {
  if (!watching_) return;
  for (auto& item : items_) {
    if (item.execution && item.execution->waiters > 0) --item.execution->waiters;
  }
}

void ItemSet::add(Item item) {
  if (item.execution) index_[item.execution.get()].push_back(items_.size());
  items_.push_back(std::move(item));
}

void ItemSet::watch() {
  watching_ = true;
  is_dirty_.assign(items_.size(), true);
  for (std::size_t i = 0; i < items_.size(); ++i) {
    dirty_.push_back(i);
    if (items_[i].execution) ++items_[i].execution->waiters;
  }
  for (const auto& [execution, at] : index_) items_[at.front()].execution->add_listener(weak_from_this());
}

void ItemSet::execution_changed(Execution& execution) {
  const auto found = index_.find(&execution);
  if (found == index_.end()) return;
  for (const auto i : found->second) {
    if (is_dirty_[i]) continue;
    is_dirty_[i] = true;
    dirty_.push_back(i);
  }
  news_.notify_all();
}

void ItemSet::disconnected(App& app) {
  if (disconnected_) return;
  disconnected_ = true;
  watching_ = false;
  for (auto& item : items_) {
    if (!item.execution) continue;
    if (item.execution->waiters > 0) --item.execution->waiters;
    app.abandon(item.execution, grace_);
  }
  news_.notify_all();
}

asio::awaitable<void> ItemSet::all_answered() {
  const auto answered = [](const Item& item) { return item.answered(); };
  while (!disconnected_ && !std::all_of(items_.begin(), items_.end(), answered)) co_await news_.wait();
}

asio::awaitable<std::optional<std::size_t>> ItemSet::next_news(Deadline deadline) {
  while (dirty_.empty() && !disconnected_ && !deadline.expired(now())) co_await news_.wait(deadline);
  if (dirty_.empty() || disconnected_) co_return std::nullopt;
  const auto index = dirty_.front();
  dirty_.pop_front();
  is_dirty_[index] = false;
  co_return index;
}

void ItemSet::delivered(Ledger& ledger) {
  for (auto& item : items_) {
    if (item.execution) ledger.delivered(item.execution);
  }
}

std::string array_part(const std::vector<Item>& items, std::size_t& told, std::size_t part_bytes) {
  std::string part = told == 0 ? "[" : "";
  if (items.empty()) return "[]";
  if (told == items.size()) return {};
  while (told < items.size() && part.size() < part_bytes) {
    if (told > 0) part += ", ";
    part += items[told++].json();
  }
  if (told == items.size()) part += "]";
  return part;
}

asio::awaitable<void> stream_items(App& app, http::Exchange& exchange, std::shared_ptr<ItemSet> items, bool with_output,
                                   bool with_start) {
  http::Response head;
  head.content_type = http::kNdjsonType;
  const auto begun = co_await exchange.begin_stream(std::move(head));
  if (!begun) items->disconnected(app);
  std::vector<Told> told(items->items().size());
  std::size_t results = 0;
  auto ping_at = now() + kPingEvery;
  Expected<void> sent;
  const std::string nothing = end_line(0);
  if (told.empty()) sent = co_await exchange.end_stream(nothing);
  while (sent && results < told.size() && !items->is_disconnected()) {
    const auto index = co_await items->next_news(Deadline(ping_at));
    std::string lines;
    bool is_told = false;
    if (index) {
      const bool was_told = told[*index].result;
      lines = news_of(items->items()[*index], *index, told[*index], with_output, with_start);
      is_told = told[*index].result;
      if (is_told && !was_told) ++results;
    } else if (now() >= ping_at) {
      lines = "{\"type\": \"ping\"}\n";
    }
    if (lines.empty()) continue;
    ping_at = now() + kPingEvery;
    if (results < told.size()) {
      sent = co_await exchange.write(lines);
    } else {
      lines += end_line(results);
      sent = co_await exchange.end_stream(lines);
    }
    if (sent && is_told && items->items()[*index].execution) app.ledger().delivered(items->items()[*index].execution);
  }
  if (!sent) items->disconnected(app);  // a reader that takes nothing has gone as well
}

}  // namespace berth::slotd

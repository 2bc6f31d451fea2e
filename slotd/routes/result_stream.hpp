// SPDX-License-Identifier: Apache-2.0
// Calls of one request, watched together: which have news, and the NDJSON lines that tell them (wire.md 1.5).
// Single-threaded.
#pragma once

#include <boost/asio/awaitable.hpp>
#include <deque>
#include <memory>
#include <optional>
#include <string>
#include <unordered_map>
#include <vector>

#include "base/http/server.hpp"
#include "slotd/async_event.hpp"
#include "slotd/call_request.hpp"
#include "slotd/routes/app.hpp"

namespace berth::slotd {

// One element of a request: an execution, or what refused it.
struct Item {
  std::shared_ptr<Execution> execution;
  bool replayed = false;
  Finished refusal;  // when there is no execution
  std::string id_json = "null";
  int status = 200;  // of the refusal, for a route that answers a single call

  [[nodiscard]] bool answered() const { return !execution || execution->reply.has_value(); }
  [[nodiscard]] const Finished& reply() const { return execution ? *execution->reply : refusal; }
  [[nodiscard]] std::string json() const {
    return result_json(reply(), execution ? execution->call.id_json : id_json, replayed);
  }
};

class ItemSet final : public ExecutionListener, public std::enable_shared_from_this<ItemSet> {
 public:
  explicit ItemSet(const asio::any_io_executor& executor) : news_(executor) {}
  ~ItemSet() override;

  void add(Item item);
  [[nodiscard]] std::vector<Item>& items() { return items_; }
  // Begins to listen. Every item counts as having news once.
  void watch();
  // Whoever asked is gone: waits end, and calls that nobody else waits for are cancelled after the grace.
  void disconnected(App& app);
  void set_grace(Duration grace) { grace_ = grace; }
  [[nodiscard]] bool is_disconnected() const { return disconnected_; }

  // Until all are answered, or the peer is gone.
  [[nodiscard]] asio::awaitable<void> all_answered();
  // Index of an item with news; nothing at the deadline or when the peer is gone.
  [[nodiscard]] asio::awaitable<std::optional<std::size_t>> next_news(Deadline deadline);
  // The answers were sent, whole.
  void delivered(Ledger& ledger);

  void execution_changed(Execution& execution) override;

 private:
  std::vector<Item> items_;
  std::unordered_map<const Execution*, std::vector<std::size_t>> index_;
  std::deque<std::size_t> dirty_;
  std::vector<bool> is_dirty_;
  AsyncEvent news_;
  Duration grace_ = kAbandonAfter;
  bool disconnected_ = false;
  bool watching_ = false;
};

// The JSON array of all answers, told in parts of about `part_bytes`: the text from item `told` on, which is moved.
// Empty when all was told. Every item is answered.
[[nodiscard]] std::string array_part(const std::vector<Item>& items, std::size_t& told, std::size_t part_bytes);

// Sends start, output (when `with_output`), result, ping and end lines until all is told or the peer is gone.
[[nodiscard]] asio::awaitable<void> stream_items(App& app, http::Exchange& exchange, std::shared_ptr<ItemSet> items,
                                                 bool with_output, bool with_start);

}  // namespace berth::slotd

// SPDX-License-Identifier: Apache-2.0
// A slot server for unit tests: speaks slotd's protocol over the real HTTP server, runs a toy language instead of
// programs, and does on request what a broken or lying container would. Single-threaded.
//
// The toy language, in args.command, statements apart by ';':
//   echo TEXT | out TEXT (no newline) | sleep SECONDS | exit CODE | write PATH TEXT | env NAME | hang
#pragma once

#include <boost/asio/awaitable.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/steady_timer.hpp>
#include <chrono>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "base/http/server.hpp"

namespace berth::testing {

namespace asio = boost::asio;

// What a batch does wrong; everything else goes on as it should.
enum class Lie {
  none,
  wrong_id,      // results carry an id of their own
  swapped,       // results of a batch carry each other's places
  repeated,      // each result comes twice
  no_end,        // the answer is whole as HTTP but lacks its end line
  early_end,     // the end line comes first
  garbage,       // a line that is not JSON
  deep,          // a line of 100,000 brackets
  long_line,     // a line of 20 MB
  unknown_type,  // a line of a type that does not exist
  missing_key,   // results without metadata
  server_error,  // status 500
};

struct FakeOptions {
  unsigned slots = 4;
  std::string boot_id = "boot-1";
  Lie lie = Lie::none;
  unsigned cut_batches = 0;    // so many first batches are accepted, begun, and cut before any result
  unsigned drop_batches = 0;   // so many first batches are cut before anything of them is begun
  unsigned stall_batches = 0;  // so many first batches are read and never answered
  unsigned fail_resets = 0;    // so many first resets fail
  unsigned full_puts = 0;      // so many first files find the slot's disk full
  bool hold_puts = false;      // files that are sent are not read
  bool deaf = false;           // /health is never answered
};

// One execution as the server keeps it.
struct FakeExecution {
  std::string slot;
  std::string id;
  std::string command;
  std::map<std::string, std::string> env;
  std::uint64_t generation = 0;
  double timeout = 30;
  bool finished = false;
  bool cancelled = false;
  std::string output;
  int exit_code = 0;
  std::string cause = "exit";
  std::vector<std::function<void()>> changed;  // told of output and of the end
  std::shared_ptr<asio::steady_timer> sleep;
};

class FakeSlotd {
 public:
  FakeSlotd(asio::io_context& context, FakeOptions options);
  ~FakeSlotd();

  // "unix:PATH" or "http://127.0.0.1:PORT"
  [[nodiscard]] std::string listen(const std::string& address);
  // Cuts every connection, soon. The object has to live on until the loop has ended.
  void die();

  FakeOptions options;
  // What was seen.
  std::vector<std::vector<std::string>> batches;  // ids, in order, of each POST /batch
  std::vector<std::string> detach;                // its Berth-Detach
  std::map<std::string, unsigned> runs;           // id -> times its command was started
  std::vector<std::string> started;               // ids in the order in which they were started
  std::vector<std::pair<std::string, std::uint64_t>> resets;
  std::vector<std::string> cancelled;        // ids
  std::map<std::string, std::string> files;  // "slot_0/path" -> bytes, of PUT and of `write`
  unsigned puts = 0;                         // files that somebody began to send
  std::size_t most_connections = 0;

 private:
  struct Slot {
    std::deque<std::shared_ptr<FakeExecution>> queue;
    bool busy = false;
    std::uint64_t floor = 0;
  };
  using ExecutionPtr = std::shared_ptr<FakeExecution>;
  struct Stream;

  [[nodiscard]] asio::awaitable<void> handle(http::Exchange& exchange);
  [[nodiscard]] asio::awaitable<void> health(http::Exchange& exchange);
  [[nodiscard]] asio::awaitable<void> cut(http::Exchange& exchange);
  [[nodiscard]] asio::awaitable<void> batch(http::Exchange& exchange);
  [[nodiscard]] asio::awaitable<void> answer_batch(http::Exchange& exchange, std::vector<ExecutionPtr> executions,
                                                   bool output);
  [[nodiscard]] asio::awaitable<void> reset(http::Exchange& exchange);
  [[nodiscard]] asio::awaitable<void> file(http::Exchange& exchange);
  [[nodiscard]] asio::awaitable<void> cancel(http::Exchange& exchange);
  [[nodiscard]] bool refuses_boot(const http::Exchange& exchange) const;

  [[nodiscard]] ExecutionPtr accept(const std::string& element);
  void run_next(const std::string& slot);
  [[nodiscard]] asio::awaitable<void> run(ExecutionPtr execution);
  [[nodiscard]] asio::awaitable<void> statement(ExecutionPtr execution, std::string text);
  void put_out(const ExecutionPtr& execution, const std::string& text);
  [[nodiscard]] std::string result_line(const ExecutionPtr& execution, std::size_t index) const;

  asio::io_context& context_;
  std::unique_ptr<http::Server> server_;
  std::map<std::string, Slot> slots_;
  std::map<std::pair<std::string, std::string>, ExecutionPtr> ledger_;
};

}  // namespace berth::testing

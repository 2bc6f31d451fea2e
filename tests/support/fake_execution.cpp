// SPDX-License-Identifier: Apache-2.0
// The toy language.
#include <boost/asio/as_tuple.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <nlohmann/json.hpp>
#include <sstream>

#include "base/json.hpp"
#include "base/text.hpp"
#include "tests/support/fake_slotd.hpp"

namespace berth::testing {
namespace {

void tell(const std::shared_ptr<FakeExecution>& execution) {
  const auto listeners = execution->changed;
  for (const auto& listener : listeners) listener();
}

std::string rest_of(std::istringstream& words) {
  std::string rest;
  std::getline(words, rest);
  return rest.empty() ? rest : rest.substr(1);
}

}  // namespace

void FakeSlotd::run_next(const std::string& name) {
  Slot& slot = slots_[name];
  if (slot.busy || slot.queue.empty()) return;
  slot.busy = true;
  asio::co_spawn(context_, run(slot.queue.front()), asio::detached);
}

asio::awaitable<void> FakeSlotd::run(ExecutionPtr execution) {
  ++runs[execution->id];
  started.push_back(execution->id);
  std::istringstream statements(execution->command);
  std::string each;
  const bool stale = execution->generation < slots_[execution->slot].floor;
  if (stale) execution->cause = "rejected";
  while (!stale && !execution->cancelled && std::getline(statements, each, ';') && execution->cause == "exit" &&
         execution->exit_code == 0)
    co_await statement(execution, std::string(trim(each)));
  if (execution->cancelled) execution->cause = "cancelled";
  execution->finished = true;
  Slot& slot = slots_[execution->slot];
  slot.queue.pop_front();
  slot.busy = false;
  run_next(execution->slot);
  tell(execution);
}

asio::awaitable<void> FakeSlotd::statement(ExecutionPtr execution, std::string text) {
  std::istringstream words(text);
  std::string verb;
  words >> verb;
  if (verb == "echo") put_out(execution, rest_of(words) + "\n");
  if (verb == "out") put_out(execution, rest_of(words));
  if (verb == "exit") words >> execution->exit_code;
  if (verb == "env") {
    std::string name;
    words >> name;
    put_out(execution, execution->env[name] + "\n");
  }
  if (verb == "write") {
    std::string path;
    words >> path;
    files[execution->slot + "/" + path] = rest_of(words);
  }
  if (verb != "sleep" && verb != "hang") co_return;
  double seconds = 1e6;
  words >> seconds;
  const bool late = seconds > execution->timeout && verb == "sleep";
  execution->sleep = std::make_shared<asio::steady_timer>(
      context_,
      std::chrono::milliseconds(static_cast<long>(1000 * std::min(seconds, late ? execution->timeout : 1e6))));
  co_await execution->sleep->async_wait(asio::as_tuple(asio::use_awaitable));
  if (late && !execution->cancelled) execution->cause = "timeout";
}

void FakeSlotd::put_out(const ExecutionPtr& execution, const std::string& text) {
  execution->output += text;
  tell(execution);
}

std::string FakeSlotd::result_line(const ExecutionPtr& execution, std::size_t index) const {
  const bool success = execution->cause == "exit" && execution->exit_code == 0;
  Json metadata{{"cause", execution->cause}, {"started", true}};
  if (execution->cause == "exit") metadata["exit_code"] = execution->exit_code;
  if (execution->cause == "timeout") metadata["exit_code"] = -1;
  std::string error;
  if (!success)
    error = execution->cause == "exit" ? "Exit code: " + std::to_string(execution->exit_code) : execution->cause;
  Json line{{"type", "result"},    {"index", index},
            {"success", success},  {"output", std::string(trim(execution->output))},
            {"error", error},      {"execution_id", execution->id},
            {"metadata", metadata}};
  if (options.lie == Lie::wrong_id) line["execution_id"] = "somebody-else";
  if (options.lie == Lie::missing_key) line.erase("metadata");
  return dump_json(line) + "\n";
}

}  // namespace berth::testing

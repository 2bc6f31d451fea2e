// SPDX-License-Identifier: Apache-2.0
#include "agent/api/call_set.hpp"

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <utility>

#include "base/json.hpp"
#include "base/text.hpp"

namespace berth::agent {

namespace asio = boost::asio;

namespace {

void add_text(std::string& out, std::string_view key, std::string_view value) {
  out.append(", \"").append(key).append("\": ");
  append_json_string(out, value);
}

// What ran under an id of a lease that has ended is forgotten with it: nobody here can say that it never began.
Result rejected(const Error& error, const std::string& execution_id) {
  Call call;
  call.execution_id = execution_id;
  const bool forgotten = error.code == "lease_ended" && !execution_id.empty();
  const Cause cause = forgotten ? Cause::slot_lost : Cause::rejected;
  return local_result(call, cause, error.message, forgotten ? Started::unknown : Started::no, error.code);
}

// The call is what it was; only its output is not in this answer.
void withhold(Result& result) {
  result.output.clear();
  if (result.error.empty()) result.error = "the output is withheld: ask for the execution by its id";
  if (result.metadata.size() > 1) result.metadata.insert(1, R"("withheld":true,)");
}

std::string result_line(std::size_t index, const Result& result) {
  std::string line = R"({"type": "result", "index": )" + std::to_string(index) + ", ";
  return line.append(result_json(result).substr(1)).append("\n");
}

}  // namespace

std::string result_json(const Result& result) {
  std::string text = result.success ? R"({"success": true)" : R"({"success": false)";
  text.reserve(result.output.size() + result.metadata.size() + 256);
  add_text(text, "output", result.output);
  add_text(text, "error", result.error);
  add_text(text, "execution_id", result.execution_id);
  return text.append(", \"metadata\": ").append(result.metadata).append("}");
}

CallSet::CallSet(asio::io_context& context, std::size_t size, Telling telling)
    : timer_(context), telling_(telling), answers_(size), answers_left_(size) {}

void CallSet::tell(const std::string& line) {
  if (left_) return;
  lines_ += line;
  new_ = true;
  timer_.cancel();
}

void CallSet::started(std::size_t index, const std::string& slot, const std::string& execution_id) {
  if (telling_ != Telling::all_lines) return;
  std::string line = R"({"type": "start")";
  add_text(line, "execution_id", execution_id);
  add_text(line, "slot_id", slot);
  tell(line.append(", \"index\": ").append(std::to_string(index)).append("}\n"));
}

void CallSet::put_out(const OutputLine& output) {
  if (telling_ != Telling::all_lines || lines_.size() + output.bytes.size() > kMostUntold) return;
  std::string line = R"({"type": "output")";
  add_text(line, "execution_id", output.execution_id);
  add_text(line, "stream", output.stream);
  line.append(", \"offset\": ").append(std::to_string(output.offset));
  if (is_valid_utf8(output.bytes)) {
    add_text(line, "text", output.bytes);
  } else {
    add_text(line, "base64", base64_encode(output.bytes));
  }
  tell(line.append("}\n"));
}

void CallSet::answered(std::size_t index, Expected<Result> answer, const std::string& execution_id) {
  if (answers_[index]) return;
  --answers_left_;
  const bool in_lines = telling_ == Telling::result_lines || telling_ == Telling::all_lines;
  if (!answer && telling_ != Telling::single) answer = rejected(answer.error(), execution_id);
  const std::size_t bytes = answer ? answer->output.size() + answer->metadata.size() : 0;
  if (answer && (in_lines ? lines_.size() : held_) + bytes > kMostHeld) withhold(*answer);
  if (!in_lines && answer) held_ += answer->output.size() + answer->metadata.size();
  if (in_lines) tell(result_line(index, *answer));
  answers_[index] = in_lines || left_ ? Expected<Result>(Result{}) : std::move(answer);
  new_ = true;
  timer_.cancel();
}

asio::awaitable<void> CallSet::news(Deadline until) {
  while (!new_ && !left_ && answers_left_ > 0 && !until.expired(now())) {
    timer_.expires_at(until.at());
    co_await timer_.async_wait(asio::as_tuple(asio::use_awaitable));
  }
  new_ = false;
}

std::string CallSet::take_lines() {
  return std::exchange(lines_, {});
}

void CallSet::leave() {
  left_ = true;
  lines_.clear();
  lines_.shrink_to_fit();
  timer_.cancel();
}

}  // namespace berth::agent

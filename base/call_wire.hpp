// SPDX-License-Identifier: Apache-2.0
// The text of the slot protocol (wire.md 1.1 to 1.5) as its clients write and read it: the agent's link and the C++
// client. Pure functions; what comes from a container is hostile: every reader is bounded and strict.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "base/json.hpp"
#include "berth/call.hpp"
#include "berth/error.hpp"

namespace berth {

// One element of a batch: {"slot_id", "tool", "args", "execution_id", "timeout", "env", "limits", "generation"}.
[[nodiscard]] std::string encode_call(const Call& call);

struct ResultLine {
  std::size_t index = 0;
  Result result;
};
struct OutputLine {
  std::string execution_id;
  std::string stream;        // stdout, stderr or terminal
  std::uint64_t offset = 0;  // of the first byte, in the stream as the command wrote it
  std::string bytes;
};
struct StartLine {
  std::string execution_id;
};
struct PingLine {};
struct EndLine {
  std::size_t results = 0;
};
using Line = std::variant<ResultLine, OutputLine, StartLine, PingLine, EndLine>;

// Error code "protocol" for anything that is not one of the five lines.
[[nodiscard]] Expected<Line> parse_line(std::string_view text);

// The lines of one streamed answer to a batch, believed only as far as they fit the batch and each other.
class BatchLines {
 public:
  // `ids`: the execution ids of the batch, in the order of its elements.
  explicit BatchLines(std::vector<std::string> ids) : ids_(std::move(ids)), received_(ids_.size(), false) {}

  // The next line. A result is the first for its place and carries that place's id; output belongs to a call of the
  // batch that has no result yet; the end comes once, after every result. Else error code "protocol".
  [[nodiscard]] Expected<Line> take(std::string_view text);
  [[nodiscard]] bool ended() const { return ended_; }

 private:
  [[nodiscard]] std::optional<std::string> lie(const Line& line) const;

  std::vector<std::string> ids_;
  std::vector<bool> received_;
  bool ended_ = false;
};

// The five keys of a result. Error code "protocol" when one is missing or of the wrong type, or when the id is not
// `execution_id`.
[[nodiscard]] Expected<Result> parse_result(const Json& object, std::string_view execution_id);

// What an answer with another status than 200 says, whatever form its body has: code (or "status_NNN"), message, hint.
[[nodiscard]] Error error_of_answer(int status, std::string_view body);

// Whether a command may have run when its answer was lost.
enum class Started : std::uint8_t { no, unknown };

// A result that the caller's side makes itself, because the server did not or could not.
[[nodiscard]] Result local_result(const Call& call, Cause cause, std::string message, Started started,
                                  std::string_view code = {});

// Error code "protocol": what is wrong, and the beginning of the text it was found in.
[[nodiscard]] tl::unexpected<Error> not_the_protocol(std::string_view what, std::string_view text);

}  // namespace berth

// SPDX-License-Identifier: Apache-2.0
// The text of slotd's protocol (wire.md 1.1 to 1.5) as the agent writes and reads it. Pure functions; what comes from a
// container is hostile: every reader is bounded and strict.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "berth/call.hpp"
#include "berth/error.hpp"

namespace berth::agent {

// One element of a batch: {"slot_id", "tool", "args", "execution_id", "timeout", "env", "limits", "generation"}.
[[nodiscard]] std::string encode_call(const Call& call);
[[nodiscard]] std::string encode_reset(std::string_view slot, std::uint64_t generation);

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
struct PingLine {};
struct EndLine {
  std::size_t results = 0;
};
using Line = std::variant<ResultLine, OutputLine, PingLine, EndLine>;

// Error code "protocol" for anything that is not one of the four lines (`start` reads as a ping).
[[nodiscard]] Expected<Line> parse_line(std::string_view text);

// What an answer with another status than 200 says, whatever form its body has: code (or "status_NNN"), message, hint.
[[nodiscard]] Error error_of_answer(int status, std::string_view body);
// The outcome of /reset: nothing when it succeeded.
[[nodiscard]] std::optional<Error> error_of_reset(std::string_view body);

// Whether a command may have run when its answer was lost.
enum class Started : std::uint8_t { no, unknown };

// A result that the agent makes itself, because the container did not or could not.
[[nodiscard]] Result agent_result(const Call& call, Cause cause, std::string message, Started started,
                                  std::string_view code = {});

// What /health tells; empty and zero where the server does not say.
struct HealthFacts {
  std::string status;
  std::string boot_id;
  std::string version;
  std::string isolation;             // the level asked for
  std::vector<std::string> missing;  // measures that are wanted and not in force
  std::vector<std::string> notes;    // what to know about the isolation in force
  std::vector<std::uint64_t> floors;
  unsigned slots = 0;
};
[[nodiscard]] Expected<HealthFacts> parse_health(std::string_view body);

}  // namespace berth::agent

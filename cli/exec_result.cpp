// SPDX-License-Identifier: Apache-2.0
#include "cli/exec_result.hpp"

#include <nlohmann/json.hpp>

#include "base/json.hpp"
#include "cli/options.hpp"

namespace berth::cli {

int exit_code_of(const Result& result) {
  const auto metadata = parse_json(result.metadata);
  const auto number = [&metadata](const char* key) -> std::optional<std::int64_t> {
    if (!metadata || !metadata->is_object() || !metadata->contains(key)) return std::nullopt;
    return json_int(metadata->at(key));
  };
  const std::string word = metadata && metadata->is_object() ? metadata->value("cause", "") : "";
  const auto cause = cause_from_string(word);
  if (cause == Cause::timeout) return kExecTimeout;
  if (const auto signal = number("signal"); signal && *signal > 0) return static_cast<int>(128 + *signal);
  if (const auto code = number("exit_code"); cause == Cause::exit && code) return static_cast<int>(*code);
  if (cause == Cause::memory || cause == Cause::output_limit) return 128 + 9;
  if (const auto code = number("exit_code"); cause == Cause::disk && code) return static_cast<int>(*code);
  return kExecPlatform;
}

}  // namespace berth::cli

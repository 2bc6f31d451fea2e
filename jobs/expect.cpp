// SPDX-License-Identifier: Apache-2.0
#include "jobs/expect.hpp"

#include <re2/re2.h>

#include "base/text.hpp"
#include "jobs/complaints.hpp"
#include "jobs/job.hpp"

namespace berth::jobs {
namespace {

RE2::Options quiet() {
  RE2::Options options;
  options.set_log_errors(false);
  return options;
}

std::optional<std::string> check_exit(std::optional<int> wanted, bool success, std::optional<int> exit_code) {
  const auto number = [](int value) { return std::to_string(value); };
  if (!wanted) {
    if (exit_code && *exit_code != 0) return "exit code " + number(*exit_code) + ", expected 0";
    return success ? std::nullopt : std::optional<std::string>("the call failed");
  }
  if (!exit_code) return "no exit code, expected " + number(*wanted);
  if (*exit_code != *wanted) return "exit code " + number(*exit_code) + ", expected " + number(*wanted);
  return std::nullopt;
}

}  // namespace

std::string complaint_about_pattern(const std::string& pattern) {
  const RE2 compiled(pattern, quiet());
  return compiled.ok() ? std::string() : in_quotes(pattern) + " is no RE2 pattern: " + compiled.error();
}

std::optional<std::string> check_expectation(const std::optional<Expectation>& expectation, bool success,
                                             std::string_view output, std::optional<int> exit_code) {
  const Expectation wanted = expectation.value_or(Expectation{});
  if (auto failure = check_exit(wanted.exit_code, success, exit_code)) return failure;
  if (wanted.output && trim(output) != trim(*wanted.output)) {
    return "output is " + in_quotes(trim(output)) + ", expected " + in_quotes(trim(*wanted.output));
  }
  if (wanted.contains && output.find(*wanted.contains) == std::string_view::npos) {
    return "output is " + in_quotes(trim(output)) + ", expected it to contain " + in_quotes(*wanted.contains);
  }
  if (!wanted.matches) return std::nullopt;
  const RE2 pattern(*wanted.matches, quiet());
  if (!pattern.ok()) return complaint_about_pattern(*wanted.matches);
  if (RE2::PartialMatch(re2::StringPiece(output.data(), output.size()), pattern)) return std::nullopt;
  return "output is " + in_quotes(trim(output)) + ", expected it to match " + in_quotes(*wanted.matches);
}

}  // namespace berth::jobs

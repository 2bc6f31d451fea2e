// SPDX-License-Identifier: Apache-2.0
// Errors as values. Every function that can fail for a reason outside the program returns Expected<T>;
// exceptions stay inside the libraries that throw them.
#pragma once

#include <string>
#include <string_view>
#include <tl/expected.hpp>

namespace berth {

// What went wrong, in a form that both a program and a person can act on.
struct Error {
  std::string code;     // stable, snake_case, e.g. "no_slot"; what programs compare
  std::string message;  // one line, no trailing period needed
  std::string hint;     // what to do next; may be empty

  // The same error seen from further out: "reading job.yaml: permission denied".
  [[nodiscard]] Error within(std::string_view context) const {
    return Error{code, std::string(context) + ": " + message, hint};
  }
};

template <typename T>
using Expected = tl::expected<T, Error>;

[[nodiscard]] inline tl::unexpected<Error> fail(std::string_view code, std::string message, std::string hint = {}) {
  return tl::unexpected<Error>(Error{std::string(code), std::move(message), std::move(hint)});
}

// An errno value as an Error: message "what: Permission denied", code "system".
[[nodiscard]] Error errno_error(std::string_view what, int error_number);
[[nodiscard]] tl::unexpected<Error> fail_errno(std::string_view what, int error_number);

}  // namespace berth

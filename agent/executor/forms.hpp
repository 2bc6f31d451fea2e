// SPDX-License-Identifier: Apache-2.0
// The bodies of the tool-executor routes. What does not fit its form is refused with the whole body of a 422 answer,
// {"detail": [{"type", "loc", "msg", "input"}]}, which names every fault. Pure functions. Private to agent/executor.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "berth/error.hpp"

namespace berth::agent {

template <typename T>
using Form = tl::expected<T, std::string>;  // the error is the body of the 422

struct CallForm {
  std::string trajectory;
  std::string tool;
  std::string arguments = "{}";  // JSON text of an object
  std::string uniq_id;
  double limit_s = 30;  // 1 .. 600, from timeout_s, else arguments.timeout
};
[[nodiscard]] Form<CallForm> read_call_form(std::string_view body);

// Its trajectory. `reset_workspace` has to be a boolean and changes nothing: every release resets.
[[nodiscard]] Form<std::string> read_release_form(std::string_view body);

enum class Artifact { read, list, archive };
struct ArtifactForm {
  std::string trajectory;
  std::string fields;  // JSON text of an object: what the slot server is asked, without the slot
};
[[nodiscard]] Form<ArtifactForm> read_artifact_form(Artifact kind, std::string_view body);

// The body of a 422 about a header field.
[[nodiscard]] std::string header_fault(std::string_view name, std::string_view message);

}  // namespace berth::agent

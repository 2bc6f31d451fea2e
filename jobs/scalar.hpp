// SPDX-License-Identifier: Apache-2.0
// Reads scalars the one way in which all YAML parsers agree; what they read differently (010, yes, True, 0x10) is
// never guessed. Pure functions: nothing means "not of that kind".
#pragma once

#include <cstdint>
#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <string>
#include <string_view>

#include "berth/call.hpp"
#include "berth/error.hpp"
#include "jobs/tree.hpp"

namespace berth::jobs {

// Unquoted and in JSON's spelling of a number: no leading zero, plus sign, hexadecimal digits, nan or infinity.
[[nodiscard]] std::optional<std::uint64_t> read_integer(const Node& node);
[[nodiscard]] std::optional<std::int64_t> read_signed(const Node& node);
[[nodiscard]] std::optional<double> read_number(const Node& node);
// Unquoted true or false, and only so spelt.
[[nodiscard]] std::optional<bool> read_flag(const Node& node);
// Text: quoted, or unquoted and not a number, boolean or anything that another reader takes for one.
[[nodiscard]] std::optional<std::string> read_text(const Node& node);
// Text or any other scalar, as it is written (env, vars: PORT: 8080 is "8080").
[[nodiscard]] std::optional<std::string> read_scalar(const Node& node);
[[nodiscard]] std::optional<std::uint64_t> read_size(const Node& node);
[[nodiscard]] std::optional<Seconds> read_duration(const Node& node);
// The unquoted word `none`.
[[nodiscard]] bool is_none(const Node* node);

// What to do about a scalar that is not of the wanted kind: " (quote it)", or empty.
[[nodiscard]] std::string advice_for_number(const Node& node);
[[nodiscard]] std::string advice_for_flag(const Node& node);
[[nodiscard]] std::string advice_for_text(const Node& node);

// The JSON value of any tree (tool args). A scalar that YAML parsers read differently is a complaint.
[[nodiscard]] nlohmann::json to_json(const Node& node, Complaints& complaints);

}  // namespace berth::jobs

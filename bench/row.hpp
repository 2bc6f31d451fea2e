// SPDX-License-Identifier: Apache-2.0
// One line of the table: a figure, its budget, and how it came about.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "berth/error.hpp"

namespace berth::bench {

enum class Bound { at_most, at_least, exactly };

struct Budget {
  Bound bound = Bound::at_most;
  double value = 0;
};

struct Row {
  std::string name;  // for --only and the JSON: words with dashes
  std::string what;
  bool hard = false;  // starred in the design
  std::string unit;   // "x" for ratios, "ms", "MB", ...
  std::optional<Budget> budget = {};
  std::vector<double> values = {};  // one for each round; the median counts
  std::string detail = {};          // the absolute figures, what was in force
  std::optional<Error> error = {};  // not measured

  [[nodiscard]] double value() const;
  // Nothing when there is no budget or no figure.
  [[nodiscard]] std::optional<bool> met() const;
};

[[nodiscard]] std::string table_line(const Row& row);
// `environment`: JSON object text that says where and how the figures were taken.
[[nodiscard]] std::string to_json(const std::vector<Row>& rows, const std::string& environment);
[[nodiscard]] std::string format_number(double value);

}  // namespace berth::bench

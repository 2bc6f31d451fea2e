// SPDX-License-Identifier: Apache-2.0
#include "bench/row.hpp"

#include <cstdio>
#include <nlohmann/json.hpp>

#include "bench/stats.hpp"

namespace berth::bench {
namespace {

const char* sign_of(Bound bound) {
  if (bound == Bound::at_most) return "<=";
  return bound == Bound::at_least ? ">=" : "=";
}

std::string verdict(const Row& row) {
  if (row.error) return "not measured";
  const auto met = row.met();
  if (!met) return "-";
  return *met ? "met" : "MISSED";
}

std::string budget_text(const Row& row) {
  if (!row.budget) return "-";
  return std::string(sign_of(row.budget->bound)) + " " + format_number(row.budget->value) + " " + row.unit;
}

}  // namespace

double Row::value() const {
  return median(values);
}

std::optional<bool> Row::met() const {
  if (!budget || error || values.empty()) return std::nullopt;
  if (budget->bound == Bound::at_most) return value() <= budget->value;
  if (budget->bound == Bound::at_least) return value() >= budget->value;
  return value() == budget->value;
}

std::string format_number(double value) {
  char text[32];
  const char* const format = value >= 1000 || value == static_cast<double>(static_cast<long>(value)) ? "%.0f"
                             : value >= 100                                                          ? "%.1f"
                             : value >= 1                                                            ? "%.2f"
                                                                                                     : "%.3f";
  std::snprintf(text, sizeof text, format, value);
  return text;
}

std::string table_line(const Row& row) {
  const std::string value = row.error ? "-" : format_number(row.value()) + " " + row.unit;
  const std::string& note = row.error ? row.error->message : row.detail;
  char line[1024];
  std::snprintf(line, sizeof line, "%-2s%-70s %12s %14s  %-12s %s", row.hard ? "*" : "", row.what.c_str(),
                value.c_str(), budget_text(row).c_str(), verdict(row).c_str(), note.c_str());
  return line;
}

std::string to_json(const std::vector<Row>& rows, const std::string& environment) {
  nlohmann::ordered_json all;
  all["environment"] = nlohmann::ordered_json::parse(environment, nullptr, false);
  all["rows"] = nlohmann::ordered_json::array();
  for (const Row& row : rows) {
    nlohmann::ordered_json one;
    one["name"] = row.name;
    one["what"] = row.what;
    one["hard"] = row.hard;
    one["unit"] = row.unit;
    one["value"] = row.error ? nlohmann::ordered_json() : nlohmann::ordered_json(row.value());
    one["rounds"] = row.values;
    if (row.budget) one["budget"] = {{"bound", sign_of(row.budget->bound)}, {"value", row.budget->value}};
    const auto met = row.met();
    one["met"] = met ? nlohmann::ordered_json(*met) : nlohmann::ordered_json();
    one["detail"] = row.detail;
    if (row.error) one["error"] = row.error->message;
    all["rows"].push_back(std::move(one));
  }
  return all.dump(2) + "\n";
}

}  // namespace berth::bench

// SPDX-License-Identifier: Apache-2.0
#include "base/metrics.hpp"

#include <algorithm>
#include <cmath>
#include <fmt/format.h>
#include <iterator>
#include <memory>
#include <variant>

#include "base/text.hpp"

namespace berth {
namespace {

using Values = std::map<std::string, double, std::less<>>;

std::string number(double value) {
  if (std::isnan(value)) return "NaN";
  if (std::isinf(value)) return value > 0 ? "+Inf" : "-Inf";
  return fmt::format("{}", value);
}

std::string escaped(std::string_view text, bool quotes) {
  std::string out;
  for (const char c : text) {
    if (c == '\n') {
      out += "\\n";
      continue;
    }
    if (c == '\\' || (quotes && c == '"')) out += '\\';
    out += c;
  }
  return out;
}

void append_values(std::string& out, const std::string& name, const Values& values) {
  for (const auto& [labels, value] : values) {
    const std::string braced = labels.empty() ? "" : "{" + labels + "}";
    fmt::format_to(std::back_inserter(out), "{}{} {}\n", name, braced, number(value));
  }
}

void set_value(Values& values, std::string_view labels, double to, bool add) {
  auto found = values.find(labels);
  if (found == values.end()) found = values.emplace(std::string(labels), 0.0).first;
  found->second = add ? found->second + to : to;
}

}  // namespace

void Counter::add(double by, std::string_view labels) {
  if (by >= 0) set_value(values_, labels, by, true);  // a counter never goes down
}

double Counter::value(std::string_view labels) const {
  const auto found = values_.find(labels);
  return found == values_.end() ? 0 : found->second;
}

void Gauge::set(double to, std::string_view labels) {
  set_value(values_, labels, to, false);
}

Histogram::Histogram(std::vector<double> upper_bounds) : bounds_(std::move(upper_bounds)) {
  std::sort(bounds_.begin(), bounds_.end());
  counts_.resize(bounds_.size());
}

void Histogram::observe(double value) {
  if (std::isnan(value)) return;
  const auto bucket = std::lower_bound(bounds_.begin(), bounds_.end(), value);
  if (bucket != bounds_.end()) ++counts_[static_cast<std::size_t>(bucket - bounds_.begin())];
  ++count_;
  sum_ += value;
}

struct MetricsRegistry::Family {
  std::string name;
  std::string help;
  // On the heap, so that a reference outlives the growth of the list.
  std::variant<std::unique_ptr<Counter>, std::unique_ptr<Gauge>, std::unique_ptr<Histogram>> series;
};

MetricsRegistry::MetricsRegistry() = default;
MetricsRegistry::~MetricsRegistry() = default;

template <typename Series, typename... Arguments>
Series& MetricsRegistry::series(std::string name, std::string help, Arguments... arguments) {
  for (Family& family : families_) {
    auto* known = std::get_if<std::unique_ptr<Series>>(&family.series);
    if (known && family.name == name) return **known;
  }
  families_.push_back({std::move(name), std::move(help), std::make_unique<Series>(std::move(arguments)...)});
  return *std::get<std::unique_ptr<Series>>(families_.back().series);
}

Counter& MetricsRegistry::counter(std::string name, std::string help) {
  return series<Counter>(std::move(name), std::move(help));
}

Gauge& MetricsRegistry::gauge(std::string name, std::string help) {
  return series<Gauge>(std::move(name), std::move(help));
}

Histogram& MetricsRegistry::histogram(std::string name, std::string help, std::vector<double> upper_bounds) {
  return series<Histogram>(std::move(name), std::move(help), std::move(upper_bounds));
}

std::string MetricsRegistry::expose() const {
  constexpr std::string_view kTypes[] = {"counter", "gauge", "histogram"};
  std::string out;
  const auto to = std::back_inserter(out);
  for (const Family& family : families_) {
    const std::string& name = family.name;
    fmt::format_to(to, "# HELP {} {}\n# TYPE {} {}\n", name, escaped(family.help, false), name,
                   kTypes[family.series.index()]);
    if (const auto* counter = std::get_if<std::unique_ptr<Counter>>(&family.series)) {
      append_values(out, name, (*counter)->values_);
    } else if (const auto* gauge = std::get_if<std::unique_ptr<Gauge>>(&family.series)) {
      append_values(out, name, (*gauge)->values_);
    } else {
      const Histogram& histogram = *std::get<std::unique_ptr<Histogram>>(family.series);
      std::uint64_t below = 0;
      for (std::size_t i = 0; i < histogram.bounds_.size(); ++i) {
        below += histogram.counts_[i];
        fmt::format_to(to, "{}_bucket{{le=\"{}\"}} {}\n", name, number(histogram.bounds_[i]), below);
      }
      fmt::format_to(to, "{}_bucket{{le=\"+Inf\"}} {}\n{}_sum {}\n{}_count {}\n", name, histogram.count_, name,
                     number(histogram.sum_), name, histogram.count_);
    }
  }
  return out;
}

std::string metric_label(std::string_view name, std::string_view value) {
  return std::string(name) + "=\"" + escaped(to_valid_utf8(value), true) + "\"";
}

}  // namespace berth

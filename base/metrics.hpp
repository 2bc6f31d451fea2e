// SPDX-License-Identifier: Apache-2.0
// Prometheus text exposition (format 0.0.4), about a hundred lines: what both programs need and no more.
// Single-threaded: a registry belongs to one io_context. Names carry the berth_ prefix and base units; no slot or trajectory in labels.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

namespace berth {

// One family of time series. Labels are given as ready text, e.g. `cause="exit"`; empty for none.
class Counter {
 public:
  void add(double by = 1, std::string_view labels = {});
  // For what is counted elsewhere.
  void raise_to(double total, std::string_view labels = {}) { add(total - value(labels), labels); }
  [[nodiscard]] double value(std::string_view labels = {}) const;

 private:
  friend class MetricsRegistry;
  std::map<std::string, double, std::less<>> values_;
};

class Gauge {
 public:
  void set(double to, std::string_view labels = {});
  // Forgets every series: before all are set anew.
  void clear() { values_.clear(); }

 private:
  friend class MetricsRegistry;
  std::map<std::string, double, std::less<>> values_;
};

class Histogram {
 public:
  explicit Histogram(std::vector<double> upper_bounds);
  void observe(double value);

 private:
  friend class MetricsRegistry;
  std::vector<double> bounds_;
  std::vector<std::uint64_t> counts_;
  double sum_ = 0;
  std::uint64_t count_ = 0;
};

// Owns the families; references stay valid for the registry's life. A name asked for again gives the family that is there.
class MetricsRegistry {
 public:
  MetricsRegistry();
  ~MetricsRegistry();
  MetricsRegistry(const MetricsRegistry&) = delete;
  MetricsRegistry& operator=(const MetricsRegistry&) = delete;

  Counter& counter(std::string name, std::string help);
  Gauge& gauge(std::string name, std::string help);
  Histogram& histogram(std::string name, std::string help, std::vector<double> upper_bounds);
  // The whole exposition. Content type: text/plain; version=0.0.4; charset=utf-8
  [[nodiscard]] std::string expose() const;

 private:
  struct Family;
  template <typename Series, typename... Arguments>
  Series& series(std::string name, std::string help, Arguments... arguments);

  std::vector<Family> families_;
};

// The value of a label: backslash, quote and newline escaped.
[[nodiscard]] std::string metric_label(std::string_view name, std::string_view value);

}  // namespace berth

// SPDX-License-Identifier: Apache-2.0
// Gathers every complaint about a job file, so that all of them are listed at once. One thread.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "jobs/job.hpp"

namespace berth::jobs {

// Where a value was written: the job file (source 0), or one of the --set options.
struct Place {
  unsigned source = 0;
  Position at;
};

class Complaints {
 public:
  explicit Complaints(std::string file) : sources_{std::move(file)} {}

  // The number of a further source, for Place::source.
  [[nodiscard]] unsigned add_source(std::string name);
  void add(Place place, std::string message);
  // A complaint about a line of another file.
  void add_line(const std::string& file, std::size_t line, std::string message);

  [[nodiscard]] bool empty() const { return entries_.empty(); }
  [[nodiscard]] bool has(Place place) const;
  // "FILE:LINE:COLUMN" or the option, as complaints about that place begin.
  [[nodiscard]] std::string where(Place place) const;
  // True once no further complaint will be shown: callers with a million lines to check may stop.
  [[nodiscard]] bool full() const { return entries_.size() >= kMaxShown; }
  // In the order of the file, repetitions left out; what --set says comes after it.
  [[nodiscard]] Diagnostics take();

 private:
  static constexpr std::size_t kMaxShown = 100;
  struct Entry {
    unsigned source = 0;
    Diagnostic diagnostic;
  };

  void push(unsigned source, Diagnostic diagnostic);

  std::vector<std::string> sources_;
  std::vector<Entry> entries_;
  bool more_ = false;
};

// Text from a file as a message may show it: quoted, control characters escaped, cut at 60 characters.
[[nodiscard]] std::string in_quotes(std::string_view text);

}  // namespace berth::jobs

// SPDX-License-Identifier: Apache-2.0
// A command's output on its way to ours, as it comes; what is missing is told, never passed over.
#pragma once

#include <cstdint>
#include <map>
#include <string>

#include "base/call_wire.hpp"

namespace berth::cli {

class PassThrough {
 public:
  void take(const OutputLine& line);
  // After the result: a warning for each stream of which bytes are missing. A command that writes faster than its
  // output can travel loses the middle of it.
  void tell_what_is_missing(const Result& result) const;

 private:
  struct Stream {
    std::uint64_t next = 0;
    std::uint64_t missing = 0;
  };
  std::map<std::string, Stream> streams_;
};

}  // namespace berth::cli

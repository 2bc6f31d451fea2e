// SPDX-License-Identifier: Apache-2.0
#include "cli/pass_through.hpp"

#include <unistd.h>

#include <nlohmann/json.hpp>

#include "base/fd.hpp"
#include "base/json.hpp"
#include "cli/terminal.hpp"

namespace berth::cli {

void PassThrough::take(const OutputLine& line) {
  Stream& stream = streams_[line.stream];
  if (line.offset > stream.next) stream.missing += line.offset - stream.next;
  stream.next = line.offset + line.bytes.size();
  // A reader that went away does not stop the command; its exit code still counts.
  static_cast<void>(write_all(line.stream == "stderr" ? STDERR_FILENO : STDOUT_FILENO, line.bytes));
}

void PassThrough::tell_what_is_missing(const Result& result) const {
  const auto metadata = parse_json(result.metadata);
  if (!metadata || !metadata->is_object()) return;
  for (const char* name : {"stdout", "stderr"}) {
    const auto found = streams_.find(name);
    const Stream seen = found == streams_.end() ? Stream() : found->second;
    const std::uint64_t written = json_uint_at(*metadata, (std::string(name) + "_bytes").c_str()).value_or(seen.next);
    const std::uint64_t missing = seen.missing + (written > seen.next ? written - seen.next : 0);
    if (missing > 0)
      print_warning(std::to_string(missing) + " of " + std::to_string(written) + " bytes of " + name +
                    " were dropped: the command wrote faster than they could travel; let it write into a file, "
                    "and fetch that");
  }
}

}  // namespace berth::cli

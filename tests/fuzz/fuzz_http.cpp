// SPDX-License-Identifier: Apache-2.0
// The gate and the chunked coding. The same chunked body gives the same data however its bytes are cut.
#include <algorithm>
#include <string>

#include "base/http/chunked.hpp"
#include "base/http/gate.hpp"
#include "tests/fuzz/oracle.hpp"

using berth::fuzz::promise;

namespace {

struct Decoded {
  std::string data;
  bool done = false;
  bool refused = false;
  bool operator==(const Decoded&) const = default;
};

// Gives the decoder `step` more bytes at a time, as a slow peer would.
Decoded decode(std::string_view input, std::size_t step) {
  berth::http::ChunkedDecoder decoder;
  Decoded out;
  std::size_t used = 0;
  for (std::size_t seen = std::min(step, input.size());; seen = std::min(seen + step, input.size())) {
    while (!decoder.done()) {
      const auto skipped = decoder.skip_framing(input.substr(used, seen - used));
      if (!skipped) {
        out.refused = true;
        return out;
      }
      used += *skipped;
      const std::size_t take = std::min<std::uint64_t>(decoder.data_left(), seen - used);
      if (take > 0) decoder.take_data(take);
      out.data += input.substr(used, take);
      used += take;
      if (*skipped == 0 && take == 0) break;
    }
    out.done = decoder.done();
    if (out.done || seen == input.size()) return out;
  }
}

void head_is_consistent(std::string_view text) {
  const auto head = berth::http::check_request_head(text);
  if (!head) {
    const int status = berth::http::gate_status(head.error());
    promise(status == 400 || status == 417 || status == 431 || status == 505, "a refused head has one of four answers");
    return;
  }
  promise(!head->path.empty() && head->path.front() == '/', "a path starts with a slash");
  promise(!(head->chunked && head->content_length), "a body has one length");
  for (const auto& [name, value] : head->fields) {
    promise(std::none_of(name.begin(), name.end(), [](char c) { return c >= 'A' && c <= 'Z'; }), "names are lower case");
    promise(value.find_first_of("\r\n") == std::string::npos, "no value carries a line end");
    promise(value.find('\0') == std::string::npos, "no value carries a NUL");
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text = berth::fuzz::as_text(data, size);
  head_is_consistent(text);
  if (size > 0) promise(decode(text, size) == decode(text, 1), "a chunked body does not depend on how it is cut");
  return 0;
}

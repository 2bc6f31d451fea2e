// SPDX-License-Identifier: Apache-2.0
// Encodings: what is made valid is valid and stays as it is; what is encoded decodes to itself.
#include "base/text.hpp"
#include "tests/fuzz/oracle.hpp"

using berth::fuzz::promise;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view bytes = berth::fuzz::as_text(data, size);
  const std::string valid = berth::to_valid_utf8(bytes);
  promise(berth::is_valid_utf8(valid), "to_valid_utf8 gives UTF-8");
  promise(berth::to_valid_utf8(valid) == valid, "valid text is left alone");
  promise(!berth::is_valid_utf8(bytes) || valid == bytes, "is_valid_utf8 and to_valid_utf8 agree");
  promise(berth::utf8_length(valid) <= valid.size(), "no more code points than bytes");

  promise(berth::base64_decode(berth::base64_encode(bytes)) == std::string(bytes), "base64 reads back equal");
  if (const auto decoded = berth::base64_decode(bytes))
    promise(berth::base64_encode(*decoded) == bytes, "only one spelling of base64 is accepted");
  if (bytes.find('\0') == std::string_view::npos)
    promise(berth::percent_decode(berth::percent_encode(bytes)) == std::string(bytes), "percent-encoding reads back equal");
  if (const auto size_value = berth::parse_size(bytes)) promise(!bytes.empty(), "a size needs text");
  if (const auto duration = berth::parse_duration(bytes)) promise(duration->count() >= 0, "a duration is not negative");
  return 0;
}

// SPDX-License-Identifier: Apache-2.0
// Whatever bytes arrive, an answer comes; what is accepted can be copied and dumped, and reads back equal.
#include <nlohmann/json.hpp>

#include "base/json.hpp"
#include "base/text.hpp"
#include "berth/container_spec.hpp"
#include "tests/fuzz/oracle.hpp"

using berth::fuzz::promise;

namespace {

constexpr std::size_t kMostElements = 1000;

void elements_lie_inside(std::string_view text) {
  const auto elements = berth::split_json_array(text, kMostElements);
  if (!elements) return;
  promise(elements->size() <= kMostElements, "no more elements than asked for");
  for (const std::string_view element : *elements)
    promise(element.data() >= text.data() && element.data() + element.size() <= text.data() + text.size(),
            "an element is a view into the text");
}

void specifications_read_back_equal(std::string_view text) {
  const auto spec = berth::container_spec_from_json(text);
  if (!spec) return;
  const std::string written = berth::container_spec_to_json(*spec);
  const auto again = berth::container_spec_from_json(written);
  promise(again.has_value(), "a written container specification can be read");
  promise(berth::container_spec_to_json(*again) == written, "a container specification reads back equal");
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text = berth::fuzz::as_text(data, size);
  elements_lie_inside(text);
  specifications_read_back_equal(text);
  const auto value = berth::parse_json(text);
  if (!value) return 0;
  const berth::Json copy = *value;
  const std::string dumped = berth::dump_json(copy);
  promise(berth::is_valid_utf8(dumped), "dumped JSON is UTF-8");
  const auto again = berth::parse_json(dumped);
  promise(again.has_value(), "dumped JSON can be read");
  promise(berth::dump_json(*again) == dumped, "dumping is stable");
  return 0;
}

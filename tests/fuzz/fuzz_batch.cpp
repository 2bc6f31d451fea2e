// SPDX-License-Identifier: Apache-2.0
// A batch: as many answers as elements, in their order, each five keys or two, whatever the elements are.
#include <nlohmann/json.hpp>

#include "base/json.hpp"
#include "slotd/routes/result_stream.hpp"
#include "slotd/routes/routes.hpp"
#include "tests/fuzz/oracle.hpp"

using berth::Json;
using berth::fuzz::promise;
using namespace berth::slotd;

namespace {

constexpr double kMaxTimeout = 3600;
constexpr std::size_t kPart = 300;  // small, so that the array is told in several parts
// What is echoed may be as deep as a call may be, inside an answer inside the array.
constexpr berth::JsonBounds kAnswerBounds{.max_bytes = std::size_t{16} << 20, .max_depth = 70, .max_values = 1'000'000};

Item answered(std::string_view element) {
  Item item;
  auto request = parse_call_request(element, kMaxTimeout);
  if (!request) {
    item.id_json = request.error().id_json;
    item.refusal = finished_refusal(request.error());
    return item;
  }
  promise(request->args != nullptr && request->args->is_object(), "accepted arguments are an object");
  promise(request->timeout.count() > 0 && request->timeout.count() <= kMaxTimeout,
          "an accepted time limit is in range");
  promise(request->memory_bytes >= element.size(), "a call's memory is not told too small");
  item.execution = std::make_shared<Execution>(std::move(*request), 1, berth::TimePoint{}, berth::Deadline());
  item.execution->reply = Finished{true, std::string(element), {}, "{}"};
  return item;
}

std::string told_in_parts(const std::vector<Item>& items) {
  std::string all;
  std::size_t told = 0;
  for (std::string part = array_part(items, told, kPart); !part.empty(); part = array_part(items, told, kPart)) {
    all += part;
    if (items.empty()) break;
  }
  promise(told == items.size(), "every element is told");
  return all;
}

void n_in_n_out(const std::vector<std::string_view>& elements) {
  std::vector<Item> items;
  for (const std::string_view element : elements) items.push_back(answered(element));
  const auto answers = berth::parse_json(told_in_parts(items), kAnswerBounds);
  promise(answers.has_value() && answers->is_array(), "the answer is a JSON array");
  promise(answers->size() == elements.size(), "n elements in, n answers out");
  for (std::size_t i = 0; i < items.size(); ++i) {
    const Json& answer = (*answers)[i];
    promise(answer.is_object() && answer.size() == 5, "an answer has five keys");
    promise(answer["success"] == Json(items[i].execution != nullptr), "answers stand at their elements' places");
    const std::string& id = items[i].execution ? items[i].execution->call.id_json : items[i].id_json;
    promise(berth::dump_json(answer["execution_id"]) == id, "the id is echoed unchanged");
  }
}

// What a reader of whole documents finds in the array is what the splitter finds.
void agrees_with_a_whole_reader(std::string_view text, const std::vector<std::string_view>& elements) {
  const auto whole = berth::parse_json(text);
  if (!whole) return;
  promise(whole->size() == elements.size(), "both readers count the same elements");
  for (std::size_t i = 0; i < elements.size(); ++i) {
    const auto element = berth::parse_json(elements[i]);
    promise(element.has_value() && *element == (*whole)[i], "both readers see the same element");
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text = berth::fuzz::as_text(data, size);
  const auto elements = berth::split_json_array(text, kMaxBatchElements);
  if (!elements) {
    const auto whole = berth::parse_json(text);
    promise(!whole || !whole->is_array() || whole->size() > kMaxBatchElements, "a whole array is never refused");
    return 0;
  }
  n_in_n_out(*elements);
  agrees_with_a_whole_reader(text, *elements);
  return 0;
}

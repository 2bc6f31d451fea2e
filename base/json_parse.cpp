// SPDX-License-Identifier: Apache-2.0
// RapidJSON reads, nlohmann/json holds: reading a kilobyte of text took nlohmann's reader 7 us, a sixth of a call, and
// takes this one 1.
#if defined(__SSE2__)
#define RAPIDJSON_SSE2
#endif
#include <charconv>
#include <nlohmann/json.hpp>
#include <rapidjson/error/en.h>
#include <rapidjson/reader.h>

#include "base/json.hpp"
#include "base/text.hpp"
#include "base/utf8.hpp"

namespace berth {
namespace {

constexpr std::size_t kReadAhead = 16;  // bytes behind the text that the reader may look at, 16 at a time

// Builds the value while it counts, so that nothing past a bound is ever built. The reader's handler: its names.
class BoundedBuilder {
 public:
  using Ch = char;

  explicit BoundedBuilder(const JsonBounds& bounds) : bounds_(bounds) {}

  // NOLINTBEGIN(readability-identifier-naming)
  bool Null() { return add(nullptr); }
  bool Bool(bool value) { return add(value); }
  // Numbers come as texts (kParseNumbersAsStringsFlag): 18446744073709551616e308 is a small negative number to the
  // reader.
  bool Int(int /*value*/) { return false; }
  bool Uint(unsigned /*value*/) { return false; }
  bool Int64(std::int64_t /*value*/) { return false; }
  bool Uint64(std::uint64_t /*value*/) { return false; }
  bool Double(double /*value*/) { return false; }
  bool RawNumber(const char* text, rapidjson::SizeType size, bool /*copy*/) {
    const std::string_view digits(text, size);
    if (digits.find_first_of(".eE") == std::string_view::npos) {
      if (const auto whole = number<std::uint64_t>(digits); whole && digits.front() != '-') return add(*whole);
      if (const auto whole = number<std::int64_t>(digits); whole) return add(*whole);
    }
    if (const auto real = number<double>(digits); real) return add(*real);
    // Neither says whether it is too big or next to nothing; and strtod may have the locale of a client's program.
    Json judged = Json::parse(digits, nullptr, false);
    return (!judged.is_discarded() || refuse("json_syntax", "syntax error: a number is too big")) &&
           add(std::move(judged));
  }
  bool String(const char* text, rapidjson::SizeType size, bool /*copy*/) {
    return is_text({text, size}) && add(std::string(text, size));
  }
  bool StartObject() { return open(Json::object()); }
  bool StartArray() { return open(Json::array()); }
  bool EndObject(rapidjson::SizeType /*size*/) { return close(); }
  bool EndArray(rapidjson::SizeType /*size*/) { return close(); }

  bool Key(const char* text, rapidjson::SizeType size, bool /*copy*/) {
    key_.assign(text, size);
    if (!is_text(key_)) return false;
    if (!open_.back()->contains(key_)) return true;
    return refuse("json_duplicate_key", "key \"" + key_.substr(0, kShownKey) + "\" appears twice in one object");
  }
  // NOLINTEND(readability-identifier-naming)

  // What stopped the reader, when it was no bound.
  void syntax_error(std::size_t position, std::string_view what) {
    if (!error_) refuse("json_syntax", "byte " + std::to_string(position + 1) + ": syntax error: " + std::string(what));
  }

  [[nodiscard]] Expected<Json> take() {
    if (error_) return tl::unexpected(*std::move(error_));
    return std::move(root_);
  }

 private:
  static constexpr std::size_t kShownKey = 64;

  template <typename Number>
  static std::optional<Number> number(std::string_view digits) {
    Number value = 0;
    const auto read = std::from_chars(digits.data(), digits.data() + digits.size(), value);
    if (read.ec != std::errc() || read.ptr != digits.data() + digits.size()) return std::nullopt;
    return value;
  }

  bool refuse(std::string_view code, std::string_view message) {
    error_ = Error{std::string(code), to_valid_utf8(message), {}};
    return false;
  }

  // Asked of what was read: the reader itself lets half of an escaped surrogate pair pass.
  bool is_text(std::string_view text) {
    return is_valid_utf8(text) || refuse("json_syntax", "syntax error: a string is not UTF-8");
  }

  bool add(Json value) { return place(std::move(value)) != nullptr; }

  bool open(Json container) {
    if (open_.size() >= bounds_.max_depth) {
      return refuse("json_too_deep", "nested deeper than " + std::to_string(bounds_.max_depth));
    }
    Json* placed = place(std::move(container));
    if (placed) open_.push_back(placed);
    return placed != nullptr;
  }

  bool close() {
    open_.pop_back();
    return true;
  }

  // A container does not grow while one of its elements is open, so the pointers in open_ stay valid.
  Json* place(Json value) {
    if (++values_ > bounds_.max_values) {
      refuse("json_too_large", "more than " + std::to_string(bounds_.max_values) + " values");
      return nullptr;
    }
    if (open_.empty()) {
      root_ = std::move(value);
      return &root_;
    }
    Json& parent = *open_.back();
    if (parent.is_object()) return &(parent[std::move(key_)] = std::move(value));
    parent.push_back(std::move(value));
    return &parent.back();
  }

  const JsonBounds& bounds_;
  Json root_;
  std::vector<Json*> open_;
  std::string key_;
  std::size_t values_ = 0;
  std::optional<Error> error_;
};

}  // namespace

Expected<Json> parse_json(std::string_view text, const JsonBounds& bounds) {
  if (text.size() > bounds.max_bytes) {
    return fail("json_too_large", "more than " + std::to_string(bounds.max_bytes) + " bytes");
  }
  // The reader takes a NUL for the end of the text.
  if (const auto nul = text.find('\0'); nul != std::string_view::npos) {
    return fail("json_syntax", "byte " + std::to_string(nul + 1) + ": NUL");
  }
  if (text.starts_with("\xEF\xBB\xBF")) return fail("json_syntax", "byte 1: byte order mark");
  std::string copy;  // strings are decoded in their place
  copy.reserve(text.size() + kReadAhead);
  copy.append(text).append(kReadAhead, '\0');
  rapidjson::InsituStringStream stream(copy.data());
  rapidjson::Reader reader;
  BoundedBuilder builder(bounds);
  const auto read = reader.Parse<rapidjson::kParseInsituFlag | rapidjson::kParseNumbersAsStringsFlag>(stream, builder);
  if (read.IsError()) builder.syntax_error(read.Offset(), rapidjson::GetParseError_En(read.Code()));
  return builder.take();
}

}  // namespace berth

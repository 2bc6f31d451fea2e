// SPDX-License-Identifier: Apache-2.0
// Templates: {{NAME}} in strings, replaced once; what is put in is never looked at again. {{{{ is a literal {{.
#pragma once

#include <nlohmann/json_fwd.hpp>
#include <string>
#include <string_view>
#include <tl/expected.hpp>
#include <vector>

#include "jobs/job.hpp"

namespace berth::jobs {

template <typename T>
using OrMessage = tl::expected<T, std::string>;

class Template {
 public:
  struct Piece {
    bool is_name = false;
    std::string text;  // literal text, or a name such as "item.program"
  };

  // The message says what is wrong with a "{{" that begins no template.
  [[nodiscard]] static OrMessage<Template> parse(std::string_view text);

  [[nodiscard]] const std::vector<Piece>& pieces() const { return pieces_; }
  [[nodiscard]] bool is_literal() const;
  // X when the whole text is exactly {{item.X}}: it then takes the type of that value; else empty.
  [[nodiscard]] std::string_view sole_item_field() const;

 private:
  std::vector<Piece> pieces_;
};

// "program" for "item.program"; empty for other names.
[[nodiscard]] std::string_view item_field(std::string_view name);
[[nodiscard]] std::string_view var_name(std::string_view name);

// Why `name` means nothing in this job; empty when it does. Fields of items are not looked at.
[[nodiscard]] std::string complaint_about_name(std::string_view name, const Job& job);

// What the names mean for one trajectory. Keeps references to both arguments.
class Values {
 public:
  Values(const Job& job, const Trajectory& trajectory, const nlohmann::json& item);

  [[nodiscard]] OrMessage<std::string> text(std::string_view text) const;
  // As text(), but "{{item.X}}" alone becomes the value itself.
  [[nodiscard]] OrMessage<nlohmann::json> value(const std::string& text) const;
  // Every string below `json`, keys left alone.
  [[nodiscard]] OrMessage<nlohmann::json> everywhere(const nlohmann::json& json) const;

 private:
  [[nodiscard]] OrMessage<std::string> named(std::string_view name) const;

  const Job& job_;
  const Trajectory& trajectory_;
  const nlohmann::json& item_;
};

}  // namespace berth::jobs

// SPDX-License-Identifier: Apache-2.0
// Reads typed members of one JSON object strictly. The first fault wins; after it every call does nothing, so that a
// reader is a plain list of calls. A member that is absent leaves its target as it was.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/json.hpp"

namespace berth {

class SpecReader {
 public:
  // `object` and `error` must outlive the reader; `prefix` stands before key names in messages ("slot.").
  SpecReader(const Json& object, std::string prefix, std::optional<Error>& error);

  void integer(const std::string& key, std::uint64_t& to, std::uint64_t least, std::uint64_t most);
  void optional_integer(const std::string& key, std::optional<std::uint64_t>& to, std::uint64_t least,
                        std::uint64_t most);
  void number(const std::string& key, double& to, double most);  // above 0
  void optional_number(const std::string& key, std::optional<double>& to, double most);
  // Text never holds NUL: it ends up in paths, arguments and environments.
  void text(const std::string& key, std::string& to, const std::function<bool(std::string_view)>& valid,
            std::string_view wanted);
  void texts(const std::string& key, std::vector<std::string>& to, const std::function<bool(const std::string&)>& valid,
             std::string_view wanted);
  void environment(const std::string& key, std::map<std::string, std::string>& to);
  [[nodiscard]] std::optional<SpecReader> object(const std::string& key);

  template <typename Enum>
  void choice(const std::string& key, Enum& to, std::optional<Enum> (*from_string)(std::string_view),
              std::string_view wanted) {
    std::string name;
    text(
        key, name, [&](std::string_view value) { return from_string(value).has_value(); }, wanted);
    if (const auto value = from_string(name)) to = *value;
  }

  // Call last: a key that was never asked for is a fault, with the nearest known key as the hint.
  void refuse_unknown_keys();

 private:
  const Json* find(const std::string& key);
  void refuse(const std::string& key, std::string_view wanted);

  const Json& object_;
  std::string prefix_;
  std::optional<Error>& error_;
  std::vector<std::string> known_;
};

}  // namespace berth

// SPDX-License-Identifier: Apache-2.0
// Whom commands run as: an image's USER resolved against the image's own accounts. Pure functions of text; every number
// is one of the slot's own ids.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "berth/error.hpp"

namespace berth::isolation {

struct UserIds {
  std::uint32_t uid = 0;
  std::uint32_t gid = 0;
  std::vector<std::uint32_t> groups;  // beside gid; at most protocol::kMostGroups

  [[nodiscard]] bool is_root() const { return uid == 0 && gid == 0 && groups.empty(); }
};

inline constexpr std::uint32_t kLastId = 65535;  // of those that a slot's user namespace maps

// `wanted` is "", USER or USER:GROUP. As container engines read it: a name that /etc/passwd knows brings its group and
// the groups of /etc/group that list it; a number that it does not know has group 0; a group that is named stands
// alone. Error "isolation" for a name that nobody knows, a number past kLastId, or too many groups.
[[nodiscard]] Expected<UserIds> resolve_user(std::string_view wanted, std::string_view passwd, std::string_view group);

// The same with the accounts of a root directory ("" for /). A file that is not there, or no file, knows nobody; beyond
// 1 MiB it is an error.
[[nodiscard]] Expected<UserIds> resolve_user_in(const std::string& root, std::string_view wanted);

}  // namespace berth::isolation

// SPDX-License-Identifier: Apache-2.0
#include "isolation/user.hpp"

#include <fcntl.h>
#include <sys/stat.h>

#include <algorithm>
#include <charconv>
#include <optional>

#include "base/fd.hpp"
#include "isolation/protocol.hpp"

namespace berth::isolation {
namespace {

constexpr std::size_t kAccountsLimit = std::size_t{1} << 20;
constexpr std::size_t kPasswdFields = 4;  // name:password:uid:gid, and what nobody asks for
constexpr std::size_t kGroupFields = 4;   // name:password:gid:members

std::vector<std::string_view> cut(std::string_view text, char separator) {
  std::vector<std::string_view> parts;
  for (;;) {
    const auto end = text.find(separator);
    parts.push_back(text.substr(0, end));
    if (end == std::string_view::npos) return parts;
    text.remove_prefix(end + 1);
  }
}

std::optional<std::uint32_t> id_of(std::string_view text) {
  std::uint32_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc{} || end != text.data() + text.size() || text.empty()) return std::nullopt;
  return value;
}

Expected<std::uint32_t> in_range(std::uint32_t id, std::string_view wanted) {
  if (id <= kLastId) return id;
  return fail("isolation",
              "user " + std::string(wanted) + ": slots have the ids 0 to " + std::to_string(kLastId) + " only",
              "use an image whose USER is one of those");
}

tl::unexpected<Error> unknown(std::string_view what, std::string_view name, std::string_view file) {
  return fail("isolation", std::string(what) + " " + std::string(name) + " is not in the image's " + std::string(file),
              "use an image whose USER exists, or is a number");
}

Expected<std::uint32_t> group_id(std::string_view name, std::string_view group) {
  for (const auto line : cut(group, '\n')) {
    const auto fields = cut(line, ':');
    if (fields.size() < kGroupFields - 1 || fields[0] != name) continue;
    if (const auto id = id_of(fields[2])) return in_range(*id, name);
  }
  if (const auto id = id_of(name)) return in_range(*id, name);
  return unknown("group", name, "/etc/group");
}

struct Account {
  std::string_view name;
  std::uint32_t uid = 0;
  std::uint32_t gid = 0;
};

// A name beats the same text read as a number.
std::optional<Account> find_account(std::string_view user, std::string_view passwd) {
  const auto number = id_of(user);
  std::optional<Account> by_number;
  for (const auto line : cut(passwd, '\n')) {
    const auto fields = cut(line, ':');
    if (fields.size() < kPasswdFields) continue;
    const auto uid = id_of(fields[2]);
    const auto gid = id_of(fields[3]);
    if (!uid || !gid) continue;
    if (fields[0] == user) return Account{fields[0], *uid, *gid};
    if (number == uid && !by_number) by_number = Account{fields[0], *uid, *gid};
  }
  return by_number;
}

Expected<std::vector<std::uint32_t>> groups_of(const Account& account, std::string_view group) {
  std::vector<std::uint32_t> found;
  for (const auto line : cut(group, '\n')) {
    const auto fields = cut(line, ':');
    if (fields.size() < kGroupFields) continue;
    const auto members = cut(fields[3], ',');
    const auto id = id_of(fields[2]);
    if (!id || *id == account.gid || std::find(members.begin(), members.end(), account.name) == members.end()) continue;
    const auto checked = in_range(*id, fields[0]);
    if (!checked) return tl::unexpected(checked.error());
    if (std::find(found.begin(), found.end(), *id) == found.end()) found.push_back(*id);
  }
  if (found.size() > protocol::kMostGroups) {
    return fail("isolation", "user " + std::string(account.name) + " is in more than " +
                                 std::to_string(protocol::kMostGroups) + " groups of the image");
  }
  return found;
}

Expected<std::string> read_accounts(const std::string& path) {
  // A fifo or device that an image has put there must not hold us up.
  const UniqueFd file(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY));
  struct stat info {};
  if (!file || ::fstat(file.get(), &info) != 0 || !S_ISREG(info.st_mode)) return std::string();
  auto text = read_all(file.get(), kAccountsLimit);
  if (!text) return tl::unexpected(text.error().within(path));
  return text;
}

}  // namespace

Expected<UserIds> resolve_user(std::string_view wanted, std::string_view passwd, std::string_view group) {
  UserIds ids;
  if (wanted.empty()) return ids;
  const auto colon = wanted.find(':');
  const auto user = colon == 0 ? std::string_view("0") : wanted.substr(0, colon);
  const auto named_group = colon == std::string_view::npos ? std::string_view() : wanted.substr(colon + 1);
  const auto account = find_account(user, passwd);
  if (!account && !id_of(user)) return unknown("user", user, "/etc/passwd");
  const auto uid = in_range(account ? account->uid : *id_of(user), user);
  if (!uid) return tl::unexpected(uid.error());
  ids.uid = *uid;
  const auto gid = named_group.empty() ? in_range(account ? account->gid : 0, user) : group_id(named_group, group);
  if (!gid) return tl::unexpected(gid.error());
  ids.gid = *gid;
  if (!account || !named_group.empty() || ids.uid == 0) return ids;
  auto more = groups_of(*account, group);
  if (!more) return tl::unexpected(more.error());
  ids.groups = std::move(*more);
  return ids;
}

Expected<UserIds> resolve_user_in(const std::string& root, std::string_view wanted) {
  if (wanted.empty()) return UserIds{};
  const auto passwd = read_accounts(root + "/etc/passwd");
  if (!passwd) return tl::unexpected(passwd.error());
  const auto group = read_accounts(root + "/etc/group");
  if (!group) return tl::unexpected(group.error());
  return resolve_user(wanted, *passwd, *group);
}

}  // namespace berth::isolation

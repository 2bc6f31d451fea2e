// SPDX-License-Identifier: Apache-2.0
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <charconv>
#include <filesystem>
#include <sstream>

#include "base/fd.hpp"
#include "isolation/layout.hpp"

namespace berth::isolation {
namespace {

namespace fs = std::filesystem;

// Names in /etc that programs need and that tell nothing about the machine's people. A trailing '*' stands for any end.
constexpr std::string_view kAllowed[] = {
    "passwd",          "group",       "hosts",          "hostname",     "nsswitch.conf", "resolv.conf",    "host.conf",
    "gai.conf",        "ld.so.cache", "ld.so.conf",     "ld.so.conf.d", "alternatives",  "mime.types",     "magic",
    "localtime",       "timezone",    "protocols",      "services",     "os-release",    "debian_version", "profile",
    "bash.bashrc",     "inputrc",     "shells",         "login.defs",   "locale.alias",  "fonts",          "perl",
    "ssl/openssl.cnf", "ssl/certs",   "default/locale", "python3*",     "java*",
};
constexpr std::size_t kFileLimit = std::size_t{16} << 20;
constexpr unsigned kFirstPerson = 1000;
constexpr unsigned kNobody = 65534;

bool matches(std::string_view name, std::string_view pattern) {
  if (!pattern.ends_with('*')) return name == pattern;
  pattern.remove_suffix(1);
  return name.starts_with(pattern);
}

// A person's line of passwd or group: "name:x:1000:...".
bool is_person(std::string_view line) {
  for (int skip = 0; skip < 2; ++skip) {
    const auto colon = line.find(':');
    if (colon == std::string_view::npos) return true;  // not a line to keep
    line.remove_prefix(colon + 1);
  }
  unsigned id = 0;
  const auto [end, error] = std::from_chars(line.data(), line.data() + line.size(), id);
  return error != std::errc{} || (id >= kFirstPerson && id != kNobody);
}

// Root's home becomes the workspace; a password that somebody left in the file does not travel.
std::string rewrite_account(const std::string& line, bool is_passwd) {
  std::vector<std::string> fields;
  std::istringstream in(line);
  for (std::string field; std::getline(in, field, ':');) fields.push_back(field);
  if (fields.size() > 1) fields[1] = "x";
  if (!is_passwd && fields.size() > 3) fields[3].clear();  // members are people
  if (is_passwd && fields.size() > 5 && fields[2] == "0") fields[5] = "/workspace";
  std::string text;
  for (std::size_t i = 0; i < fields.size(); ++i) text += (i == 0 ? "" : ":") + fields[i];
  if (!is_passwd && fields.size() == 3) text += ":";
  return text;
}

std::string reduce_accounts(const std::string& content, bool is_passwd) {
  std::istringstream in(content);
  std::string kept;
  for (std::string line; std::getline(in, line);) {
    if (!is_person(line)) kept += rewrite_account(line, is_passwd) + "\n";
  }
  return kept;
}

// Follows links: what a link points at outside /usr and /etc does not exist in a slot.
Expected<void> copy_file(const fs::path& source, const fs::path& target, std::string_view name) {
  const UniqueFd in(::open(source.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK));
  struct stat info {};
  if (!in || ::fstat(in.get(), &info) != 0) return {};  // a link to nothing: left out
  if (!S_ISREG(info.st_mode) || (info.st_mode & S_IROTH) == 0) return {};
  auto content = read_all(in.get(), kFileLimit);
  if (!content) return tl::unexpected(content.error().within(source.string()));
  if (name == "passwd" || name == "group") *content = reduce_accounts(*content, name == "passwd");
  const UniqueFd out(::open(target.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600));
  if (!out) return fail_errno("making " + target.string(), errno);
  if (auto written = write_all(out.get(), *content); !written) return written;
  if (::fchmod(out.get(), (info.st_mode & 0555) | 0200) != 0) return fail_errno("chmod " + target.string(), errno);
  return {};
}

bool stays_inside(const fs::path& link, const fs::path& etc) {
  std::error_code error;
  const auto target = fs::read_symlink(link, error);
  if (error) return false;
  const auto whole = (target.is_absolute() ? target : link.parent_path() / target).lexically_normal().string();
  return whole.starts_with("/usr/") || whole.starts_with(etc.string() + "/");
}

Expected<void> copy_any(const fs::path& source, const fs::path& target, const fs::path& etc, std::string_view name) {
  std::error_code error;
  const auto status = fs::symlink_status(source, error);
  if (error) return {};
  if (fs::is_symlink(status) && stays_inside(source, etc)) {
    fs::copy_symlink(source, target, error);
    if (error) return fail("system", "linking " + target.string() + ": " + error.message());
    return {};
  }
  if (!fs::is_directory(status)) return copy_file(source, target, name);
  if ((status.permissions() & fs::perms::others_exec) == fs::perms::none) return {};
  fs::create_directories(target, error);
  if (error) return fail("system", "making " + target.string() + ": " + error.message());
  fs::permissions(target, fs::perms(0755), error);
  for (const auto& item : fs::directory_iterator(source, error)) {
    if (auto copied = copy_any(item.path(), target / item.path().filename(), etc, ""); !copied) return copied;
  }
  return {};
}

Expected<void> make_parents(const fs::path& target, std::string_view name) {
  const auto slash = name.find('/');
  if (slash == std::string_view::npos) return {};
  std::error_code error;
  fs::create_directories(target / name.substr(0, slash), error);
  if (!error) fs::permissions(target / name.substr(0, slash), fs::perms(0755), error);
  if (error) return fail("system", "making a directory below " + target.string() + ": " + error.message());
  return {};
}

Expected<void> copy_pattern(const fs::path& source, const fs::path& target, std::string_view pattern) {
  if (!pattern.ends_with('*')) {
    if (auto made = make_parents(target, pattern); !made) return made;
    return copy_any(source / pattern, target / pattern, source, pattern);
  }
  std::error_code error;
  for (const auto& item : fs::directory_iterator(source, error)) {
    const auto name = item.path().filename().string();
    if (!matches(name, pattern)) continue;
    if (auto copied = copy_any(item.path(), target / name, source, name); !copied) return copied;
  }
  return {};
}

}  // namespace

Expected<void> copy_minimal_etc(const std::string& source, const std::string& target) {
  std::error_code error;
  fs::remove_all(target, error);
  fs::create_directories(target, error);
  if (!error) fs::permissions(target, fs::perms(0755), error);
  if (error) return fail("system", "making " + target + ": " + error.message());
  for (const auto pattern : kAllowed) {
    if (auto copied = copy_pattern(source, target, pattern); !copied) return copied;
  }
  return {};
}

}  // namespace berth::isolation

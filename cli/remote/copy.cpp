// SPDX-License-Identifier: Apache-2.0
// berth cp: files and folders into a slot and out of it.
#include <sys/stat.h>
#include <unistd.h>

#include <nlohmann/json.hpp>

#include "base/fd.hpp"
#include "base/json.hpp"
#include "base/text.hpp"
#include "cli/host_files.hpp"
#include "cli/pack.hpp"
#include "cli/remote/commands.hpp"
#include "cli/remote/remote_pool.hpp"
#include "cli/remote/table.hpp"
#include "cli/terminal.hpp"

namespace berth::cli {

namespace asio = boost::asio;

namespace {

constexpr std::chrono::minutes kLimit{60};
constexpr std::uint64_t kMostBytes = std::uint64_t{64} << 30;

struct SlotPath {
  std::string lease;
  std::string path;  // relative to the workspace
};

Deadline deadline() {
  return Deadline(now() + kLimit);
}

// "LEASE:PATH"; a path of this machine has its slash before any colon.
std::optional<SlotPath> slot_path(const std::string& text) {
  const std::size_t colon = text.find(':');
  if (colon == std::string::npos || colon == 0 || text.find('/') < colon) return std::nullopt;
  std::string_view path = std::string_view(text).substr(colon + 1);
  constexpr std::string_view kRoot = "/workspace";
  if (path == kRoot || path.starts_with("/workspace/")) path.remove_prefix(kRoot.size());
  while (path.starts_with('/')) path.remove_prefix(1);
  return SlotPath{text.substr(0, colon), std::string(path)};
}

std::string last_name(std::string path) {
  while (path.size() > 1 && path.ends_with('/')) path.pop_back();
  return path.substr(path.rfind('/') + 1);
}

bool is_folder(const std::string& path) {
  struct stat facts {};
  return ::stat(path.c_str(), &facts) == 0 && S_ISDIR(facts.st_mode);
}

int fail_with(const Error& error) {
  print_error(error);
  return error.code == "connect" || error.code == "transport" ? kPlatform : kUsage;
}

// A folder's content lands in the folder named; a file takes the name given, or its own below one that ends in '/'.
asio::awaitable<int> bring(Place& place, const std::string& from, const SlotPath& to) {
  const bool folder = is_folder(from);
  const bool into = to.path.empty() || to.path.ends_with('/');
  const std::string name = into ? last_name(from) : folder_and_name(to.path).second;
  auto tar = pack(from, name);
  if (!tar) co_return fail_with(tar.error());
  const std::string target = folder || into ? to.path : folder_and_name(to.path).first;
  const auto done = co_await place.put_tar(to.lease, target, std::move(*tar), deadline());
  if (!done) co_return fail_with(done.error());
  co_return kSuccess;
}

asio::awaitable<Expected<void>> fetch_file(Place& place, const SlotPath& from, const std::string& to) {
  const bool into = to.ends_with('/') || is_folder(to);
  const auto [folder_path, given] = folder_and_name(to);
  const std::string folder_name = into ? to : folder_path;
  const auto folder = HostFolder::open(folder_name.empty() ? (to.starts_with('/') ? "/" : ".") : folder_name);
  if (!folder) co_return tl::unexpected(folder.error());
  auto file = folder->create(into ? last_name(from.path) : given);
  if (!file) co_return tl::unexpected(file.error());
  Place::BytesSink sink = [&file](std::string_view part) { return file->write(part); };
  const auto done = co_await place.get_file(from.lease, from.path, false, std::move(sink), deadline());
  if (!done) co_return done;
  co_return file->commit(0644);
}

asio::awaitable<Expected<void>> fetch_tree(Place& place, const SlotPath& from, const std::string& to) {
  const auto spool = HostFolder::open(place.state_dir());
  if (!spool) co_return tl::unexpected(spool.error());
  auto file = spool->create("tree.tar");
  if (!file) co_return tl::unexpected(file.error());
  Place::BytesSink sink = [&file](std::string_view part) { return file->write(part); };
  const auto done = co_await place.get_file(from.lease, from.path, true, std::move(sink), deadline());
  if (!done) co_return done;
  if (auto kept = file->commit(0600); !kept) co_return kept;
  if (::mkdir(to.c_str(), 0755) != 0 && errno != EEXIST) co_return fail_errno("making " + to, errno);
  const auto folder = HostFolder::open(to);
  if (!folder) co_return tl::unexpected(folder.error());
  std::vector<std::string> skipped;
  const UnpackLimits limits{kMostBytes, 1'000'000};
  auto unpacked = folder->unpack(place.state_dir() + "/tree.tar", limits, skipped);
  for (const std::string& each : skipped) print_warning("left out " + each);
  co_return unpacked;
}

asio::awaitable<int> fetch(Place& place, const SlotPath& from, const std::string& to) {
  Expected<void> done;
  const bool tree = from.path.empty();
  if (!tree) done = co_await fetch_file(place, from, to);
  const bool is_tree = tree || (!done && (done.error().code == "not_a_file" || done.error().code == "is_directory"));
  if (is_tree) done = co_await fetch_tree(place, from, to);
  if (!done) co_return fail_with(done.error());
  co_return kSuccess;
}

}  // namespace

int copy_command(const CopyOptions& options) {
  const auto from = slot_path(options.from);
  const auto to = slot_path(options.to);
  if (from.has_value() == to.has_value()) {
    print_error({"bad_usage", "one of the two must be in a slot, as LEASE:PATH", "berth cp LEASE:report.xml ."});
    return kUsage;
  }
  const auto work = [&](Place& place) {
    return from ? fetch(place, *from, options.to) : bring(place, options.from, *to);
  };
  const int code = run_in_existing(kPlatform, work);
  if (code == kSuccess && options.json)
    print_out(dump_json(Json{{"from", options.from}, {"to", options.to}, {"copied", true}}) + "\n");
  return code;
}

}  // namespace berth::cli

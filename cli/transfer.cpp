// SPDX-License-Identifier: Apache-2.0
#include "cli/transfer.hpp"

#include <unistd.h>

#include "base/fd.hpp"
#include "base/text.hpp"
#include "cli/host_files.hpp"
#include "cli/pack.hpp"
#include "drivers/paths.hpp"

namespace berth::cli {

namespace asio = boost::asio;

namespace {

constexpr std::chrono::minutes kTransferLimit{10};
constexpr std::uint64_t kTarOverhead = std::uint64_t{64} << 20;

Deadline transfer_deadline() {
  return Deadline(now() + kTransferLimit);
}

// "/workspace/a/b" and "a/b" both name a/b of the workspace.
std::string in_workspace(std::string_view path) {
  constexpr std::string_view kRoot = "/workspace";
  if (path == kRoot || path.starts_with("/workspace/")) path.remove_prefix(kRoot.size());
  while (path.starts_with('/')) path.remove_prefix(1);
  return std::string(path);
}

std::string without_end_slash(std::string path) {
  while (path.size() > 1 && path.ends_with('/')) path.pop_back();
  return path;
}

std::string source_of(const jobs::Job& job, const jobs::Input& input) {
  return input.from.starts_with('/') ? input.from : job.directory + "/" + input.from;
}

// What a single file is called in the slot.
std::string file_name_of(const jobs::Input& input) {
  return input.to.ends_with('/') ? folder_and_name(without_end_slash(input.from)).second
                                 : folder_and_name(input.to).second;
}

std::string place_of(const jobs::Job& job, const jobs::Position& at) {
  return jobs::to_string({job.file, at, ""});
}

bool is_directory(const std::string& path) {
  return ::access((path + "/.").c_str(), F_OK) == 0;
}

}  // namespace

Expected<void> PackedInputs::prepare(const jobs::Job& job, const std::vector<jobs::ReadyWork>& works,
                                     const std::string& state_dir) {
  for (const jobs::ReadyWork& work : works) {
    for (const jobs::Input& input : work.inputs) {
      const std::string source = source_of(job, input);
      // A directory has no name of its own in the tar, so that it lands in `to` itself.
      const auto key = std::make_pair(input.from, file_name_of(input));
      if (tars_.contains(key)) continue;
      auto tar = pack_into(drivers::inputs_path(state_dir), source, key.second);
      if (!tar) return tl::unexpected(tar.error().within(place_of(job, input.at) + "input"));
      tars_.emplace(key, (is_directory(source) ? "d" : "f") + *tar);
    }
  }
  return {};
}

std::pair<std::string, std::string> PackedInputs::find(const jobs::Input& input) const {
  const std::string& kept = tars_.at({input.from, file_name_of(input)});
  const bool directory = kept.front() == 'd';
  const std::string to = in_workspace(input.to);
  const std::string folder = directory || to.ends_with('/') ? without_end_slash(to) : folder_and_name(to).first;
  return {kept.substr(1), folder};
}

asio::awaitable<Expected<void>> bring_inputs(Place& place, std::string lease, const std::vector<jobs::Input>& inputs,
                                             const PackedInputs& packed) {
  if (place.brings_inputs()) co_return Expected<void>{};
  for (const jobs::Input& input : inputs) {
    const auto [tar, folder] = packed.find(input);
    auto bytes = read_file(tar, kMostInputBytes * 2);
    if (!bytes) co_return tl::unexpected(bytes.error());
    const auto done = co_await place.put_tar(lease, folder, std::move(*bytes), transfer_deadline());
    if (!done) co_return tl::unexpected(done.error().within("bringing " + input.from + " to " + input.to));
  }
  co_return Expected<void>{};
}

namespace {

// Where an output goes: the folder below the job file's, and its name there.
std::pair<std::string, std::string> target_of(const jobs::Output& output) {
  if (output.to.ends_with('/')) return {output.to, folder_and_name(without_end_slash(output.from)).second};
  return folder_and_name(output.to);
}

Expected<HostFolder> enter(const jobs::Job& job, const std::string& path) {
  const auto root = HostFolder::open(job.directory);
  if (!root) return tl::unexpected(root.error());
  return root->enter(path.empty() ? "." : path);
}

asio::awaitable<Expected<void>> fetch_file(Place& place, const std::string& lease, const jobs::Job& job,
                                           const jobs::Output& output) {
  const auto [folder_path, name] = target_of(output);
  // The file appears only when it is there as a whole.
  std::optional<HostFolder::NewFile> file;
  const auto sink = [&](std::string_view part) -> Expected<void> { return file->write(part); };
  const auto folder = enter(job, folder_path);
  if (!folder) co_return tl::unexpected(folder.error());
  auto made = folder->create(name);
  if (!made) co_return tl::unexpected(made.error());
  file.emplace(std::move(*made));
  const auto done = co_await place.get_file(lease, in_workspace(output.from), false, sink, transfer_deadline());
  if (!done) co_return done;
  co_return file->commit(0644);
}

asio::awaitable<Expected<void>> fetch_tree(Place& place, const std::string& lease, const jobs::Job& job,
                                           const jobs::Output& output, std::vector<std::string>& skipped) {
  const std::string& state_dir = place.state_dir();
  const auto spool = HostFolder::open(state_dir);
  if (!spool) co_return tl::unexpected(spool.error());
  const std::string name = "output-" + random_hex(8);
  auto file = spool->create(name);
  if (!file) co_return tl::unexpected(file.error());
  const std::uint64_t most = job.slot.disk_bytes + kTarOverhead;
  std::uint64_t total = 0;
  const auto sink = [&](std::string_view part) -> Expected<void> {
    total += part.size();
    if (total > most) return fail("output_too_large", output.from + " is larger than the slot's disk");
    return file->write(part);
  };
  const auto done = co_await place.get_file(lease, in_workspace(output.from), true, sink, transfer_deadline());
  if (!done) co_return done;
  if (auto kept = file->commit(0600); !kept) co_return kept;
  const auto [folder_path, own_name] = target_of(output);
  const auto folder = enter(job, folder_path + "/" + own_name);
  const auto unpacked =
      folder ? folder->unpack(state_dir + "/" + name, {most, 200'000}, skipped) : tl::unexpected(folder.error());
  ::unlink((state_dir + "/" + name).c_str());
  co_return unpacked;
}

}  // namespace

asio::awaitable<FetchedOutput> fetch_output(Place& place, std::string lease, const jobs::Job& job,
                                            jobs::Output output) {
  FetchedOutput fetched;
  auto done = co_await fetch_file(place, lease, job, output);
  std::vector<std::string> skipped;
  if (!done && done.error().code == "not_a_file") done = co_await fetch_tree(place, lease, job, output, skipped);
  for (const std::string& each : skipped) fetched.warnings.push_back("output " + output.from + ": left out " + each);
  if (done) co_return fetched;
  const Error error = done.error().within("output " + output.from);
  if (error.code == "not_found" && !output.required) {
    fetched.warnings.push_back(error.message);
  } else {
    fetched.error = error;
  }
  co_return fetched;
}

}  // namespace berth::cli

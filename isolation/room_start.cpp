// SPDX-License-Identifier: Apache-2.0
#include <unistd.h>

#include <cerrno>

#include "isolation/room_impl.hpp"

extern "C" char** environ;

namespace berth::isolation {
namespace {

bool has_nul(const std::string& text) {
  return text.find('\0') != std::string::npos;
}

Expected<std::string> join_text(const std::string& cwd, const Command& what) {
  std::string text;
  bool broken = has_nul(cwd);
  text.append(cwd).push_back('\0');
  for (const auto* list : {&what.argv, &what.env}) {
    for (const auto& part : *list) {
      broken |= has_nul(part);
      text.append(part).push_back('\0');
    }
  }
  if (broken) return fail("rejected", "a NUL byte in an argument, a variable or the working directory");
  if (text.size() > protocol::kPayloadLimit) return fail("rejected", "arguments and environment are longer than 4 MiB");
  return text;
}

std::uint64_t smaller(std::uint64_t limit, const std::optional<std::uint64_t>& wanted) {
  return wanted && *wanted < limit ? *wanted : limit;
}

}  // namespace

Expected<Outgoing> encode_start(std::uint64_t id, const Command& what, unsigned standard_flags,
                                const protocol::Start& limits) {
  if (what.argv.empty() || what.argv.front().empty()) return fail("rejected", "a command needs a program to run");
  auto text = join_text(what.cwd, what);
  if (!text) return tl::unexpected(text.error());
  protocol::Start fixed = limits;
  fixed.command = id;
  fixed.flags = standard_flags | (what.tty ? protocol::kTty : 0U) | (what.no_network ? protocol::kNoNetwork : 0U);
  fixed.argc = static_cast<std::uint32_t>(what.argv.size());
  fixed.envc = static_cast<std::uint32_t>(what.env.size());
  fixed.text_size = static_cast<std::uint32_t>(text->size());
  Outgoing out;
  const bool in_file = sizeof fixed + text->size() > protocol::kPacketLimit;
  if (in_file) {
    fixed.flags |= protocol::kTextInFile;
    auto file = make_sealed_memfd("command", *text);
    if (!file) return tl::unexpected(file.error());
    out.owned.push_back(std::move(*file));
    text->clear();
  }
  fixed.header.size = static_cast<std::uint32_t>(sizeof fixed + text->size());
  out.bytes.assign(reinterpret_cast<const char*>(&fixed), sizeof fixed);
  out.bytes += *text;
  return out;
}

// A group of the call's own where there are groups, else what setrlimit can do.
Expected<std::vector<UniqueFd>> Room::Impl::open_call_group(std::uint64_t id, const Command& what,
                                                            protocol::Start& limits) {
  limits.cpu_seconds = smaller(protocol::kNoLimit, what.cpu_seconds);
  const bool memory_here = what.memory_bytes && shared_.abilities.cgroup_memory;
  const bool pids_here = what.pids && shared_.abilities.cgroup_pids;
  if (!memory_here) limits.data_bytes = smaller(protocol::kNoLimit, what.memory_bytes);
  if (!pids_here) limits.processes = smaller(protocol::kNoLimit, what.pids);
  if (!group_ || (!memory_here && !pids_here)) return std::vector<UniqueFd>{};
  auto group = group_->make_child("call_" + std::to_string(id), memory_here ? what.memory_bytes : std::nullopt,
                                  pids_here ? what.pids : std::nullopt);
  if (!group) return tl::unexpected(group.error());
  auto join = (*group)->join_fds();
  if (join) call_groups_[id] = std::move(*group);
  return join;
}

// Without a root of its own the workspace is a plain directory somewhere.
std::string Room::Impl::own_cwd(const std::string& cwd) const {
  constexpr std::string_view kWorkspace = "/workspace";
  if (shared_.isolated || !cwd.starts_with(kWorkspace)) return cwd;
  const std::string rest = cwd.substr(kWorkspace.size());
  if (!rest.empty() && rest.front() != '/') return cwd;
  const std::string own = spec_.workspace_dir.empty() ? shared_.work_dir + "/slots/" + spec_.slot : spec_.workspace_dir;
  return own + rest;
}

Expected<void> Room::Impl::start(std::uint64_t id, const Command& what, CommandFds fds) {
  protocol::Start limits;
  call_usage_.erase(id);
  auto join = open_call_group(id, what, limits);
  if (!join) return tl::unexpected(join.error());
  Command adjusted = what;
  adjusted.cwd = own_cwd(what.cwd);
  if (!has(shared_.plan.in_force, Measure::clean_env)) {  // dropped for a test: ours shows through
    for (char** variable = environ; *variable != nullptr; ++variable) adjusted.env.emplace_back(*variable);
  }
  const unsigned flags =
      (fds.in ? protocol::kHasIn : 0U) | (fds.out ? protocol::kHasOut : 0U) | (fds.err ? protocol::kHasErr : 0U);
  auto message = encode_start(id, adjusted, flags, limits);
  std::vector<int> numbers;
  if (message) {
    for (const auto& fd : message->owned) numbers.push_back(fd.get());
    for (const auto* fd : {&fds.in, &fds.out, &fds.err}) {
      if (*fd) numbers.push_back(fd->get());
    }
    for (const auto& fd : *join) numbers.push_back(fd.get());
    auto sent = gone_ ? fail("gone", "the slot's keeper is gone", "reset the slot")
                      : send_packet(control_.get(), message->bytes.data(), message->bytes.size(), numbers);
    if (sent) return {};
    close_call_group(id);
    return sent;
  }
  close_call_group(id);
  return tl::unexpected(message.error());
}

}  // namespace berth::isolation

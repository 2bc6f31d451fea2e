// SPDX-License-Identifier: Apache-2.0
// A container before it is started. Its files are bound into it: sending slotd through the engine would make it
// unpack 4.5 MB for each, a third of what a crowd of containers takes. It is sent where the engine does not see it, as
// for an agent that itself lives in a container and shares nothing but its folders.
#include <sys/stat.h>
#include <sys/statvfs.h>

#include <cerrno>

#include "base/fd.hpp"
#include "drivers/docker/container.hpp"
#include "drivers/docker/create_request.hpp"
#include "drivers/docker/seccomp.hpp"

namespace berth::drivers::docker {
namespace {

Expected<void> make_private_folder(const std::string& path) {
  if (::mkdir(path.c_str(), 0700) == 0 || errno == EEXIST) return {};
  return fail_errno("creating " + path, errno);
}

Expected<void> check_engine(const EngineFacts& engine) {
  if (engine.system != "linux")
    return fail("engine_unsuitable", "the Docker Engine runs " + engine.system + " containers", "switch it to Linux");
  if (engine.remaps_users)
    return fail("engine_unsuitable",
                "the Docker Engine gives containers other users (userns-remap), who cannot reach this agent's folder",
                "take userns-remap out of its configuration; slots have user namespaces of their own");
  return {};
}

// The engine looks for what it is to bind on its own machine, and does so before it makes anything. `path` empty:
// whatever it is that it does not find.
bool lacks(const Error& error, const std::string& path) {
  return error.message.find("bind source path does not exist: " + path) != std::string::npos;
}

// Not off a file system whose programs do not run: a copy does.
bool may_run_from(const std::string& program) {
  struct statvfs facts {};
  return ::statvfs(program.c_str(), &facts) == 0 && (facts.f_flag & ST_NOEXEC) == 0;
}

Error elsewhere(const std::string& engine) {
  return Error{"docker_elsewhere",
               "the Docker Engine at " + engine +
                   " does not see this agent's folders: it runs on another machine, whose containers this version does "
                   "not reach",
               "run an agent on that machine, and name it with BERTH_ADDR"};
}

// Where there are none slotd says which limits it misses.
std::vector<Hierarchy> hierarchies_for(const EngineFacts& engine) {
  if (!engine.cgroup_v1 || !engine.cgroupfs) return {};
  return own_hierarchies();
}

}  // namespace

Expected<void> Container::make_folders() const {
  for (const std::string& path : {containers_path(yard_->options.state_dir), paths_.root})
    if (auto made = make_private_folder(path); !made) return made;
  return {};
}

asio::awaitable<Expected<void>> Container::create(const ImageFacts& image) {
  const auto engine = co_await yard_->engine->facts(answer_by());
  if (!engine) co_return tl::unexpected(engine.error());
  if (auto suitable = check_engine(*engine); !suitable) co_return suitable;
  if (auto made = make_folders(); !made) co_return made;
  const std::string spec = container_spec_to_json(inside_spec(wanted_, image));
  if (auto written = write_file_atomically(paths_.config(), spec); !written) co_return written;
  if (auto groups = SlotGroups::make(wanted_, hierarchies_for(*engine))) groups_.emplace(std::move(*groups));
  CreateRequest request;
  request.wanted = wanted_;
  request.image = image;
  request.engine = *engine;
  request.agent_id = yard_->options.agent_id;
  request.state = paths_.root;
  if (may_run_from(yard_->options.slotd)) request.program = yard_->options.slotd;
  request.seccomp = seccomp_profile();
  if (groups_) request.group_parent = groups_->parent();
  if (groups_) request.groups = groups_->mounts();
  request.lonely_limit = yard_->options.lonely_limit;
  request.engine_removes = yard_->options.engine_removes;
  std::string body = create_body(request);
  auto id = co_await create_once(body);
  if (!id && !request.program.empty() && lacks(id.error(), request.program)) {
    request.program.clear();
    body = create_body(request);
    id = co_await create_once(body);
  }
  if (!id && lacks(id.error(), {})) id = tl::unexpected(elsewhere(yard_->engine->where()));
  if (!id) co_return tl::unexpected(id.error());
  engine_id_ = std::move(*id);
  if (!request.program.empty() || over()) co_return Expected<void>();
  co_return co_await send_program();
}

// A name in use is that of a container which this agent had made although it never heard so, or somebody else's.
asio::awaitable<Expected<std::string>> Container::create_once(const std::string& body) {
  const std::string name = container_name(wanted_.spec.id);
  create_asked_ = true;
  auto id = co_await yard_->engine->create(name, body, answer_by());
  if (id || id.error().code != "engine_conflict") co_return id;
  const auto own = co_await find_own();
  if (!own || own->empty()) co_return id;
  const auto removed = co_await yard_->engine->remove(*own, answer_by());
  if (!removed) co_return tl::unexpected(removed.error());
  id = co_await yard_->engine->create(name, body, answer_by());
  co_return id;
}

asio::awaitable<Expected<void>> Container::send_program() {
  std::vector<FileToSend> files(1);
  files[0].name = "slotd";
  files[0].mode = 0755;
  files[0].path = yard_->options.slotd;
  const std::string folder = kHome;
  return yard_->engine->send_files(engine_id_, folder, std::move(files), answer_by());
}

}  // namespace berth::drivers::docker

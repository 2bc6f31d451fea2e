// SPDX-License-Identifier: Apache-2.0
// A container on its way up, and what is heard of it.
#include "drivers/docker/container.hpp"

#include <sys/stat.h>

#include <boost/asio/post.hpp>
#include <cerrno>

#include "base/fd.hpp"
#include "base/http/await.hpp"
#include "base/text.hpp"
#include "drivers/docker/seccomp.hpp"
#include "drivers/ready_line.hpp"

namespace berth::drivers::docker {
namespace {

using http::kAwait;
constexpr std::chrono::milliseconds kReadyPace{10};
constexpr std::chrono::seconds kLastWordsLimit{5};
constexpr unsigned kLastWordsLines = 20;
constexpr std::size_t kLastWordsBytes = 2000;
constexpr std::size_t kMostMounts = std::size_t{4} << 20;

Expected<void> make_private_folder(const std::string& path) {
  if (::mkdir(path.c_str(), 0700) == 0 || errno == EEXIST) return {};
  return fail_errno("creating " + path, errno);
}

tl::unexpected<Error> was_stopped() {
  return fail("stopped", "it was stopped while it started");
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

// The engine looks for the folders of this agent on its own machine, and does so before it makes anything.
bool lacks_our_folders(const Error& error) {
  return error.message.find("bind source path does not exist") != std::string::npos;
}

Error elsewhere(const std::string& engine) {
  return Error{"docker_elsewhere",
               "the Docker Engine at " + engine +
                   " does not see this agent's folders: it runs on another machine, whose containers this version does "
                   "not reach",
               "run an agent on that machine, and name it with BERTH_ADDR"};
}

// None where it cannot be read: slotd says which limits it misses.
std::vector<Hierarchy> hierarchies_for(const EngineFacts& engine) {
  if (!engine.cgroup_v1 || !engine.cgroupfs) return {};
  const auto mounts = read_file("/proc/self/mountinfo", kMostMounts);
  return mounts ? read_hierarchies(*mounts) : std::vector<Hierarchy>{};
}

}  // namespace

Container::Container(std::shared_ptr<const Yard> yard, Wanted wanted, Heard heard)
    : yard_(std::move(yard)),
      wanted_(std::move(wanted)),
      paths_(container_paths(yard_->options.state_dir, wanted_.spec.id)),
      heard_(std::move(heard)),
      wake_(yard_->context),
      hurry_timer_(yard_->context),
      kill_timer_(yard_->context) {
  facts_.id = wanted_.spec.id;
  facts_.slots = wanted_.spec.slots;
}

asio::awaitable<void> Container::run() {
  const auto self = shared_from_this();
  const Expected<void> started = co_await start();
  if (started && !over()) publish(ContainerState::running);
  while (started && !over()) co_await pause(Duration::max());
  const bool asked = stopping_;
  // Why it did not come up is a better reason than the end that this brought.
  if (!started) death_ = started.error();
  if (!asked) co_await add_last_words();
  co_await take_down(asked);
  if (!asked) facts_.error = death_;
  publish(ContainerState::gone);
}

// --- up -------------------------------------------------------------------------------------------------------------

asio::awaitable<Expected<void>> Container::start() {
  const auto image = co_await find_image();
  if (!image) co_return tl::unexpected(image.error());
  if (over()) co_return was_stopped();
  auto done = co_await create(*image);
  if (done && !over()) done = co_await send_program(*image);
  if (done && !over()) done = co_await launch();
  if (!done) co_return done;
  co_return co_await become_ready();
}

asio::awaitable<Expected<ImageFacts>> Container::find_image() {
  image_ = std::make_shared<http::Promise<Expected<ImageFacts>>>(yard_->context);
  if (over()) co_return was_stopped();
  yard_->images->find(wanted_.image, image_);
  auto image = co_await image_->wait(Deadline());
  yard_->images->forget(wanted_.image, image_);
  if (!image) co_return was_stopped();
  co_return std::move(*image);
}

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
  if (auto groups = SlotGroups::make(wanted_, hierarchies_for(*engine))) groups_.emplace(std::move(*groups));
  CreateRequest request;
  request.wanted = wanted_;
  request.image = image;
  request.engine = *engine;
  request.agent_id = yard_->options.agent_id;
  request.state = paths_.root;
  request.seccomp = seccomp_profile();
  if (groups_) request.group_parent = groups_->parent();
  if (groups_) request.groups = groups_->mounts();
  request.lonely_limit = yard_->options.lonely_limit;
  request.engine_removes = yard_->options.engine_removes;
  const std::string body = create_body(request);
  auto id = co_await create_once(body);
  if (!id && lacks_our_folders(id.error())) id = tl::unexpected(elsewhere(yard_->engine->where()));
  if (!id) co_return tl::unexpected(id.error());
  engine_id_ = std::move(*id);
  co_return Expected<void>();
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

asio::awaitable<Expected<void>> Container::send_program(const ImageFacts& image) {
  const ContainerSpec spec = inside_spec(wanted_, image);
  std::vector<FileToSend> files(2);
  files[0].name = "slotd";
  files[0].mode = 0755;
  files[0].path = yard_->options.slotd;
  files[1].name = "config.json";
  files[1].content = container_spec_to_json(spec);
  const std::string folder = kHome;
  return yard_->engine->send_files(engine_id_, folder, std::move(files), answer_by());
}

asio::awaitable<Expected<void>> Container::launch() {
  // From here on what is heard of it counts: it may end before the engine's answer is read.
  launched_ = now();
  return yard_->engine->start(engine_id_, answer_by());
}

asio::awaitable<Expected<void>> Container::become_ready() {
  const bool slow = !wanted_.spec.setup.empty();
  const auto limit = yard_->options.start_limit + (slow ? yard_->options.setup_limit : std::chrono::milliseconds(0));
  const Deadline until(now() + limit);
  const std::string file = ready_file(paths_);
  while (true) {
    const bool last = over() || until.expired(now());
    const auto line = read_file(file, kMostReadyLine);
    if (line) co_return accept_ready_line(*line);
    if (last) break;
    co_await pause(kReadyPace);
  }
  if (stopping_) co_return was_stopped();
  if (death_) co_return tl::unexpected(*death_);
  co_return fail("start_timeout",
                 "berth-slotd in " + who() + " was not ready within " + std::to_string(limit.count() / 1000) + " s",
                 "is the engine at " + yard_->engine->where() + " one of this machine?");
}

Expected<void> Container::accept_ready_line(const std::string& line) {
  auto boot = boot_of_ready_line(line, "berth-slotd in " + who());
  if (!boot) return tl::unexpected(boot.error());
  facts_.boot_id = std::move(*boot);
  facts_.address = "unix:" + paths_.socket();
  return {};
}

// What slotd said itself is the better reason where it said something.
asio::awaitable<void> Container::add_last_words() {
  const bool unexplained = death_->code == "container_ended" || death_->code == "start_timeout";
  if (engine_id_.empty() || !unexplained) co_return;
  const auto lines = co_await yard_->engine->last_lines(engine_id_, kLastWordsLines, Deadline(now() + kLastWordsLimit));
  if (!lines) co_return;
  const std::string_view words = trim(*lines);
  if (words.empty()) co_return;
  death_->message +=
      "; its last words: " + std::string(words.substr(words.size() - std::min(words.size(), kLastWordsBytes)));
}

// --- heard ----------------------------------------------------------------------------------------------------------

void Container::saw(const EngineEvent& event) {
  if (!launched_ || event.engine_id != engine_id_) return;
  if (event.action == "oom") short_of_memory_ = true;
  if (event.action == "pause")
    die({"container_paused", who() + " was paused by somebody else", "leave containers of Berth alone"});
  if (event.action == "destroy") die({"container_removed", who() + " was removed by somebody else", {}});
  if (event.action != "die") return;
  std::string why = who() + " ended by itself or was killed: exit code " + event.exit_code;
  if (short_of_memory_) why += ", after the kernel had found it short of memory";
  die({"container_ended", std::move(why), short_of_memory_ ? "raise resources.memory of the job" : ""});
}

void Container::compare(const ListedContainer* seen, TimePoint listed) {
  if (!launched_ || *launched_ >= listed || facts_.state != ContainerState::running) return;
  if (seen == nullptr)
    return die({"container_removed", who() + " was gone when the engine was asked for it again", {}});
  if (seen->state == "running") return;
  if (seen->state == "paused")
    return die({"container_paused", who() + " was paused by somebody else", "leave containers of Berth alone"});
  die({"container_ended", who() + " had ended when the engine was asked for it again: " + seen->state, {}});
}

void Container::die(Error why) {
  if (death_) return;
  death_ = std::move(why);
  wake_.cancel();
}

asio::awaitable<void> Container::pause(Duration most) {
  wake_.expires_at(most == Duration::max() ? TimePoint::max() : now() + most);
  co_await wake_.async_wait(kAwait);
}

Deadline Container::answer_by() const {
  return Deadline(now() + yard_->options.engine_limit);
}

void Container::publish(ContainerState state) {
  facts_.state = state;
  // Posted, so that no watcher runs inside a call of its own to the driver.
  asio::post(yard_->context, [self = shared_from_this(), facts = facts_] {
    if (self->heard_) self->heard_(facts);
  });
}

}  // namespace berth::drivers::docker

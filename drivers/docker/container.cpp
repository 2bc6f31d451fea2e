// SPDX-License-Identifier: Apache-2.0
// A container on its way up, and what is heard of it.
#include "drivers/docker/container.hpp"

#include <boost/asio/post.hpp>

#include "base/fd.hpp"
#include "base/http/await.hpp"
#include "base/text.hpp"
#include "drivers/ready_line.hpp"

namespace berth::drivers::docker {
namespace {

using http::kAwait;
constexpr std::chrono::milliseconds kReadyPace{10};
constexpr std::chrono::seconds kLastWordsLimit{5};
constexpr unsigned kLastWordsLines = 20;
constexpr std::size_t kLastWordsBytes = 2000;

tl::unexpected<Error> was_stopped() {
  return fail("stopped", "it was stopped while it started");
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
  if (!asked) {
    co_await ask_how_it_ended();
    co_await add_last_words();
  }
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

Error Container::ended(std::string why) const {
  if (short_of_memory_) why += ", after the kernel had found it short of memory";
  return {"container_ended", std::move(why), short_of_memory_ ? "raise resources.memory of the job" : ""};
}

asio::awaitable<void> Container::ask_how_it_ended() {
  if (!end_unseen_) co_return;
  const auto end = co_await yard_->engine->inspect_end(engine_id_, Deadline(now() + kLastWordsLimit));
  if (!end) co_return;
  short_of_memory_ = short_of_memory_ || end->out_of_memory;
  death_ = ended(death_->message + ", exit code " + std::to_string(end->exit_code));
  if (!end->error.empty()) death_->message += "; the engine says: " + end->error.substr(0, kLastWordsBytes);
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
  if (event.action == "die") die(ended(who() + " ended by itself or was killed: exit code " + event.exit_code));
}

void Container::compare(const ListedContainer* seen, TimePoint listed) {
  if (!launched_ || *launched_ >= listed || facts_.state != ContainerState::running) return;
  if (seen == nullptr)
    return die({"container_removed", who() + " was gone when the engine was asked for it again", {}});
  if (seen->state == "running") return;
  if (seen->state == "paused")
    return die({"container_paused", who() + " was paused by somebody else", "leave containers of Berth alone"});
  end_unseen_ = !death_;
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

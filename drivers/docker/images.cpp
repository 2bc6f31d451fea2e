// SPDX-License-Identifier: Apache-2.0
#include "drivers/docker/images.hpp"

#include <algorithm>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>

#include "drivers/docker/credentials.hpp"

namespace berth::drivers::docker {
namespace {

Error missing(const std::string& name, const std::string& why) {
  return Error{"image_missing", "image " + name + ": " + why, "docker pull " + name + ", or correct its name"};
}

// What registries and the engine's words about them have in common when somebody may not pull.
bool is_about_credentials(std::string_view why) {
  constexpr std::string_view kWords[] = {"unauthorized", "no basic auth credentials", "authentication required",
                                         "docker login", "denied"};
  return std::any_of(std::begin(kWords), std::end(kWords),
                     [why](std::string_view each) { return why.find(each) != std::string_view::npos; });
}

// `why` in the engine's words; a registry that does not tell strangers what it has is asked to by a login.
Error not_pulled(const std::string& name, const Reference& reference, bool not_there, const std::string& why) {
  if (is_about_credentials(why))
    return Error{"registry_denied", "image " + name + ": " + why,
                 "docker login " + reference.registry + " as the user of this agent, or correct the image's name"};
  if (not_there) return missing(name, why);
  return Error{"pull_failed", "image " + name + ": " + why,
               "does the engine reach " + reference.registry + "? docker pull " + name};
}

}  // namespace

Images::Images(asio::io_context& context, std::shared_ptr<Engine> engine, const DockerOptions& options)
    : context_(context), engine_(std::move(engine)), options_(options) {}

void Images::find(const std::string& name, Answer answer) {
  const auto [search, is_new] = searches_.try_emplace(name);
  search->second.waiting.push_back(std::move(answer));
  if (!is_new) return;
  asio::co_spawn(
      context_, [self = shared_from_this(), name] { return self->search(name); }, asio::detached);
}

void Images::forget(const std::string& name, const Answer& answer) {
  const auto found = searches_.find(name);
  if (found == searches_.end()) return;
  std::erase(found->second.waiting, answer);
  if (found->second.waiting.empty() && found->second.stream) found->second.stream->close();
}

void Images::close() {
  for (auto& [name, search] : searches_) {
    search.waiting.clear();
    if (search.stream) search.stream->close();
  }
}

asio::awaitable<void> Images::search(std::string name) {
  const auto self = shared_from_this();
  const Expected<ImageFacts> found = co_await look_or_pull(name);
  const auto node = searches_.extract(name);
  for (const Answer& each : node.mapped().waiting) each->set(found);
}

asio::awaitable<Expected<ImageFacts>> Images::look_or_pull(std::string name) {
  const auto reference = parse_reference(name);
  if (!reference) co_return tl::unexpected(reference.error());
  auto image = co_await engine_->image(name, Deadline(now() + options_.engine_limit));
  if (image || image.error().code != "engine_missing") co_return image;
  if (is_image_id(name)) co_return tl::unexpected(missing(name, "the engine does not have it"));
  const auto pulled = co_await pull(name, *reference);
  if (!pulled) co_return tl::unexpected(pulled.error());
  image = co_await engine_->image(name, Deadline(now() + options_.engine_limit));
  co_return image;
}

asio::awaitable<Expected<void>> Images::pull(std::string name, Reference reference) {
  Expected<Credentials> credentials = Credentials{};
  if (!options_.registry_config.empty()) credentials = read_credentials(options_.registry_config, reference.registry);
  if (!credentials) co_return tl::unexpected(credentials.error());
  if (searches_[name].waiting.empty()) co_return fail("stopped", "nobody waits for image " + name);
  const Engine::Stream stream = engine_->new_stream();
  searches_[name].stream = stream;
  tell("pulling " + name);
  auto pulled = co_await engine_->pull(stream, reference, credentials->header, Deadline(now() + options_.pull_silence));
  if (pulled) pulled = co_await follow(name, stream, reference);
  searches_[name].stream.reset();
  if (pulled) co_return pulled;
  Error error = pulled.error();
  const bool not_there = error.code == "engine_missing";
  if (not_there || error.code == "engine_refused") error = not_pulled(name, reference, not_there, error.message);
  if (!credentials->helper.empty())
    error.hint = "its credentials are kept by " + credentials->helper + ", which is not asked: docker pull " + name;
  co_return tl::unexpected(std::move(error));
}

asio::awaitable<Expected<void>> Images::follow(std::string name, Engine::Stream stream, Reference reference) {
  PullProgress progress;
  TimePoint told = now();
  while (true) {
    const auto line = co_await engine_->next_line(stream, Deadline(now() + options_.pull_silence));
    if (!line) co_return tl::unexpected(line.error().within("pulling " + name));
    if (!*line) break;
    const auto read = read_pull_line(**line);
    if (!read) co_return tl::unexpected(read.error().within("pulling " + name));
    if (!read->error.empty()) co_return tl::unexpected(not_pulled(name, reference, false, read->error));
    progress.note(*read);
    if (now() - told < options_.tell_every) continue;
    told = now();
    tell("pulling " + name + ": " + progress.text());
  }
  tell("pulled " + name);
  co_return Expected<void>();
}

void Images::tell(const std::string& line) const {
  if (options_.tell) options_.tell(line);
}

}  // namespace berth::drivers::docker

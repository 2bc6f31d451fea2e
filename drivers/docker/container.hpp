// SPDX-License-Identifier: Apache-2.0
// One Docker container from its image to its last trace. Used by DockerDriver only, on its io_context.
#pragma once

#include <boost/asio/awaitable.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/steady_timer.hpp>
#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "drivers/docker/docker_options.hpp"
#include "drivers/docker/engine.hpp"
#include "drivers/docker/images.hpp"
#include "drivers/docker/paths.hpp"
#include "drivers/docker/slot_groups.hpp"
#include "drivers/driver.hpp"

namespace berth::drivers::docker {

// What the containers of a driver share.
struct Yard {
  asio::io_context& context;
  DockerOptions options;
  std::shared_ptr<Engine> engine;
  std::shared_ptr<Images> images;
};

class Container : public std::enable_shared_from_this<Container> {
 public:
  using Heard = std::function<void(const ContainerFacts&)>;

  // `heard` gets every change; `gone` comes last, once, when nothing of the container is left (or leftover() says
  // what).
  Container(std::shared_ptr<const Yard> yard, Wanted wanted, Heard heard);

  // Runs the container's whole life. The driver keeps the object until `gone`.
  [[nodiscard]] asio::awaitable<void> run();

  // SIGTERM now, SIGKILL at the deadline. An earlier deadline may follow.
  void stop(Deadline kill_at);
  void kill();
  // An engine that is away, or refuses, is asked to remove it no longer than this.
  void give_up_at(Deadline deadline);
  // The driver is going away: nobody is told any more. What runs is found by the next life, or ends when it is lonely.
  void abandon();

  // What the engine told of it.
  void saw(const EngineEvent& event);
  // What a list said that was asked for at `listed`: null when it is not there.
  void compare(const ListedContainer* seen, TimePoint listed);

  // Driver::usage and Driver::read_log. By the groups that this agent made, else as the engine says.
  [[nodiscard]] asio::awaitable<Expected<Usage>> usage(Deadline deadline);
  [[nodiscard]] asio::awaitable<Expected<LogPart>> read_log(std::string after, Deadline deadline);

  [[nodiscard]] const std::optional<Error>& leftover() const { return leftover_; }
  [[nodiscard]] const ContainerFacts& facts() const { return facts_; }

 private:
  [[nodiscard]] asio::awaitable<Expected<void>> start();
  [[nodiscard]] asio::awaitable<Expected<ImageFacts>> find_image();
  [[nodiscard]] asio::awaitable<Expected<void>> create(const ImageFacts& image);
  [[nodiscard]] asio::awaitable<Expected<std::string>> create_once(const std::string& body);
  [[nodiscard]] asio::awaitable<Expected<void>> send_program();
  [[nodiscard]] asio::awaitable<Expected<void>> launch();
  [[nodiscard]] asio::awaitable<Expected<void>> become_ready();
  [[nodiscard]] Expected<void> make_folders() const;
  [[nodiscard]] Expected<void> accept_ready_line(const std::string& line);
  [[nodiscard]] Error ended(std::string why) const;
  [[nodiscard]] asio::awaitable<void> ask_how_it_ended();
  [[nodiscard]] asio::awaitable<void> add_last_words();

  [[nodiscard]] asio::awaitable<void> take_down(bool asked);
  [[nodiscard]] asio::awaitable<Expected<void>> remove_from_engine();
  [[nodiscard]] asio::awaitable<Expected<std::string>> find_own();
  [[nodiscard]] asio::awaitable<void> remove_traces();
  [[nodiscard]] asio::awaitable<void> send_signal(std::string signal);
  void signal_soon(std::string signal);
  [[nodiscard]] asio::awaitable<void> pause(Duration most);

  [[nodiscard]] bool over() const { return stopping_ || death_; }
  void die(Error why);
  void publish(ContainerState state);
  [[nodiscard]] Deadline answer_by() const;
  [[nodiscard]] std::string who() const { return "container " + wanted_.spec.id; }

  std::shared_ptr<const Yard> yard_;
  Wanted wanted_;
  ContainerPaths paths_;
  Heard heard_;
  ContainerFacts facts_;
  std::string engine_id_;  // once it was created
  std::optional<SlotGroups> groups_;
  Images::Answer image_;
  asio::steady_timer wake_;  // cancelled when stopping_, death_ or a deadline has changed
  asio::steady_timer hurry_timer_;
  asio::steady_timer kill_timer_;
  Deadline kill_at_;
  Deadline give_up_;
  std::optional<TimePoint> launched_;
  std::optional<Error> death_;
  std::optional<Error> leftover_;
  bool create_asked_ = false;
  bool short_of_memory_ = false;
  bool end_unseen_ = false;  // found ended, with no event that says how
  bool stopping_ = false;
  bool abandoned_ = false;
};

}  // namespace berth::drivers::docker

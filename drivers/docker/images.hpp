// SPDX-License-Identifier: Apache-2.0
// Images as containers need them: taken as they are where the engine has them, else pulled, once for all who wait.
#pragma once

#include <boost/asio/awaitable.hpp>
#include <boost/asio/io_context.hpp>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "base/http/promise.hpp"
#include "drivers/docker/docker_options.hpp"
#include "drivers/docker/engine.hpp"
#include "drivers/docker/pull_progress.hpp"

namespace berth::drivers::docker {

class Images : public std::enable_shared_from_this<Images> {
 public:
  // Errors: "bad_image", "image_missing", "registry_denied", "pull_failed", and those of Engine.
  using Answer = std::shared_ptr<http::Promise<Expected<ImageFacts>>>;

  Images(asio::io_context& context, std::shared_ptr<Engine> engine, const DockerOptions& options);

  // `answer` is set some time later.
  void find(const std::string& name, Answer answer);
  // Nobody waits on it any more; a pull that nobody waits for ends.
  void forget(const std::string& name, const Answer& answer);
  // Every pull ends.
  void close();

 private:
  struct Search {
    std::vector<Answer> waiting;
    Engine::Stream stream;  // of its pull
  };

  [[nodiscard]] asio::awaitable<void> search(std::string name);
  [[nodiscard]] asio::awaitable<Expected<ImageFacts>> look_or_pull(std::string name);
  [[nodiscard]] asio::awaitable<Expected<void>> pull(std::string name, Reference reference);
  [[nodiscard]] asio::awaitable<Expected<void>> follow(std::string name, Engine::Stream stream, Reference reference);
  void tell(const std::string& line) const;

  asio::io_context& context_;
  std::shared_ptr<Engine> engine_;
  DockerOptions options_;
  std::map<std::string, Search> searches_;
};

}  // namespace berth::drivers::docker

// SPDX-License-Identifier: Apache-2.0
#include "bench/docker_engine.hpp"

#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <cstdlib>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <thread>

#include "bench/caller.hpp"
#include "bench/stats.hpp"

namespace berth::bench {
namespace {

using Json = nlohmann::json;
constexpr double kUpPatienceMs = 60'000;
constexpr auto kUpPace = std::chrono::milliseconds(1);

std::string request_body(const std::string& image, const std::string& folder, int number) {
  const std::string command = "echo up > /up/" + std::to_string(number) + "; exec sleep 1000";
  return Json{{"Image", image},
              {"Entrypoint", Json::array({"/bin/sh", "-c", command})},
              {"HostConfig", Json{{"NetworkMode", "none"}, {"Binds", Json::array({folder + ":/up"})}}}}
      .dump();
}

Expected<std::string> ask(const std::string& engine, const std::string& method, const std::string& path,
                          const std::string& body = {}) {
  auto caller = Caller::connect(Endpoint(engine));
  if (!caller) return tl::unexpected(caller.error());
  const auto answer = caller->call(prepare(method, path, body));
  if (!answer) return tl::unexpected(answer.error());
  if (answer->status >= 300) return fail("engine", path + ": " + std::string(answer->body.substr(0, 300)));
  return std::string(answer->body);
}

// As `docker run` does it; `id` is set as soon as there is something to remove.
Expected<void> start_one(const std::string& engine, const std::string& body, std::string& id) {
  const auto made = ask(engine, "POST", "/containers/create", body);
  if (!made) return tl::unexpected(made.error());
  const Json facts = Json::parse(*made, nullptr, false);
  id = facts.is_object() ? facts.value("Id", "") : "";
  if (id.empty()) return fail("engine", "no container: " + made->substr(0, 300));
  const auto started = ask(engine, "POST", "/containers/" + id + "/start");
  if (!started) return tl::unexpected(started.error());
  return {};
}

Expected<void> wait_for(const std::string& file) {
  const Stopwatch watch;
  while (::access(file.c_str(), F_OK) != 0) {
    if (watch.milliseconds() > kUpPatienceMs) return fail("engine", "a container did not come up in a minute");
    std::this_thread::sleep_for(kUpPace);
  }
  return {};
}

}  // namespace

Expected<double> PlainContainers::start(int count) {
  folder_ = (std::filesystem::temp_directory_path() / "berth-bench-XXXXXX").string();
  if (::mkdtemp(folder_.data()) == nullptr) return fail_errno("mkdtemp", errno);
  ::chmod(folder_.c_str(), 0777);  // whatever the image's user is
  const auto size = static_cast<std::size_t>(count);
  ids_.resize(size);
  std::vector<Expected<void>> done(size);
  std::vector<std::thread> workers;
  const Stopwatch watch;
  for (std::size_t i = 0; i < size; ++i) {
    workers.emplace_back([this, i, &done] {
      const int number = static_cast<int>(i);
      done[i] = start_one(engine_, request_body(image_, folder_, number), ids_[i]);
      if (done[i]) done[i] = wait_for(folder_ + "/" + std::to_string(number));
    });
  }
  for (std::thread& worker : workers) worker.join();
  const double took = watch.milliseconds();
  for (const auto& each : done) {
    if (!each) return tl::unexpected(each.error());
  }
  return took;
}

PlainContainers::~PlainContainers() {
  std::vector<std::thread> workers;
  for (const std::string& id : ids_) {
    if (!id.empty())
      workers.emplace_back(
          [this, &id] { static_cast<void>(ask(engine_, "DELETE", "/containers/" + id + "?force=1&v=1")); });
  }
  for (std::thread& worker : workers) worker.join();
  std::error_code ignored;
  if (!folder_.empty()) std::filesystem::remove_all(folder_, ignored);
}

}  // namespace berth::bench

// SPDX-License-Identifier: Apache-2.0
// A Docker Engine for unit tests: speaks the part of the Engine API that the driver uses, over the real HTTP server on
// a unix socket, keeps its containers in memory and "starts" them by writing the ready line that slotd would write. It
// can refuse, lie, pull slowly, cut its event stream and be away. Single-threaded.
#pragma once

#include <boost/asio/awaitable.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/steady_timer.hpp>
#include <deque>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "base/http/server.hpp"

namespace berth::testing {

namespace asio = boost::asio;

struct EngineContainer {
  std::string name;
  std::string state = "created";
  std::map<std::string, std::string> labels;
  std::string body;   // of its creation
  std::string files;  // the tar that was put into it, and is what comes out
  std::string facts;  // JSON: what lies at any path of it
  std::string log = "the last line of its log\n";
  int exit_code = 0;
  bool out_of_memory = false;
  std::string error = {};  // of its state
};

struct Refusal {
  int status = 500;
  std::string message;
};

class FakeEngine {
 public:
  explicit FakeEngine(asio::io_context& context);
  ~FakeEngine();

  // Listens on unix:PATH until away().
  void listen(const std::string& path);
  // Cuts every connection and listens no more.
  void away();

  // Plans.
  std::string api_version = "1.41";  // empty: its answer to a ping does not say
  std::string version;               // the answer to GET /version; empty: 404
  std::string info =
      R"({"ServerVersion":"20.10.24","OSType":"linux","SecurityOptions":["name=seccomp,profile=default"],)"
      R"("CgroupDriver":"systemd","CgroupVersion":"2"})";
  std::map<std::string, std::string> images;  // name -> the answer to its inspection
  std::vector<std::string> pull_lines;        // sent for every pull; the image is there after them
  bool endless_pull = false;                  // sends pull_lines, then nothing more
  std::map<std::string, Refusal> refusals;    // "POST /containers/create" -> what is answered instead
  std::set<std::string> silent;               // "POST /containers/create": done, and never answered
  std::string ready_line = R"({"ok":true,"boot_id":"boot-1"})";  // empty: slotd never says anything
  bool die_at_start = false;
  std::string unseen;           // a path of this machine that the engine's does not have
  std::string refuse_late;      // 400 with these words to a creation, whose volume is there already and stays
  unsigned volumes_in_use = 0;  // so many removals of volumes are refused
  std::string refuse_start;     // 404 with these words; the container is removed before they are sent
  bool stubborn = false;        // does not end by SIGTERM

  // What was seen.
  std::vector<std::string> requests;                  // "METHOD TARGET" as they came
  std::map<std::string, EngineContainer> containers;  // by the engine's id
  std::vector<std::string> signals;
  std::map<std::string, std::map<std::string, std::string>> volumes;  // name -> labels
  std::vector<std::string> credentials;                               // X-Registry-Auth of each pull
  unsigned event_streams = 0;                                         // opened so far
  unsigned pulls_cut = 0;                                             // by the other side

  // What happens behind the driver's back. `name` is the container's.
  void die(const std::string& name, int code, bool tell = true);
  void pause(const std::string& name);
  void remove(const std::string& name, bool tell = true);
  void out_of_memory(const std::string& name);
  void put_foreign(const std::string& id, EngineContainer container);
  // Ends every event stream.
  void cut_events();
  [[nodiscard]] EngineContainer* find(const std::string& name);

 private:
  struct Stream;

  [[nodiscard]] asio::awaitable<void> handle(http::Exchange& exchange);
  [[nodiscard]] asio::awaitable<void> route(http::Exchange& exchange, std::string path);
  [[nodiscard]] asio::awaitable<void> container_route(http::Exchange& exchange, std::string path);
  [[nodiscard]] asio::awaitable<void> create(http::Exchange& exchange);
  [[nodiscard]] asio::awaitable<void> start(http::Exchange& exchange, std::string id);
  [[nodiscard]] asio::awaitable<void> inspect(http::Exchange& exchange, std::string id);
  [[nodiscard]] asio::awaitable<void> archive_of(http::Exchange& exchange, std::string id);
  [[nodiscard]] asio::awaitable<void> log_of(http::Exchange& exchange, std::string id);
  [[nodiscard]] asio::awaitable<void> volume_route(http::Exchange& exchange, std::string path);
  [[nodiscard]] asio::awaitable<void> list(http::Exchange& exchange);
  [[nodiscard]] asio::awaitable<void> pull(http::Exchange& exchange);
  [[nodiscard]] asio::awaitable<void> events(http::Exchange& exchange);
  [[nodiscard]] asio::awaitable<void> wait_for_end(http::Exchange& exchange);
  [[nodiscard]] std::string id_of(const std::string& name) const;
  void end(const std::string& id, int code, bool tell);
  void emit(const std::string& id, const std::string& action, const std::string& exit_code = {});

  asio::io_context& context_;
  std::unique_ptr<http::Server> server_;
  std::vector<std::shared_ptr<Stream>> streams_;
  unsigned next_id_ = 1;
};

}  // namespace berth::testing

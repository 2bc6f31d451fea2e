// SPDX-License-Identifier: Apache-2.0
// The client's thread and what it knows of each server: connections, boots, tries. Everything but the constructor, the
// destructor and launch() runs on that thread alone.
#pragma once

#include <boost/asio/awaitable.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/steady_timer.hpp>
#include <condition_variable>
#include <exception>
#include <future>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <thread>

#include "base/deadline.hpp"
#include "base/http/client.hpp"
#include "base/http/connections.hpp"
#include "berth/client.hpp"

namespace berth::client {

namespace asio = boost::asio;

struct Server {
  std::shared_ptr<http::Connections> connections;
  std::optional<std::string> boot;  // as /health names it, "" where it names none; nothing: not asked yet
  std::map<std::string, std::string, std::less<>> slot_boots;  // slot -> boot in which it was last used from here
  TimePoint used{};
};
using ServerPtr = std::shared_ptr<Server>;

// May a request whose fate is unknown be sent again?
enum class Repeat { unsent, always };

struct Ask {
  http::ClientRequest request;
  Seconds limit{};  // of one try
  Repeat repeat = Repeat::always;
  std::string slot;
  bool needs_slot_as_it_was = true;  // a server that was started anew is an error, "restarted"
};

struct Answer {
  Expected<http::WholeResponse> response;
  unsigned attempts = 1;
  bool unsure = false;  // a try went out, and whether it was acted upon is unknown
};

class Engine {
 public:
  explicit Engine(ClientOptions options);
  // Ends all work under way and waits for it.
  ~Engine();
  Engine(const Engine&) = delete;
  Engine& operator=(const Engine&) = delete;

  // Runs the work on the engine's thread. Any thread may call.
  template <typename T>
  [[nodiscard]] std::future<T> launch(asio::awaitable<T> work) {
    auto promise = std::make_shared<std::promise<T>>();
    auto future = promise->get_future();
    begin_work();
    asio::co_spawn(context_, std::move(work), [this, promise](const std::exception_ptr& error, T value) {
      if (error) {
        promise->set_exception(error);
      } else {
        promise->set_value(std::move(value));
      }
      end_work();
    });
    return future;
  }

  // Error code "bad_address".
  [[nodiscard]] Expected<ServerPtr> server(const std::string& address);
  // The request, tried as often as the options and `ask.repeat` allow.
  [[nodiscard]] asio::awaitable<Answer> ask(ServerPtr server, Ask ask);
  // GET /health, one try.
  [[nodiscard]] asio::awaitable<Expected<http::WholeResponse>> ask_health(ServerPtr server);

  // The steps of a try, for who reads its answer in parts. Errors: "connect": nothing was sent.
  [[nodiscard]] asio::awaitable<Expected<void>> learn_boot(ServerPtr server);
  [[nodiscard]] asio::awaitable<Expected<http::Connections::Loan>> reach(ServerPtr server, Deadline deadline);
  void add_fields(const Server& server, http::ClientRequest& request) const;
  // False, once, when the server was started anew since the slot was last used from here.
  [[nodiscard]] static bool has_slot_as_it_was(Server& server, const std::string& slot);
  // The server refused `boot`: it was started anew.
  static void forget_boot(Server& server, const std::string& boot);
  // Before try `attempt` + 1.
  [[nodiscard]] asio::awaitable<void> pause(unsigned attempt);

  [[nodiscard]] const ClientOptions& options() const { return options_; }
  [[nodiscard]] asio::io_context& context() { return context_; }
  [[nodiscard]] bool closing() const { return closing_; }

 private:
  [[nodiscard]] asio::awaitable<Expected<http::WholeResponse>> exchange(ServerPtr server,
                                                                        const http::ClientRequest& request,
                                                                        Deadline deadline);
  [[nodiscard]] asio::awaitable<bool> try_once(ServerPtr server, const Ask& ask, Answer& answer);
  void close();
  void drop_idle_servers();
  void begin_work();
  void end_work();

  ClientOptions options_;
  asio::io_context context_{1};
  asio::executor_work_guard<asio::io_context::executor_type> guard_;
  std::map<std::string, ServerPtr, std::less<>> servers_;
  std::set<asio::steady_timer*> pauses_;
  bool closing_ = false;
  std::mutex mutex_;
  std::condition_variable idle_;
  std::size_t works_ = 0;  // under mutex_
  std::thread thread_;
};

[[nodiscard]] bool is_json(const http::ResponseHead& head);
// The server says that it is too busy: nothing of the request was begun.
[[nodiscard]] inline bool is_busy(int status) {
  return status == 429 || status == 503;
}

}  // namespace berth::client

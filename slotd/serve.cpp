// SPDX-License-Identifier: Apache-2.0
#include "slotd/serve.hpp"

#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/posix/stream_descriptor.hpp>
#include <boost/asio/signal_set.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <cerrno>

#include "base/http/server.hpp"
#include "base/log.hpp"
#include "slotd/metadata.hpp"
#include "slotd/reaper.hpp"
#include "slotd/routes/app.hpp"

namespace berth::slotd {
namespace {

constexpr auto kPatience = std::chrono::seconds(3);      // for calls in flight at a stop
constexpr auto kLastPatience = std::chrono::seconds(1);  // for their answers once they are cancelled

void announce(int ready_fd, const std::string& line) {
  if (ready_fd < 0) return;
  (void)write_all(ready_fd, line + "\n");
  ::close(ready_fd);
}

Expected<void> make_data_dir(const std::string& path) {
  if (::mkdir(path.c_str(), 0700) == 0 || errno == EEXIST) return {};
  return tl::unexpected<Error>(Error{"system", errno_error("making the data directory " + path, errno).message,
                                     "give --data-dir a directory that this user can write"});
}

// As many connections as descriptors allow beside those that the slots need: a full house never keeps a call from
// having its pipes.
http::ServerLimits limits_for(unsigned slots) {
  constexpr rlim_t kOwn = 64;
  constexpr rlim_t kPerSlot = 32;
  http::ServerLimits limits;
  const rlim_t kept = kOwn + kPerSlot * slots;
  rlimit files{};
  if (::getrlimit(RLIMIT_NOFILE, &files) != 0) return limits;
  files.rlim_cur = std::max(files.rlim_cur, std::min<rlim_t>(files.rlim_max, kept + limits.max_connections));
  (void)::setrlimit(RLIMIT_NOFILE, &files);
  const rlim_t free = files.rlim_cur > kept * 2 ? files.rlim_cur - kept : files.rlim_cur / 2;
  limits.max_connections = std::min<std::size_t>(limits.max_connections, free);
  return limits;
}

class Service {
 public:
  Service(const Options& options, std::unique_ptr<isolation::RoomFactory> factory)
      : options_(options),
        app_(context_, AppOptions{options.spec, options.data_dir, options.token_sha256}, std::move(factory)),
        server_(
            context_, [this](http::Exchange& exchange) { return app_.handle(exchange); },
            limits_for(options.spec.slots)),
        signals_(context_, SIGTERM, SIGINT),
        lifeline_(context_),
        patience_(context_),
        reaper_(context_, [this](int pid) { return is_keeper(pid); }) {}

  Expected<void> run() {
    asio::co_spawn(context_, start(), asio::detached);
    context_.run();
    return problem_ ? tl::unexpected<Error>(*problem_) : Expected<void>();
  }

 private:
  asio::awaitable<void> start() {
    auto opened = co_await app_.open();
    auto port = opened ? server_.listen(options_.listen, options_.port) : tl::unexpected<Error>(opened.error());
    if (!port) {
      problem_ = port.error();
      co_await app_.close();
      context_.stop();
      co_return;
    }
    if (::getpid() == 1) reaper_.start();
    watch_signals();
    watch_lifeline();
    announce(options_.ready_fd,
             Metadata().boolean("ok", true).text("boot_id", app_.boot_id()).integer("port", *port).str());
    warn_if_open();
    log(LogLevel::info, "listening",
        {{"on", options_.listen}, {"port", std::to_string(*port)}, {"slots", std::to_string(app_.slots().size())}});
  }

  void warn_if_open() const {
    const bool local = options_.listen == "127.0.0.1" || options_.listen == "::1" || options_.listen == "localhost" ||
                       options_.listen.substr(0, 5) == "unix:";
    if (!local && options_.token_sha256.empty()) {
      log(LogLevel::warning, "no --token-file: whoever reaches this address can run commands in every slot",
          {{"address", options_.listen}});
    }
  }

  bool is_keeper(int pid) const {
    return std::any_of(app_.slots().begin(), app_.slots().end(),
                       [pid](const auto& slot) { return slot->room().waits_for(pid); });
  }

  void watch_signals() {
    signals_.async_wait([this](const boost::system::error_code& error, int) {
      if (error) return;
      stopping_ ? leave() : stop(kPatience);
      watch_signals();
    });
  }

  void watch_lifeline() {
    if (options_.lifeline_fd < 0) return;
    lifeline_.assign(options_.lifeline_fd);
    lifeline_.async_wait(asio::posix::stream_descriptor::wait_read, [this](const boost::system::error_code& error) {
      if (!error) stop(Duration::zero());  // its owner is gone: nobody is left to answer
    });
  }

  // Calls in flight may end, then they are cancelled, then connections are cut.
  void stop(Duration patience) {
    if (stopping_) return;
    stopping_ = true;
    server_.stop([this] { leave(); });
    patience_.expires_after(patience);
    patience_.async_wait([this](const boost::system::error_code& error) {
      if (error || leaving_) return;
      app_.cancel_all();
      patience_.expires_after(kLastPatience);
      patience_.async_wait([this](const boost::system::error_code& again) {
        if (!again) leave();
      });
    });
  }

  void leave() {
    if (leaving_) return;
    leaving_ = true;
    asio::co_spawn(
        context_,
        [this]() -> asio::awaitable<void> {
          co_await app_.close();
          server_.abort();
          reaper_.stop();
          context_.stop();
        },
        asio::detached);
  }

  const Options& options_;
  asio::io_context context_{1};
  App app_;
  http::Server server_;
  asio::signal_set signals_;
  asio::posix::stream_descriptor lifeline_;
  asio::steady_timer patience_;
  Reaper reaper_;
  bool stopping_ = false;
  bool leaving_ = false;
  std::optional<Error> problem_;
};

}  // namespace

void announce_failure(int ready_fd, const Error& error) {
  const auto body = Metadata().text("code", error.code).text("message", error.message).text("hint", error.hint).str();
  announce(ready_fd, Metadata().boolean("ok", false).json("error", body).str());
}

Expected<void> serve(const Options& options) {
  if (auto made = make_data_dir(options.data_dir); !made) return made;
  auto factory = isolation::RoomFactory::create(options.spec, options.data_dir);
  if (!factory) return tl::unexpected<Error>(factory.error());
  for (const auto& note : (*factory)->plan().notes) log(LogLevel::warning, note);
  Service service(options, std::move(*factory));
  return service.run();
}

}  // namespace berth::slotd

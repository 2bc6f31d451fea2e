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
#include "slotd/lonely_watch.hpp"
#include "slotd/ready.hpp"
#include "slotd/reaper.hpp"
#include "slotd/routes/app.hpp"

namespace berth::slotd {
namespace {

constexpr auto kPatience = std::chrono::seconds(3);      // for calls in flight at a stop
constexpr auto kLastPatience = std::chrono::seconds(1);  // for their answers once they are cancelled
// An engine that stops a container waits 10 s at most, and less where a user has said so.
constexpr auto kPatienceAsFirst = std::chrono::seconds(1);
constexpr auto kLastPatienceAsFirst = std::chrono::milliseconds(500);

bool is_first_process() {
  return ::getpid() == 1;
}

Expected<void> make_data_dir(const std::string& path) {
  if (::mkdir(path.c_str(), 0700) == 0 || errno == EEXIST) return {};
  return tl::unexpected<Error>(Error{"system", errno_error("making the data directory " + path, errno).message,
                                     "give --data-dir a directory that this user can write"});
}

// A client's, a destination's, and those of a lookup.
constexpr rlim_t kFdsPerProxied = 4;

// At most a quarter of the descriptors that there can be.
proxy::Limits proxy_limits(const ContainerSpec& spec) {
  proxy::Limits limits;
  rlimit files{};
  const rlim_t most = ::getrlimit(RLIMIT_NOFILE, &files) == 0 ? files.rlim_max / 4 / kFdsPerProxied : 16;
  limits.connections = std::min<std::size_t>(limits.connections_per_slot * spec.slots, most);
  return limits;
}

Expected<proxy::GateOptions> gate_options(const Options& options) {
  proxy::GateOptions gate;
  gate.name_servers = options.proxy_name_servers;
  gate.limits = proxy_limits(options.spec);
  gate.limits.idle = options.proxy_idle_limit;
  for (const auto& text : options.proxy_unsafe_ranges) {
    auto range = proxy::parse_range(text);
    if (!range) return tl::unexpected<Error>(range.error().within("--proxy-unsafe-allow"));
    log(LogLevel::warning, "UNSAFE: slots with a proxy may reach addresses that are not public", {{"range", text}});
    gate.unsafe_ranges.push_back(*range);
  }
  return gate;
}

// As many connections as descriptors allow beside those that the slots need: a full house never keeps a call from
// having its pipes.
http::ServerLimits limits_for(const ContainerSpec& spec) {
  constexpr rlim_t kOwn = 64;
  constexpr rlim_t kPerSlot = 32;
  http::ServerLimits limits;
  const rlim_t proxied = spec.slot.network == NetworkMode::allow ? kFdsPerProxied * proxy_limits(spec).connections : 0;
  const rlim_t kept = kOwn + kPerSlot * spec.slots + proxied;
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
  Service(const Options& options, proxy::GateOptions gate, std::unique_ptr<isolation::RoomFactory> factory)
      : options_(options),
        app_(context_, AppOptions{options.spec, options.data_dir, options.token_sha256, std::move(gate)},
             std::move(factory)),
        server_(
            context_,
            [this](http::Exchange& exchange) {
              lonely_.heard();
              return app_.handle(exchange);
            },
            limits_for(options.spec)),
        signals_(context_, SIGTERM, SIGINT),
        lifeline_(context_),
        lonely_(context_, options.lonely_limit, [this] { give_up(); }),
        patience_(context_),
        reaper_(context_, [this](int pid) { return is_keeper(pid); }) {}

  Expected<void> run() {
    asio::co_spawn(context_, start(), asio::detached);
    context_.run();
    return problem_ ? tl::unexpected<Error>(*problem_) : Expected<void>();
  }

 private:
  asio::awaitable<void> start() {
    watch_signals();
    auto opened = co_await app_.open();
    auto port = opened ? server_.listen(options_.listen, options_.port) : tl::unexpected<Error>(opened.error());
    if (!port) {
      problem_ = port.error();
      co_await app_.close();
      context_.stop();
      co_return;
    }
    serving_ = true;
    if (is_first_process()) reaper_.start();
    watch_lifeline();
    lonely_.start();
    give_socket_to_owner(options_.listen);
    announce_start(options_, app_.boot_id(), *port);
    warn_if_open();
    if (stop_when_open_) stop(kPatience);
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
      if (!serving_ && is_first_process()) end_with_everything();
      if (!serving_) stop_when_open_ = true;
      if (serving_) stopping_ ? leave() : stop(is_first_process() ? kPatienceAsFirst : kPatience);
      watch_signals();
    });
  }

  // Setup steps may take minutes. With the first process of a container the kernel ends every other one.
  [[noreturn]] static void end_with_everything() {
    log(LogLevel::info, "told to end while the container was being set up");
    ::_exit(0);
  }

  void watch_lifeline() {
    if (options_.lifeline_fd < 0) return;
    lifeline_.assign(options_.lifeline_fd);
    lifeline_.async_wait(asio::posix::stream_descriptor::wait_read, [this](const boost::system::error_code& error) {
      if (!error) stop(Duration::zero());  // its owner is gone: nobody is left to answer
    });
  }

  void give_up() {
    log(LogLevel::warning, "nobody has asked for anything: ending",
        {{"seconds", std::to_string(options_.lonely_limit.count())}});
    stop(Duration::zero());
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
      patience_.expires_after(is_first_process() ? Duration(kLastPatienceAsFirst) : Duration(kLastPatience));
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
          lonely_.stop();
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
  LonelyWatch lonely_;
  asio::steady_timer patience_;
  Reaper reaper_;
  bool serving_ = false;
  bool stop_when_open_ = false;  // a signal came before
  bool stopping_ = false;
  bool leaving_ = false;
  std::optional<Error> problem_;
};

}  // namespace

Expected<void> serve(const Options& options) {
  auto gate = gate_options(options);
  if (!gate) return tl::unexpected<Error>(gate.error());
  if (auto made = make_data_dir(options.data_dir); !made) return made;
  auto factory = isolation::RoomFactory::create(options.spec, options.data_dir);
  if (!factory) return tl::unexpected<Error>(factory.error());
  for (const auto& note : (*factory)->plan().notes) log(LogLevel::warning, note);
  Service service(options, std::move(*gate), std::move(*factory));
  return service.run();
}

}  // namespace berth::slotd

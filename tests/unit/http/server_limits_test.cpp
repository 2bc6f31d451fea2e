// SPDX-License-Identifier: Apache-2.0
// Peers that are gone or too many, and how a server ends.
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <atomic>
#include <boost/asio/as_tuple.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <cstring>
#include <ctime>
#include <fstream>
#include <gmock/gmock.h>

#include "tests/unit/http/waiters.hpp"

namespace berth::http {
namespace {

using namespace std::chrono_literals;
using ::testing::HasSubstr;

TEST(Disconnect, ReachesTheHandlerAtWork) {
  for (const bool reset : {false, true}) {
    Waiters waiters;
    TestServer server(handler_of(waiters));
    RawClient client(server.port());
    client.send(request("POST /", "Content-Length: 2\r\n", "ab"));
    ASSERT_TRUE(eventually([&] { return waiters.waiting == 1; }));
    reset ? client.reset() : client.close();
    EXPECT_TRUE(eventually([&] { return waiters.gone == 1 && waiters.ended == 1; }));
  }
}

TEST(Disconnect, IsSeenBehindAPipelinedRequest) {
  Waiters waiters;
  TestServer server(handler_of(waiters));
  RawClient client(server.port());
  client.send(request("GET /"));
  ASSERT_TRUE(eventually([&] { return waiters.waiting == 1; }));
  client.send(request("GET /next"));
  client.close();
  EXPECT_TRUE(eventually([&] { return waiters.gone >= 1; }));
}

TEST(Disconnect, WatchLeavesAPipelinedRequestAlone) {
  std::function<void()> finish;
  std::atomic<int> begun{0};
  std::atomic<int> gone{0};
  TestServer server([&](Exchange& exchange) -> asio::awaitable<void> {
    asio::steady_timer timer(co_await asio::this_coro::executor, TimePoint::max());
    exchange.on_disconnect([&] { ++gone; });
    finish = [&] { timer.cancel(); };
    ++begun;
    co_await timer.async_wait(asio::as_tuple(asio::use_awaitable));
    static_cast<void>(co_await exchange.respond(reply(exchange.head().path)));
  });
  RawClient client(server.unix_path());
  for (int i = 1; i <= 3; ++i) {
    client.send(request("GET /" + std::to_string(i)));
    ASSERT_TRUE(eventually([&] { return begun >= 1; }));
  }
  for (int i = 1; i <= 3; ++i) {
    ASSERT_TRUE(eventually([&] { return begun == i; }));
    server.on_thread([&] { finish(); });
    EXPECT_EQ(body_of(client.read_answer()), "/" + std::to_string(i));
  }
  EXPECT_EQ(gone, 0);
}

TEST(Disconnect, IsReportedToAReaderOfTheBody) {
  std::atomic<int> gone{0};
  std::string code;
  TestServer server([&](Exchange& exchange) -> asio::awaitable<void> {
    exchange.on_disconnect([&] { ++gone; });
    const auto body = co_await exchange.read_body(1000);
    if (!body) code = body.error().code;
  });
  RawClient client(server.port());
  client.send(request("POST /", "Content-Length: 5\r\n", "ab"));
  client.close();
  EXPECT_TRUE(eventually([&] { return gone == 1; }));
  EXPECT_TRUE(eventually([&] { return server.connections() == 0; }));
  EXPECT_EQ(code, "disconnected");
}

TEST(Accept, WaitsBeyondTheMostConnections) {
  ServerLimits limits;
  limits.max_connections = 2;
  TestServer server(echo, limits);
  RawClient first(server.port());
  RawClient second(server.port());
  ASSERT_TRUE(eventually([&] { return server.connections() == 2; }));
  RawClient third(server.port());
  third.send(request("GET /third"));
  EXPECT_EQ(server.connections(), 2U);
  first.close();
  EXPECT_EQ(status_of(third.read_answer()), 200);
}

TEST(Accept, LetsTheLongestIdleGoWhenFull) {
  ServerLimits limits;
  limits.max_connections = 3;
  limits.idle_when_full = 50ms;
  Waiters waiters;
  TestServer server(handler_of(waiters), limits);
  RawClient busy(server.port());
  busy.send(request("GET /"));
  ASSERT_TRUE(eventually([&] { return waiters.waiting == 1; }));
  RawClient silent(server.port());
  RawClient dripping(server.port());
  dripping.send("GET / HTTP/1.1\r\n");
  ASSERT_TRUE(eventually([&] { return server.connections() == 3; }));
  RawClient fourth(server.port());
  fourth.send(request("GET /fourth"));
  EXPECT_TRUE(eventually([&] { return waiters.waiting == 2; })) << "an idle one went";
  EXPECT_EQ(waiters.gone, 0) << "the one at work did not";
}

double thread_cpu_seconds(TestServer& server) {
  timespec used{};
  server.on_thread([&] { ::clock_gettime(CLOCK_THREAD_CPUTIME_ID, &used); });
  return static_cast<double>(used.tv_sec) + static_cast<double>(used.tv_nsec) * 1e-9;
}

TEST(Accept, BacksOffWithoutAFreeDescriptorAndRecovers) {
  TestServer server(echo);
  RawClient before(server.port());
  before.send(request("GET /"));
  ASSERT_EQ(status_of(before.read_answer()), 200);
  RawClient other(server.port());
  // Accepted before descriptors run out: later it would take the one that is left for `waiting`.
  ASSERT_TRUE(eventually([&] { return server.connections() == 2; }));

  rlimit old{};
  ::getrlimit(RLIMIT_NOFILE, &old);
  UniqueFd spare(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  std::vector<UniqueFd> fill;
  rlimit few{static_cast<rlim_t>(spare.get()) + 32, old.rlim_max};
  ::setrlimit(RLIMIT_NOFILE, &few);
  while (true) {
    UniqueFd fd(::dup(0));
    if (!fd) break;
    fill.push_back(std::move(fd));
  }
  spare.reset();
  RawClient waiting(server.port());  // takes the last descriptor: the server has none to accept it with
  waiting.send(request("GET /late"));
  const double cpu = thread_cpu_seconds(server);
  std::this_thread::sleep_for(300ms);
  EXPECT_LT(thread_cpu_seconds(server) - cpu, 0.1) << "accept spins";
  before.send(request("GET /"));
  EXPECT_EQ(status_of(before.read_answer()), 200) << "connections that exist are served";
  fill.clear();
  ::setrlimit(RLIMIT_NOFILE, &old);
  EXPECT_EQ(status_of(waiting.read_answer()), 200);
}

TEST(Stop, LetsTheRequestInProgressFinishAndCutsTheIdle) {
  std::function<void()> finish;
  std::atomic<bool> begun{false};
  TestServer server([&](Exchange& exchange) -> asio::awaitable<void> {
    asio::steady_timer timer(co_await asio::this_coro::executor, TimePoint::max());
    finish = [&] { timer.cancel(); };
    begun = true;
    co_await timer.async_wait(asio::as_tuple(asio::use_awaitable));
    static_cast<void>(co_await exchange.respond(reply("finished")));
  });
  RawClient idle(server.port());
  RawClient busy(server.port());
  busy.send(request("GET /"));
  ASSERT_TRUE(eventually([&] { return begun.load() && server.connections() == 2; }));

  std::atomic<bool> is_idle{false};
  server.on_thread([&] { server.server().stop([&] { is_idle = true; }); });
  EXPECT_EQ(idle.read_to_end(), "");
  EXPECT_FALSE(is_idle);
  server.on_thread([&] { finish(); });
  const std::string answer = busy.read_to_end();
  EXPECT_EQ(body_of(answer), "finished");
  EXPECT_THAT(answer, HasSubstr("Connection: close"));
  busy.close();
  EXPECT_TRUE(eventually([&] { return is_idle.load(); }));
}

TEST(Stop, TellsAtOnceWhenNothingIsConnected) {
  TestServer server(echo);
  std::atomic<bool> is_idle{false};
  server.on_thread([&] { server.server().stop([&] { is_idle = true; }); });
  EXPECT_TRUE(eventually([&] { return is_idle.load(); }));
}

TEST(Abort, EndsEveryHandler) {
  Waiters waiters;
  TestServer server(handler_of(waiters));
  RawClient first(server.port());
  RawClient second(server.unix_path());
  first.send(request("GET /"));
  second.send(request("GET /"));
  ASSERT_TRUE(eventually([&] { return waiters.waiting == 2; }));
  server.on_thread([&] { server.server().abort(); });
  EXPECT_TRUE(first.is_closed_by_server());
  EXPECT_TRUE(second.is_closed_by_server());
  EXPECT_TRUE(eventually([&] { return waiters.ended == 2 && server.connections() == 0; }));
}

// The thread of TestServer ends only when no coroutine is left: its destructor is the check.
TEST(Destruction, EndsLiveConnectionsAndHandlers) {
  Waiters waiters;
  {
    TestServer server(handler_of(waiters));
    RawClient busy(server.port());
    RawClient idle(server.port());
    busy.send(request("GET /"));
    ASSERT_TRUE(eventually([&] { return waiters.waiting == 1 && server.connections() == 2; }));
  }
  EXPECT_EQ(waiters.ended, 1);
}

TEST(Destruction, IsCleanWhenTheContextNeverRunsAgain) {
  Waiters waiters;
  {
    asio::io_context context;
    Server server(context, handler_of(waiters));
    const std::uint16_t port = server.listen("127.0.0.1", 0).value();
    RawClient busy(port);
    busy.send(request("GET /"));
    while (waiters.waiting == 0) context.run_one_for(kPatience);
  }
  EXPECT_EQ(waiters.ended, 1);
}

TEST(Listen, ReplacesAStaleSocketFileOnly) {
  TemporaryDirectory directory;
  const std::string path = directory.path() + "/sock";
  asio::io_context context;
  {
    const UniqueFd stale(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    std::memcpy(address.sun_path, path.data(), path.size());
    ASSERT_EQ(::bind(stale.get(), reinterpret_cast<sockaddr*>(&address), sizeof address), 0);
  }
  Server server(context, echo);
  ASSERT_TRUE(server.listen("unix:" + path, 0));
  struct stat facts {};
  ASSERT_EQ(::stat(path.c_str(), &facts), 0);
  EXPECT_EQ(facts.st_mode & 0777U, 0600U);

  Server rival(context, echo);
  const auto second = rival.listen("unix:" + path, 0);
  ASSERT_FALSE(second);
  EXPECT_THAT(second.error().message, AllOf(HasSubstr(path), HasSubstr("in use")));

  const std::string file = directory.path() + "/file";
  std::ofstream(file) << "precious";
  EXPECT_FALSE(rival.listen("unix:" + file, 0));
  EXPECT_EQ(::stat(file.c_str(), &facts), 0);
}

TEST(Listen, RemovesItsSocketFileAtTheEnd) {
  TemporaryDirectory directory;
  const std::string path = directory.path() + "/sock";
  {
    asio::io_context context;
    Server server(context, echo);
    ASSERT_TRUE(server.listen("unix:" + path, 0));
  }
  EXPECT_NE(::access(path.c_str(), F_OK), 0);
}

TEST(Listen, ErrorsNameTheAddress) {
  asio::io_context context;
  Server server(context, echo);
  const std::uint16_t port = server.listen("127.0.0.1", 0).value();
  Server rival(context, echo);
  const auto taken = rival.listen("127.0.0.1", port);
  ASSERT_FALSE(taken);
  EXPECT_THAT(taken.error().message, HasSubstr("127.0.0.1:" + std::to_string(port)));
  EXPECT_FALSE(taken.error().hint.empty());
  EXPECT_FALSE(rival.listen("not an address", 0));
  EXPECT_FALSE(rival.listen("unix:" + std::string(200, 'x'), 0));
}

}  // namespace
}  // namespace berth::http

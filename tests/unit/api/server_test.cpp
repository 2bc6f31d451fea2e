// SPDX-License-Identifier: Apache-2.0
// The API over a real server, with bounds small enough to be reached.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "agent/api/api.hpp"
#include "base/http/client.hpp"
#include "tests/support/loop.hpp"
#include "tests/support/temp_dir.hpp"

namespace berth::agent {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;
using namespace std::chrono_literals;

// Starts nothing: these tests are about what needs no slot.
class NoDriver final : public drivers::Driver {
 public:
  [[nodiscard]] std::string_view name() const override { return "local"; }
  void watch(drivers::Watcher) override {}
  void converge(std::vector<drivers::Wanted>) override {}
  [[nodiscard]] boost::asio::awaitable<Expected<std::vector<drivers::ContainerFacts>>> adopt() override {
    co_return std::vector<drivers::ContainerFacts>{};
  }
  [[nodiscard]] boost::asio::awaitable<Expected<void>> remove(Deadline) override { co_return Expected<void>{}; }
  [[nodiscard]] boost::asio::awaitable<Expected<drivers::Usage>> usage(std::string id, Deadline) override {
    co_return tl::unexpected(drivers::unknown_container(id));
  }
  [[nodiscard]] boost::asio::awaitable<Expected<drivers::LogPart>> read_log(std::string id, std::string,
                                                                            Deadline) override {
    co_return tl::unexpected(drivers::unknown_container(id));
  }
  void stop_all(Deadline) override {}
  void kill_all() override {}
};

class ApiServer : public ::testing::Test {
 protected:
  void SetUp() override {
    ApiOptions options;
    options.version = "test";
    options.max_event_streams = 1;
    options.ping_every = 1s;
    runtime = std::make_shared<Runtime>(loop.context, driver);
    ASSERT_TRUE(loop.run(runtime->start()).has_value());
    api = std::make_unique<Api>(ApiParts{loop.context, *runtime, tokens, events, metrics, *inputs}, options);
    server = std::make_unique<http::Server>(loop.context, [this](http::Exchange& each) { return api->handle(each); });
    ASSERT_TRUE(server->listen("unix:" + directory / "sock", 0).has_value());
  }

  void TearDown() override {
    server.reset();
    loop.spin(5ms);
  }

  http::WholeResponse ask(const std::string& method, const std::string& target, const std::string& body = {},
                          std::vector<std::pair<std::string, std::string>> fields = {}) {
    http::ClientRequest request;
    request.method = method;
    request.target = target;
    request.body = body;
    request.fields = std::move(fields);
    const Deadline deadline(std::chrono::steady_clock::now() + testing::kMaxTestWait);
    auto answer = loop.run(http::fetch(loop.context, address(), std::move(request), std::size_t{1} << 20, deadline));
    EXPECT_TRUE(answer.has_value()) << (answer ? "" : answer.error().message);
    return answer.value_or(http::WholeResponse{});
  }
  [[nodiscard]] http::Address address() const { return *http::parse_address("unix:" + directory / "sock"); }

  testing::TempDir directory;
  testing::Loop loop;
  NoDriver driver;
  Tokens tokens;
  EventLog events{loop.context, 3};
  AgentMetrics metrics;
  std::shared_ptr<InputStore> inputs = std::make_shared<InputStore>(directory / "inputs");
  std::shared_ptr<Runtime> runtime;
  std::unique_ptr<Api> api;
  std::unique_ptr<http::Server> server;
};

TEST_F(ApiServer, EventsThatLeftTheRingAreToldAsAGap) {
  for (int i = 0; i < 10; ++i) events.job_changed("job-" + std::to_string(i), "applied");
  const auto after = [this](std::uint64_t number) {
    return ask("GET", "/v1/events?follow=0", "", {{"Last-Event-ID", events.id_of(number)}}).body;
  };
  EXPECT_THAT(after(2), HasSubstr("event: gap\ndata: {\"missed\":5}\n\nid: " + events.id_of(8)));
  EXPECT_THAT(after(7), Not(HasSubstr("gap")));
  EXPECT_THAT(after(7), HasSubstr("job-7"));
  EXPECT_THAT(after(10), Not(HasSubstr("job-")));
  EXPECT_THAT(ask("GET", "/v1/events?follow=0&after=0").body, Not(HasSubstr("gap")));
}

TEST_F(ApiServer, EventStreamsAreBoundedAndPinged) {
  http::ClientConnection stream(loop.context, address());
  http::ClientRequest request;
  request.target = "/v1/events";
  const Deadline deadline(std::chrono::steady_clock::now() + testing::kMaxTestWait);
  ASSERT_TRUE(loop.run(stream.send(request, deadline)).has_value());
  const auto refused = ask("GET", "/v1/events");
  EXPECT_EQ(refused.head.status, 429);
  EXPECT_THAT(refused.body, HasSubstr("too_many_streams"));
  std::string seen;
  while (seen.find(": ping\n") == std::string::npos) {
    const auto part = loop.run(stream.read_some(1000, deadline));
    ASSERT_TRUE(part.has_value());
    seen += *part;
  }
  stream.close();
  loop.until([this] { return ask("GET", "/v1/events?follow=0").head.status == 200; });
}

TEST_F(ApiServer, DrainingEndsStreamsAndRefusesWhatIsNew) {
  http::ClientConnection stream(loop.context, address());
  http::ClientRequest request;
  request.target = "/v1/events";
  const Deadline deadline(std::chrono::steady_clock::now() + testing::kMaxTestWait);
  ASSERT_TRUE(loop.run(stream.send(request, deadline)).has_value());
  EXPECT_EQ(ask("GET", "/readyz").head.status, 200);
  api->drain();
  EXPECT_TRUE(loop.run(stream.read_body(10'000, deadline)).has_value());
  EXPECT_EQ(ask("GET", "/readyz").head.status, 503);
  EXPECT_EQ(ask("PUT", "/v1/jobs/a", "job: a\n").head.status, 503);
  EXPECT_EQ(ask("GET", "/healthz").head.status, 200);
}

TEST_F(ApiServer, AJobWithoutItsContainersIsNotReady) {
  EXPECT_EQ(ask("PUT", "/v1/jobs/a", "job: a\n").head.status, 201);
  const auto ready = ask("GET", "/readyz");
  EXPECT_EQ(ready.head.status, 503);
  EXPECT_THAT(ready.body, HasSubstr("has 0 of 1 containers"));
  EXPECT_EQ(ask("POST", "/v1/leases", R"({"job":"a"})").head.status, 429);
}

TEST_F(ApiServer, ATokenThatIsTakenAwayBetweenTwoRequestsHolds) {
  const auto secret = std::string("a-secret-of-some-length");
  tokens = *Tokens::parse("me " + secret, "file");
  EXPECT_EQ(ask("GET", "/v1/jobs").head.status, 401);
  EXPECT_EQ(ask("GET", "/v1/jobs", "", {{"Authorization", "Bearer " + secret}}).head.status, 200);
  tokens = *Tokens::parse("me another-secret-of-length", "file");
  EXPECT_EQ(ask("GET", "/v1/jobs", "", {{"Authorization", "Bearer " + secret}}).head.status, 403);
}

TEST_F(ApiServer, EachRouteAnswersItsMethodAndNoOther) {
  for (const auto& [method, pattern] : Api::routes()) {
    if (pattern == "/v1/events") continue;
    std::string target = pattern;
    for (auto at = target.find('{'); at != std::string::npos; at = target.find('{'))
      target.replace(at, target.find('}') - at + 1, "x");
    EXPECT_TRUE(Api::serves(target)) << target;
    EXPECT_NE(ask(method, target).head.status, 405) << method << " " << target;
    const auto refused = ask("BREW", target);
    EXPECT_EQ(refused.head.status, 405);
    EXPECT_THAT(std::string(refused.head.field("allow").value_or("")), HasSubstr(method));
  }
  for (const char* path : {"/", "/execute", "/health", "/status", "/v1", "/v2/jobs", "/metricsx"})
    EXPECT_FALSE(Api::serves(path)) << path;
}

TEST_F(ApiServer, IsNotReadyBeforeWhatAnEarlierLifeLeftHasBeenSeenTo) {
  const auto starting = std::make_shared<Runtime>(loop.context, driver);
  api = std::make_unique<Api>(ApiParts{loop.context, *starting, tokens, events, metrics, *inputs});
  const auto early = ask("GET", "/readyz");
  EXPECT_EQ(early.head.status, 503);
  EXPECT_THAT(early.body, HasSubstr("the agent is starting"));
  ASSERT_TRUE(loop.run(starting->start()).has_value());
  EXPECT_EQ(ask("GET", "/readyz").head.status, 200);
}

}  // namespace
}  // namespace berth::agent

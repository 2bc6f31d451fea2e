// SPDX-License-Identifier: Apache-2.0
// A container that lies below the protocol's lines (threat 42): lengths, chunks, fields, numbers. The call ends with
// cause protocol in bounded memory, and the link lives on.
#include <sys/resource.h>

#include "tests/support/raw_server.hpp"
#include "tests/support/slowdown.hpp"
#include "tests/unit/agent/link_fixture.hpp"

namespace berth::agent {
namespace {

using testing::lines;
using testing::RawReply;
using testing::RawRequest;
using testing::RawServer;

constexpr long kMostGrowthKb = 64 * 1024 + testing::kSanitizerKb;

long peak_rss_kb() {
  rusage usage{};
  ::getrusage(RUSAGE_SELF, &usage);
  return usage.ru_maxrss;
}

std::string streamed(const std::string& fields) {
  return "HTTP/1.1 200 OK\r\nContent-Type: application/x-ndjson\r\n" + fields + "\r\n";
}

std::string many_fields(int count) {
  std::string text;
  for (int i = 0; i < count; ++i) text += "X-" + std::to_string(i) + ": y\r\n";
  return text;
}

struct HttpLie {
  const char* name;
  RawReply reply;
};

void PrintTo(const HttpLie& lie, std::ostream* out) {
  *out << lie.name;
}

std::vector<HttpLie> http_lies() {
  using Then = RawReply::Then;
  std::string deep =
      R"({"type":"result","index":0,"success":true,"output":"x","error":"","execution_id":"a","metadata":)";
  for (int i = 0; i < 100'000; ++i) deep += R"({"a":)";
  deep += "1" + std::string(100'000, '}') + "}\n";
  return {
      {"NotHttp", {"SSH-2.0-x\r\n\r\n", {}, Then::close}},
      {"TwoLengths", {streamed("Content-Length: 2\r\nContent-Length: 3\r\n") + "{}", {}, Then::close}},
      {"HugeLength", {streamed("Content-Length: 99999999999999999999\r\n"), {}, Then::close}},
      {"EndlessChunks",
       {streamed("Transfer-Encoding: chunked\r\n"), "400\r\n" + std::string(1024, 'x') + "\r\n", Then::close}},
      {"EndlessHead", {"HTTP/1.1 200 OK\r\n", "X: y\r\n", Then::close}},
      {"HundredThousandFields", {streamed(many_fields(100'000)), {}, Then::close}},
      {"DeepMetadata", lines(deep)},
      {"HugeIndex", lines("{\"type\":\"result\",\"index\":1e300}\n")},
      {"NegativeIndex", lines("{\"type\":\"result\",\"index\":-1}\n")},
      {"IndexBeyondTheBatch", lines(testing::result_line(9, "a", "secret"))},
      {"HugeCount", lines("{\"type\":\"end\",\"results\":18446744073709551615}\n")},
  };
}

class LinkHttpLies : public ::testing::TestWithParam<HttpLie> {};

TEST_P(LinkHttpLies, EndTheCallAsProtocolAndTheNextOneWorks) {
  bool lying = true;
  RawServer server([&lying](const RawRequest& request, std::size_t) {
    if (lying) return GetParam().reply;
    return lines(testing::result_line(0, testing::ids_of(request).at(0), "fine") + testing::end_line(1));
  });
  testing::Loop loop;
  LinkOptions options;
  options.address = *http::parse_address(server.address());
  options.boot_id = "boot-1";
  auto link = std::make_shared<ContainerLink>(loop.context, options);
  const auto call = [&](const std::string& id) {
    Call made;
    made.slot = "slot_0";
    made.execution_id = id;
    made.tool = "bash";
    made.generation = 1;
    return loop.run(link->call(made));
  };
  const long before = peak_rss_kb();
  const auto lied = call("a");
  ASSERT_TRUE(lied.has_value());
  EXPECT_EQ(cause_of(*lied), "protocol") << lied->error;
  EXPECT_TRUE(lied->output.empty());
  EXPECT_LT(peak_rss_kb() - before, kMostGrowthKb);
  lying = false;
  EXPECT_EQ(call("b")->output, "fine");
  link->close("the test is over");
}

INSTANTIATE_TEST_SUITE_P(Every, LinkHttpLies, ::testing::ValuesIn(http_lies()),
                         [](const auto& each) { return std::string(each.param.name); });

}  // namespace
}  // namespace berth::agent

// SPDX-License-Identifier: Apache-2.0
// A container that lies (threat 42): cause protocol, bounded memory and time, never a result given to another call.
#include <sys/resource.h>

#include "tests/support/slowdown.hpp"
#include "tests/unit/client/fixture.hpp"

namespace berth {
namespace {

constexpr std::size_t kAnswerBound = std::size_t{1} << 20;
constexpr long kMostGrowthKb = 64 * 1024 + testing::kSanitizerKb;

long peak_rss_kb() {
  rusage usage{};
  ::getrusage(RUSAGE_SELF, &usage);
  return usage.ru_maxrss;
}

ClientOptions bounded() {
  ClientOptions options = quick();
  options.max_answer_bytes = kAnswerBound;
  return options;
}

std::string head_of(const std::string& rest) {
  return "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n" + rest + "\r\n";
}

struct Lie {
  const char* name;
  RawReply reply;
};

void PrintTo(const Lie& lie, std::ostream* out) {
  *out << lie.name;
}

std::string many_fields(int count) {
  std::string text;
  for (int i = 0; i < count; ++i) text += "X-" + std::to_string(i) + ": y\r\n";
  return text;
}

std::string deep(const std::string& before, const std::string& after) {
  return before + std::string(100'000, '[') + std::string(100'000, ']') + after;
}

// A result that is right but for its metadata, which is nested too deep to be copied or written.
std::string deep_result(const std::string& id, const std::string& more = "}") {
  constexpr int kDepth = 100'000;
  std::string open;
  for (int i = 0; i < kDepth; ++i) open += R"({"a":)";
  return R"({"success": true, "output": "", "error": "", "execution_id": ")" + id + R"(", "metadata": )" + open + "1" +
         std::string(kDepth, '}') + more;
}

// What no call may be given, in whatever form it comes.
std::vector<Lie> lies_about_http() {
  using Then = RawReply::Then;
  return {
      {"NotHttp", {"SSH-2.0-x\r\n\r\n", {}, Then::close}},
      {"TwoLengths", {head_of("Content-Length: 2\r\nContent-Length: 3\r\n") + "{}", {}, Then::close}},
      {"HugeLength", {head_of("Content-Length: 99999999999999999999\r\n"), {}, Then::close}},
      {"LengthOverTheBound", {head_of("Content-Length: 99999999\r\n"), {}, Then::close}},
      {"EndlessChunks",
       {head_of("Transfer-Encoding: chunked\r\n"), "400\r\n" + std::string(1024, ' ') + "\r\n", Then::close}},
      {"EndlessBody", {head_of(""), std::string(4096, ' '), Then::close}},
      {"EndlessHead", {"HTTP/1.1 200 OK\r\n", "X: y\r\n", Then::close}},
      {"HundredThousandFields", {head_of(many_fields(100'000)), {}, Then::close}},
      {"DeepJson", answer(200, deep("", ""))},
      {"DeepMetadata", answer(200, deep_result("e"))},
      {"NotUtf8", answer(200, "{\"success\": true, \"output\": \"\xff\"}")},
      {"HugeNumberForStatus", {"HTTP/1.1 99999999 OK\r\n\r\n", {}, Then::close}},
  };
}

class ClientLies : public ::testing::TestWithParam<Lie> {};

TEST_P(ClientLies, AboutHttpAreTheProtocolsFaultAndTheNextCallWorks) {
  bool lying = true;
  RawServer server(
      [&lying](const RawRequest& request, std::size_t) { return lying ? GetParam().reply : honest(request); });
  Client client(bounded());
  const long before = peak_rss_kb();
  Call call = bash_call("slot_0", "x");
  call.execution_id = "e";
  const Result single = client.execute(server.address(), call);
  const Result batched = client.execute_batch({PlacedCall{server.address(), call}}).at(0);
  for (const Result& result : {single, batched}) {
    EXPECT_EQ(cause(result), "protocol") << result.error;
    EXPECT_FALSE(result.success);
    EXPECT_FALSE(result.error.empty());
    EXPECT_LT(result.error.size(), 2000U);
    EXPECT_TRUE(result.output.empty());
  }
  EXPECT_LT(peak_rss_kb() - before, kMostGrowthKb);
  lying = false;
  EXPECT_TRUE(client.execute(server.address(), call).success);
}

INSTANTIATE_TEST_SUITE_P(Http, ClientLies, ::testing::ValuesIn(lies_about_http()),
                         [](const auto& each) { return std::string(each.param.name); });

TEST(ClientLiesAboutIds, AResultOfAnotherCallIsNeverGivenToThisOne) {
  RawServer server([](const RawRequest& request, std::size_t nth) {
    return answer(200, result_json(nth == 0 ? "somebody-else" : ids_of(request)[0] + "x", "secret"));
  });
  Client client(quick());
  for (int i = 0; i < 2; ++i) {
    const Result result = client.execute(server.address(), bash_call("slot_0", "x"));
    EXPECT_EQ(cause(result), "protocol");
    EXPECT_TRUE(result.output.empty());
  }
}

// Three calls a, b, c with outputs of their own; what a lying answer makes of them.
struct BatchLie {
  const char* name;
  RawReply reply;
  std::vector<std::string> outputs;  // what may be believed; "" is a call that ends with cause protocol
};

void PrintTo(const BatchLie& lie, std::ostream* out) {
  *out << lie.name;
}

std::string of(const std::string& id) {
  return result_json(id, "of " + id);
}
std::string line(std::size_t index, const std::string& id) {
  return result_line(index, id, "of " + id);
}

std::vector<BatchLie> lies_about_batches() {
  const std::string all = line(0, "a") + line(1, "b") + line(2, "c");
  return {
      {"ArrayOfOtherIds", answer(200, "[" + of("x") + "," + of("y") + "," + of("z") + "]"), {"", "", ""}},
      {"ArraySwapped", answer(200, "[" + of("b") + "," + of("a") + "," + of("c") + "]"), {"", "", "of c"}},
      {"ArrayRepeated", answer(200, "[" + of("a") + "," + of("a") + "," + of("a") + "]"), {"of a", "", ""}},
      {"ArrayTooShort", answer(200, "[" + of("a") + "]"), {"of a", "", ""}},
      {"ArrayTooLong", answer(200, "[" + of("a") + "," + of("b") + "," + of("c") + "," + of("d") + "]"), {"", "", ""}},
      {"ArrayOfNulls", answer(200, "[null, 5, {}]"), {"", "", ""}},
      {"ArrayDeep", answer(200, "[" + of("a") + "," + deep("", "") + "," + of("c") + "]"), {"of a", "", "of c"}},
      {"Object", answer(200, of("a")), {"", "", ""}},
      {"NotJson", answer(200, "[nonsense"), {"", "", ""}},
      {"LinesWithOtherIds", lines(line(0, "x") + end_line(1)), {"", "", ""}},
      {"LinesSwapped", lines(line(1, "a") + line(0, "b") + line(2, "c") + end_line(3)), {"", "", ""}},
      {"LinesRepeated",
       lines(line(0, "a") + line(0, "a") + line(1, "b") + line(2, "c") + end_line(3)),
       {"of a", "", ""}},
      {"LineBeyondTheBatch", lines(line(0, "a") + line(7, "b") + end_line(3)), {"of a", "", ""}},
      {"LineWithHugeIndex", lines(R"({"type":"result","index":1e300})"), {"", "", ""}},
      {"LineWithNegativeIndex", lines(R"({"type":"result","index":-1})"), {"", "", ""}},
      {"EndBeforeTheLast", lines(line(0, "a") + line(1, "b") + end_line(3)), {"of a", "of b", ""}},
      {"EndWithAnotherCount", lines(all + end_line(4)), {"of a", "of b", "of c"}},
      {"LineAfterTheEnd", lines(all + end_line(3) + R"({"type":"ping"})" + "\n"), {"of a", "of b", "of c"}},
      {"UnknownLine", lines("{\"type\":\"surprise\"}\n" + all + end_line(3)), {"", "", ""}},
      {"OutputNobodyAskedFor",
       lines(R"({"type":"output","execution_id":"a","stream":"stdout","offset":0,"text":"x"})"
             "\n" +
             all + end_line(3)),
       {"", "", ""}},
      {"LineDeep", lines(line(0, "a") + deep("", "\n")), {"of a", "", ""}},
      {"LineWithDeepMetadata", lines(deep_result("a", ",\"type\":\"result\",\"index\":0}\n")), {"", "", ""}},
      {"ArrayWithDeepMetadata",
       answer(200, "[" + deep_result("a") + "," + of("b") + "," + of("c") + "]"),
       {"", "of b", "of c"}},
      {"LineTooLong", lines(std::string(std::size_t{9} << 20, ' ') + "\n"), {"", "", ""}},
  };
}

class ClientBatchLies : public ::testing::TestWithParam<BatchLie> {};

TEST_P(ClientBatchLies, EndTheirCallsAndReachNoOther) {
  bool lying = true;
  RawServer server(
      [&lying](const RawRequest& request, std::size_t) { return lying ? GetParam().reply : honest(request); });
  Client client(quick());
  std::vector<PlacedCall> calls;
  for (const char* id : {"a", "b", "c"}) {
    Call call = bash_call("slot_0", "x");
    call.execution_id = id;
    calls.push_back(PlacedCall{server.address(), call});
  }
  const auto results = client.execute_batch(calls);
  for (std::size_t i = 0; i < 3; ++i) {
    EXPECT_EQ(results[i].execution_id, calls[i].call.execution_id);
    EXPECT_EQ(results[i].output, GetParam().outputs[i]);
    EXPECT_EQ(cause(results[i]), GetParam().outputs[i].empty() ? "protocol" : "exit") << results[i].error;
  }
  lying = false;
  for (const Result& result : client.execute_batch(calls)) EXPECT_EQ(result.output, "fine");
}

INSTANTIATE_TEST_SUITE_P(Every, ClientBatchLies, ::testing::ValuesIn(lies_about_batches()),
                         [](const auto& each) { return std::string(each.param.name); });

TEST(ClientBatchLiesAboutPlaces, AreNamed) {
  RawServer server([](const RawRequest&, std::size_t) { return lines(line(7, "a")); });
  Client client(quick());
  Call call = bash_call("slot_0", "x");
  call.execution_id = "a";
  const Result result = client.execute_batch({PlacedCall{server.address(), call}}).at(0);
  EXPECT_THAT(result.error, HasSubstr("a result for place 7 of 1"));
}

TEST(ClientBatchLiesForEver, EndlessPingsAreBounded) {
  RawServer server([](const RawRequest&, std::size_t) {
    RawReply reply;
    reply.bytes = "HTTP/1.1 200 OK\r\nContent-Type: application/x-ndjson\r\n\r\n";
    reply.endless = "{\"type\":\"ping\"}\n";
    return reply;
  });
  Client client(bounded());
  EXPECT_EQ(cause(client.execute_batch({PlacedCall{server.address(), bash_call("slot_0", "x")}}).at(0)), "protocol");
}

TEST(ClientLiesAboutHttp, BytesBeyondAnAnswerAreNeverTheNextOne) {
  RawServer server([](const RawRequest& request, std::size_t) {
    RawReply reply = honest(request);
    reply.bytes += answer(200, result_json("second", "forged")).bytes;
    return reply;
  });
  Client client(quick());
  for (const char* id : {"first", "second"}) {
    Call call = bash_call("slot_0", "x");
    call.execution_id = id;
    EXPECT_EQ(client.execute(server.address(), call).output, "fine") << id;
  }
}

}  // namespace
}  // namespace berth

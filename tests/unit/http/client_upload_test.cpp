// SPDX-License-Identifier: Apache-2.0
// Request bodies that the client sends in pieces.
#include "base/http/client.hpp"
#include "tests/unit/http/harness.hpp"
#include "tests/unit/http/run.hpp"

namespace berth::http {
namespace {

ClientRequest put(std::string target) {
  ClientRequest made;
  made.method = "PUT";
  made.target = std::move(target);
  return made;
}

asio::awaitable<void> repeat(Exchange& exchange) {
  auto body = co_await exchange.read_body(std::size_t{8} << 20);
  Response response;
  response.body = body ? *body : body.error().code;
  (void)co_await exchange.respond(std::move(response));
}

asio::awaitable<void> refuse(Exchange& exchange) {
  Response response;
  response.status = 413;
  response.body = "too much";
  (void)co_await exchange.respond(std::move(response));
}

class Upload : public ::testing::Test {
 protected:
  // Sends the pieces; what the server said.
  asio::awaitable<std::string> send(ClientConnection& connection, std::vector<std::string> pieces,
                                    std::optional<std::uint64_t> length) {
    const ClientRequest request = put("/x");
    const auto begun = co_await connection.begin(request, length, soon());
    if (!begun) co_return "begin " + begun.error().code;
    for (const std::string& piece : pieces) {
      const auto sent = co_await connection.write(piece, soon());
      if (!sent) break;
    }
    const auto head = co_await connection.finish(soon());
    if (!head) co_return "finish " + head.error().code;
    const auto body = co_await connection.read_body(std::size_t{8} << 20, soon());
    co_return std::to_string(head->status) + " " + body.value_or("no body");
  }
  asio::io_context context_;
};

TEST_F(Upload, PiecesArriveAsOneBodyWhateverTheFraming) {
  TestServer server(repeat);
  ClientConnection connection(context_, Address{{}, "127.0.0.1", server.port()});
  EXPECT_EQ(run(context_, send(connection, {"a", "", "bc", "def"}, std::nullopt)), "200 abcdef");
  EXPECT_EQ(run(context_, send(connection, {"a", "", "bc", "def"}, 6)), "200 abcdef");
  EXPECT_EQ(run(context_, send(connection, {}, 0)), "200 ");
  EXPECT_EQ(run(context_, send(connection, {}, std::nullopt)), "200 ");
  EXPECT_TRUE(connection.is_open());
}

TEST_F(Upload, AServerThatWantsNoMoreIsHeard) {
  TestServer server(refuse);
  ClientConnection connection(context_, Address{{}, "127.0.0.1", server.port()});
  const std::vector<std::string> pieces(200, std::string(64 << 10, 'x'));
  const std::string said = run(context_, send(connection, pieces, std::nullopt));
  // The answer, or, where the reset overtakes it, that the connection is gone.
  EXPECT_TRUE(said == "413 too much" || said == "finish transport") << said;
}

TEST_F(Upload, NothingIsSentWhereNobodyListens) {
  ClientConnection connection(context_, Address{"/nowhere/at/all", {}, 0});
  EXPECT_EQ(run(context_, send(connection, {"a"}, 1)), "begin connect");
}

}  // namespace
}  // namespace berth::http

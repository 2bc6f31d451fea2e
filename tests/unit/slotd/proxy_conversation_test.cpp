// SPDX-License-Identifier: Apache-2.0
// How long a proxy waits, for clients that say nothing and name servers that answer nothing.
#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/steady_timer.hpp>
#include <gtest/gtest.h>
#include <string>

#include "slotd/proxy/conversation.hpp"

namespace berth::slotd::proxy {
namespace {

constexpr auto kWait = std::chrono::milliseconds(100);
constexpr auto kAtMost = std::chrono::seconds(20);  // nothing takes so long but a hang

class ConversationTest : public ::testing::Test {
 protected:
  ConversationTest() {
    int ends[2] = {-1, -1};
    EXPECT_EQ(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, ends), 0);
    client_ = UniqueFd(ends[0]);
    served_ = UniqueFd(ends[1]);
    options_.allow = {"a.test"};
    options_.limits.head = options_.limits.between = options_.limits.lookup = kWait;
  }

  void begin() {
    gate_ = std::make_shared<Gate>(context_, options_);
    conversation_ = std::make_shared<Conversation>(gate_, std::make_shared<TrafficBook>());
    ASSERT_TRUE(conversation_->adopt(std::move(served_)));
    EXPECT_EQ(gate_->open(), 1U);
    conversation_->on_over([this] { over_ = true; });
    asio::co_spawn(context_, Conversation::run(conversation_), asio::detached);
  }

  // Runs until nothing is left to do; what the client was sent.
  std::string said() {
    context_.run_for(kAtMost);
    EXPECT_TRUE(context_.stopped());
    std::string text(4096, 0);
    const ssize_t size = ::recv(client_.get(), text.data(), text.size(), 0);
    text.resize(size > 0 ? static_cast<std::size_t>(size) : 0);
    return text;
  }

  void send(std::string_view text) {
    ASSERT_EQ(::send(client_.get(), text.data(), text.size(), MSG_NOSIGNAL), static_cast<ssize_t>(text.size()));
    ::shutdown(client_.get(), SHUT_WR);  // nobody lingers for more
  }

  asio::io_context context_;
  UniqueFd client_;
  UniqueFd served_;
  GateOptions options_;
  std::shared_ptr<Gate> gate_;
  std::shared_ptr<Conversation> conversation_;
  bool over_ = false;
};

TEST_F(ConversationTest, EndsWithAClientThatNeverAsks) {
  begin();
  EXPECT_EQ(said(), "");
  EXPECT_TRUE(over_);
  EXPECT_EQ(gate_->open(), 0U);
}

TEST_F(ConversationTest, EndsWithAClientWhoseHeadComesDropByDrop) {
  begin();
  asio::steady_timer drip(context_);
  std::function<void()> drop = [&] {
    if (over_) return;
    (void)::send(client_.get(), "G", 1, MSG_NOSIGNAL);
    drip.expires_after(kWait / 10);
    drip.async_wait([&](const boost::system::error_code&) { drop(); });
  };
  drop();
  EXPECT_EQ(said(), "");
  EXPECT_TRUE(over_);
}

TEST_F(ConversationTest, TellsThatTheNameServersDoNotAnswer) {
  const UniqueFd silent(::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0));
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t size = sizeof address;
  ASSERT_EQ(::bind(silent.get(), reinterpret_cast<const sockaddr*>(&address), size), 0);
  ASSERT_EQ(::getsockname(silent.get(), reinterpret_cast<sockaddr*>(&address), &size), 0);
  options_.name_servers = "127.0.0.1:" + std::to_string(ntohs(address.sin_port));
  begin();
  send("GET http://a.test/ HTTP/1.1\r\nHost: a.test\r\n\r\n");
  const std::string answer = said();
  EXPECT_EQ(answer.substr(0, 12), "HTTP/1.1 504") << answer;
  EXPECT_EQ(gate_->refused().at("timeout"), 1U);
}

TEST_F(ConversationTest, RefusesWhenThereAreTooManyOfThem) {
  options_.limits.connections = 0;
  gate_ = std::make_shared<Gate>(context_, options_);
  conversation_ = std::make_shared<Conversation>(gate_, std::make_shared<TrafficBook>());
  ASSERT_TRUE(conversation_->adopt(std::move(served_)));
  asio::co_spawn(context_, Conversation::run(conversation_), asio::detached);
  send("GET http://a.test/ HTTP/1.1\r\nHost: a.test\r\n\r\n");
  EXPECT_EQ(said().substr(0, 12), "HTTP/1.1 503");
  EXPECT_EQ(gate_->open(), 0U);
}

TEST_F(ConversationTest, IsCutAtOnce) {
  begin();
  conversation_->cut();
  EXPECT_TRUE(over_);
  EXPECT_EQ(gate_->open(), 0U);
  EXPECT_EQ(said(), "");
}

}  // namespace
}  // namespace berth::slotd::proxy

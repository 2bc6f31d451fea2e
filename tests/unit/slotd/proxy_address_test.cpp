// SPDX-License-Identifier: Apache-2.0
// Which addresses a proxy connects to (row 45 of the threat table).
#include <algorithm>
#include <boost/asio/io_context.hpp>
#include <gtest/gtest.h>
#include <string>

#include "slotd/proxy/address_rules.hpp"
#include "slotd/proxy/gate.hpp"

namespace berth::slotd::proxy {
namespace {

Address address(const std::string& text) {
  return asio::ip::make_address(text);
}

struct Block {
  const char* first;
  const char* last;
};

class InnerBlock : public ::testing::TestWithParam<Block> {};
TEST_P(InnerBlock, IsNotPublicFromItsFirstAddressToItsLast) {
  EXPECT_TRUE(not_public(address(GetParam().first)));
  EXPECT_TRUE(not_public(address(GetParam().last)));
}
INSTANTIATE_TEST_SUITE_P(
    V4, InnerBlock,
    ::testing::Values(Block{"0.0.0.0", "0.255.255.255"}, Block{"10.0.0.0", "10.255.255.255"},
                      Block{"100.64.0.0", "100.127.255.255"}, Block{"127.0.0.0", "127.255.255.255"},
                      Block{"169.254.0.0", "169.254.255.255"}, Block{"172.16.0.0", "172.31.255.255"},
                      Block{"192.0.0.0", "192.0.0.255"}, Block{"192.0.2.0", "192.0.2.255"},
                      Block{"192.88.99.0", "192.88.99.255"}, Block{"192.168.0.0", "192.168.255.255"},
                      Block{"198.18.0.0", "198.19.255.255"}, Block{"198.51.100.0", "198.51.100.255"},
                      Block{"203.0.113.0", "203.0.113.255"}, Block{"224.0.0.0", "239.255.255.255"},
                      Block{"240.0.0.0", "255.255.255.255"}));
INSTANTIATE_TEST_SUITE_P(
    V6, InnerBlock,
    ::testing::Values(Block{"::", "::1"}, Block{"::2", "::ffff"}, Block{"::ffff:0.0.0.0", "::ffff:255.255.255.255"},
                      Block{"::ffff:8.8.8.8", "::ffff:1.1.1.1"}, Block{"64:ff9b::", "64:ff9b::ffff:ffff"},
                      Block{"64:ff9b:1::", "64:ff9b:1:ffff:ffff:ffff:ffff:ffff"}, Block{"100::", "100::ffff"},
                      Block{"2001::", "2001:1ff:ffff:ffff:ffff:ffff:ffff:ffff"},
                      Block{"2001:db8::", "2001:db8:ffff:ffff:ffff:ffff:ffff:ffff"},
                      Block{"2002::", "2002:ffff:ffff:ffff:ffff:ffff:ffff:ffff"},
                      Block{"3fff::", "3fff:fff:ffff:ffff:ffff:ffff:ffff:ffff"}, Block{"4000::", "fbff::"},
                      Block{"fc00::", "fdff:ffff:ffff:ffff:ffff:ffff:ffff:ffff"},
                      Block{"fe80::", "febf:ffff:ffff:ffff:ffff:ffff:ffff:ffff"}, Block{"fec0::", "feff::"},
                      Block{"ff00::", "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff"}));

TEST(AddressRules, TheNeighboursOfInnerBlocksArePublic) {
  for (const char* text : {"1.0.0.0",         "9.255.255.255",
                           "11.0.0.0",        "100.63.255.255",
                           "100.128.0.0",     "126.255.255.255",
                           "128.0.0.0",       "169.253.255.255",
                           "169.255.0.0",     "172.15.255.255",
                           "172.32.0.0",      "191.255.255.255",
                           "192.0.1.0",       "192.0.3.0",
                           "192.167.255.255", "192.169.0.0",
                           "198.17.255.255",  "198.20.0.0",
                           "223.255.255.255", "8.8.8.8",
                           "2001:200::",      "2001:4860:4860::8888",
                           "2001:db7:ffff::", "2001:db9::",
                           "2003::",          "2606:4700::1111",
                           "3ffe::1"}) {
    EXPECT_FALSE(not_public(address(text))) << text;
  }
}

// A reference of another make: every IPv4 address that ends a /16 is judged by arithmetic on its first two numbers.
TEST(AddressRules, AgreeWithArithmeticForEverySixteenthOfTheirSpace) {
  for (unsigned a = 0; a < 256; ++a) {
    for (unsigned b = 0; b < 256; ++b) {
      const bool inner = a == 0 || a == 10 || (a == 100 && b / 64 == 1) || a == 127 || (a == 169 && b == 254) ||
                         (a == 172 && b / 16 == 1) || (a == 192 && b == 168) || (a == 198 && b / 2 == 9) || a >= 224;
      const asio::ip::address_v4 last(a << 24 | b << 16 | 0xfffe);
      ASSERT_EQ(not_public(last).has_value(), inner) << last.to_string();
    }
  }
}

TEST(AddressRules, RangesAreReadStrictly) {
  const auto range = parse_range("127.77.0.0/16");
  ASSERT_TRUE(range);
  EXPECT_TRUE(range->contains(address("127.77.255.1")));
  EXPECT_FALSE(range->contains(address("127.78.0.1")));
  EXPECT_FALSE(range->contains(address("::ffff:127.77.0.1")));
  ASSERT_TRUE(parse_range("fd00::/8"));
  EXPECT_TRUE(parse_range("fd00::/8")->contains(address("fdff::1")));
  EXPECT_TRUE(parse_range("0.0.0.0/0")->contains(address("8.8.8.8")));
  for (const char* text :
       {"", "10.0.0.0", "10.0.0.0/", "10.0.0.0/33", "10.0.0.0/x", "10.0.0/8", "::/129", "a/8", "/8", "10.0.0.0/-1"}) {
    EXPECT_FALSE(parse_range(text)) << text;
  }
}

TEST(AddressRules, OwnAddressesHoldLoopback) {
  const auto own = own_addresses();
  ASSERT_TRUE(own);
  EXPECT_NE(std::find(own->begin(), own->end(), address("127.0.0.1")), own->end());
}

// An agent, Nomad or an engine may listen on an address that is public.
TEST(AddressRules, ThisMachinesOwnAddressesAreRefusedThoughTheyArePublic) {
  EXPECT_TRUE(judge({address("8.8.8.8")}, {}, {address("9.9.9.9")}));
  const auto judged = judge({address("9.9.9.9")}, {}, {address("9.9.9.9")});
  ASSERT_FALSE(judged);
  EXPECT_EQ(judged.error().message, "9.9.9.9 (this machine's own)");
}

TEST(Gate, OneInnerAddressSpoilsAName) {
  asio::io_context context;
  const Gate gate(context, GateOptions{{"a.test"}, {}, {}, {}});
  EXPECT_TRUE(gate.judge({address("8.8.8.8"), address("2606:4700::1111")}));
  const auto judged = gate.judge({address("8.8.8.8"), address("10.0.0.1")});
  ASSERT_FALSE(judged);
  EXPECT_EQ(judged.error().code, "address");
  EXPECT_EQ(judged.error().message, "10.0.0.1 (private)");
}

TEST(Gate, AnUnsafeRangeIsThatRangeAlone) {
  asio::io_context context;
  const Gate gate(context, GateOptions{{"a.test"}, {*parse_range("10.1.0.0/16")}, {}, {}});
  EXPECT_TRUE(gate.judge({address("10.1.2.3")}));
  EXPECT_FALSE(gate.judge({address("10.2.2.3")}));
  EXPECT_FALSE(gate.judge({address("127.0.0.1")}));
}

TEST(Gate, CountsWhatIsOpenUpToItsBound) {
  asio::io_context context;
  GateOptions options{{"a.test"}, {}, {}, {}};
  options.limits.connections = 2;
  Gate gate(context, options);
  EXPECT_TRUE(gate.enter());
  EXPECT_TRUE(gate.enter());
  EXPECT_FALSE(gate.enter());
  gate.leave();
  EXPECT_TRUE(gate.enter());
  EXPECT_EQ(gate.open(), 2U);
}

}  // namespace
}  // namespace berth::slotd::proxy

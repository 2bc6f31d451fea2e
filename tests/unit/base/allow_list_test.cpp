// SPDX-License-Identifier: Apache-2.0
// Who a slot may talk to, as the job file writes it.
#include "base/allow_list.hpp"

#include <gtest/gtest.h>
#include <string>
#include <vector>

namespace berth {
namespace {

bool allowed(const std::string& pattern, const std::string& destination) {
  const auto parsed = parse_allow_pattern(pattern);
  auto host = parse_host_port(destination);
  EXPECT_TRUE(parsed) << pattern;
  EXPECT_TRUE(host && host->port) << destination;
  return parsed && host && allows(*parsed, *host);
}

TEST(AllowList, ANameWithoutAPortIsAllowedAt80And443) {
  EXPECT_TRUE(allowed("api.example.com", "api.example.com:80"));
  EXPECT_TRUE(allowed("api.example.com", "API.Example.COM:443"));
  EXPECT_FALSE(allowed("api.example.com", "api.example.com:8080"));
  EXPECT_FALSE(allowed("api.example.com", "api.example.com:22"));
}

TEST(AllowList, ANameWithAPortIsAllowedThereAlone) {
  EXPECT_TRUE(allowed("a.example:8443", "a.example:8443"));
  EXPECT_FALSE(allowed("a.example:8443", "a.example:443"));
}

TEST(AllowList, ANameIsNoOtherName) {
  for (const char* other :
       {"example.com:80", "x.api.example.com:80", "xapi.example.com:80", "api.example.com.evil.test:80",
        "api-example.com:80", "api.example.co:80", "api.example.comm:80"}) {
    EXPECT_FALSE(allowed("api.example.com", other)) << other;
  }
}

TEST(AllowList, AWildcardIsEverythingBelowItsNameButNotTheName) {
  EXPECT_TRUE(allowed("*.example.org", "a.example.org:443"));
  EXPECT_TRUE(allowed("*.example.org", "a.b.c.example.org:80"));
  for (const char* other :
       {"example.org:443", "aexample.org:443", "example.org.test:443", "a.example.org:444", "org:443"}) {
    EXPECT_FALSE(allowed("*.example.org", other)) << other;
  }
}

TEST(AllowList, AnAddressIsAllowedInAnySpellingOfItself) {
  EXPECT_TRUE(allowed("192.0.2.7", "192.0.2.7:80"));
  EXPECT_TRUE(allowed("[2001:db8::1]:443", "[2001:DB8:0:0::0001]:443"));
  EXPECT_FALSE(allowed("[2001:db8::1]:443", "[2001:db8::2]:443"));
  EXPECT_FALSE(allowed("192.0.2.7", "192.0.2.70:80"));
  EXPECT_FALSE(allowed("*.2.7x", "192.0.2.7:80"));
}

class RefusedHost : public ::testing::TestWithParam<const char*> {};
TEST_P(RefusedHost, IsNoHost) {
  EXPECT_FALSE(parse_host_port(GetParam())) << GetParam();
  EXPECT_FALSE(parse_allow_pattern(GetParam())) << GetParam();
}
INSTANTIATE_TEST_SUITE_P(Spellings, RefusedHost,
                         ::testing::Values("", ".", "a..b", ".a", "a.", "-a.test", "a-.test", "a b", "a\tb", "a/b",
                                           "a@b", "a%41", "\xc3\xa4.test", "a\n", "http://a", "a:", "a:0", "a:080",
                                           "a:65536", "a:99999999999", "a:8o", "a:80:80", "::1", "[::1", "[]", "[::1]x",
                                           "[::1]:", "[::1%lo]", "[fe80::1%1]:80", "[127.0.0.1]", "[v1.x]"));
INSTANTIATE_TEST_SUITE_P(Numbers, RefusedHost,
                         ::testing::Values("2130706433", "0", "0x7f000001", "0x7f.0.0.1", "127.1", "127.0.1",
                                           "0177.0.0.1", "127.0.0.01", "127.0.0.256", "1.2.3.4.5", "127.0.0.0x1", "a.1",
                                           "a.0x", "1..2", "+1", "127.0.0.1."));

TEST(AllowList, LongNamesAreRefused) {
  const std::string label(63, 'a');
  EXPECT_TRUE(parse_host_port(label + ".test"));
  EXPECT_FALSE(parse_host_port(label + "a.test"));
  EXPECT_TRUE(parse_host_port(label + "." + label + "." + label + "." + std::string(61, 'b')));
  EXPECT_FALSE(parse_host_port(label + "." + label + "." + label + "." + std::string(62, 'b')));
}

class RefusedPattern : public ::testing::TestWithParam<const char*> {};
TEST_P(RefusedPattern, SaysWhatToWrite) {
  const auto pattern = parse_allow_pattern(GetParam());
  ASSERT_FALSE(pattern) << GetParam();
  EXPECT_FALSE(pattern.error().message.empty());
  EXPECT_FALSE(pattern.error().hint.empty());
}
INSTANTIATE_TEST_SUITE_P(Wildcards, RefusedPattern,
                         ::testing::Values("*", "*.", "**.a.test", "*a.test", "a.*", "a.*.test", "*.*.test",
                                           "*.1.2.3.4", "*.[::1]", "*:80", "10.0.0.0/8", "a.test/path",
                                           "https://a.test", "*.a.test:x"));

TEST(AllowList, ThereIsOneSpellingOfEachPattern) {
  for (const auto& [text, spelled] : std::vector<std::pair<std::string, std::string>>{{"A.Test", "a.test"},
                                                                                      {"*.A.test:80", "*.a.test:80"},
                                                                                      {"[2001:DB8::0]", "[2001:db8::]"},
                                                                                      {"1.2.3.4:5", "1.2.3.4:5"}}) {
    const auto pattern = parse_allow_pattern(text);
    ASSERT_TRUE(pattern) << text;
    EXPECT_EQ(to_string(*pattern), spelled);
  }
}

}  // namespace
}  // namespace berth

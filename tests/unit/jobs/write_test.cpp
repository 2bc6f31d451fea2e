// SPDX-License-Identifier: Apache-2.0
#include "jobs/write.hpp"

#include <gtest/gtest.h>

#include "jobs/scalar.hpp"

namespace berth::jobs {
namespace {

NodePtr read(const std::string& text) {
  Complaints complaints("test");
  NodePtr root = read_tree(text, 0, complaints);
  EXPECT_TRUE(complaints.empty()) << text;
  return root;
}

// Same kinds, same texts; a number stays a number, a text a text.
void expect_same(const Node& a, const Node& b, const std::string& written) {
  ASSERT_EQ(a.kind, b.kind) << written;
  EXPECT_EQ(a.text, b.text) << written;
  EXPECT_EQ(read_text(a), read_text(b)) << written;
  EXPECT_EQ(read_number(a), read_number(b)) << written;
  EXPECT_EQ(is_none(&a), is_none(&b)) << written;
  ASSERT_EQ(a.items.size(), b.items.size()) << written;
  ASSERT_EQ(a.entries.size(), b.entries.size()) << written;
  for (std::size_t i = 0; i < a.items.size(); ++i) expect_same(*a.items[i], *b.items[i], written);
  for (std::size_t i = 0; i < a.entries.size(); ++i) {
    EXPECT_EQ(a.entries[i].key, b.entries[i].key) << written;
    expect_same(*a.entries[i].value, *b.entries[i].value, written);
  }
}

TEST(Written, ATreeReadsBackTheSame) {
  for (const std::string text : {
           "{job: pool, slots: 4, slot: {memory: 512MiB, cpu: none, network: none}, lease: {ttl: 1h}}",
           "env: {A: 1, B: \"1\", C: -1, D: 'true', E: true, F: \"none\", G: none, H: 1.5}",
           "setup: [\"echo a: b, c # d\", 'it''s', \"a\\nb\", \"\\\\\"]",
           "a: [1, [2, {b: {}}], []]\nb:\n  - \"\"\n  - -x\n  - .5x\n",
           "? long key\n: \"\\u00e9\\u4e2d\"\n",
       }) {
    const NodePtr first = read(text);
    ASSERT_TRUE(first);
    const std::string written = to_yaml(*first);
    EXPECT_EQ(written.find('\n'), std::string::npos);
    const NodePtr second = read(written);
    ASSERT_TRUE(second) << written;
    expect_same(*first, *second, written);
  }
}

TEST(Written, ATextReadsBackAsText) {
  for (const std::string text : {"plain", "127.0.0.1:80", "12", "1.5", "true", "none", "null", "", " x", "-", "a: b",
                                 "#c", "a#b", "0x10", "yes", "unix:/run/x", "/var/lib/berth", "\xc3\xa9", "a\nb"}) {
    const NodePtr back = read("v: " + yaml_text(text));
    ASSERT_TRUE(back) << text;
    EXPECT_EQ(read_text(*find(back.get(), "v")), text);
    EXPECT_FALSE(is_none(find(back.get(), "v"))) << text;
  }
}

}  // namespace
}  // namespace berth::jobs

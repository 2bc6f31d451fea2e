// SPDX-License-Identifier: Apache-2.0
#include "agent/api/tokens.hpp"

#include <algorithm>
#include <charconv>
#include <set>

#include "base/names.hpp"
#include "base/text.hpp"

namespace berth::agent {
namespace {

constexpr std::size_t kLeastSecret = 16;
constexpr std::size_t kMostFile = std::size_t{1} << 20;
constexpr EnumNames<Right, 3> kRights{{{Right::read, "read"}, {Right::use, "use"}, {Right::admin, "admin"}}};

std::vector<std::string_view> words_of(std::string_view line) {
  std::vector<std::string_view> words;
  while (!(line = trim(line)).empty()) {
    const auto end = std::min(line.find_first_of(" \t"), line.size());
    words.push_back(line.substr(0, end));
    line.remove_prefix(end);
  }
  return words;
}

bool is_name(std::string_view text) {
  const auto fits = [](unsigned char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '.' || c == '_' ||
           c == '-';
  };
  return !text.empty() && text.size() <= 64 && std::all_of(text.begin(), text.end(), fits);
}

std::optional<std::string> digest_of(std::string_view word) {
  constexpr std::string_view kDigest = "sha256:";
  if (word.substr(0, kDigest.size()) != kDigest) {
    if (word.size() < kLeastSecret) return std::nullopt;
    return sha256_hex(word);
  }
  const auto hex = word.substr(kDigest.size());
  const bool good = hex.size() == 64 && hex.find_first_not_of("0123456789abcdef") == std::string_view::npos;
  return good ? std::optional(std::string(hex)) : std::nullopt;
}

std::optional<unsigned> number_after(std::string_view word, std::string_view key) {
  if (word.substr(0, key.size()) != key) return std::nullopt;
  unsigned value = 0;
  const auto* end = word.data() + word.size();
  const auto read = std::from_chars(word.data() + key.size(), end, value);
  if (read.ec != std::errc() || read.ptr != end || value == 0) return std::nullopt;
  return value;
}

// What is wrong with a word after the token; empty when it was understood.
std::string take_word(std::string_view word, Token& token) {
  if (const auto right = value_of(kRights, word)) {
    token.right = *right;
    return {};
  }
  if (const auto slots = number_after(word, "slots=")) {
    token.slots = slots;
    return {};
  }
  if (const auto calls = number_after(word, "calls=")) {
    token.calls = calls;
    return {};
  }
  return "expected admin, use, read, slots=N or calls=N (N from 1) after the token of " + token.name;
}

std::string take_line(const std::vector<std::string_view>& words, Token& token) {
  if (!is_name(words[0])) return "a token's name is 1 to 64 of letters, digits and ._-";
  token.name = std::string(words[0]);
  if (words.size() < 2) return "the name " + token.name + " has no token after it";
  auto digest = digest_of(words[1]);
  if (!digest) return "the token of " + token.name + " has less than 16 characters, or is a bad sha256:HEX";
  token.sha256 = *std::move(digest);
  for (std::size_t i = 2; i < words.size(); ++i) {
    if (auto wrong = take_word(words[i], token); !wrong.empty()) return wrong;
  }
  return {};
}

// Every byte is looked at, whatever came before it.
bool equal_digests(std::string_view a, std::string_view b) {
  unsigned difference = a.size() == b.size() ? 0 : 1;
  for (std::size_t i = 0; i < a.size() && i < b.size(); ++i) {
    difference |= static_cast<unsigned char>(a[i]) ^ static_cast<unsigned char>(b[i]);
  }
  return difference == 0;
}

}  // namespace

std::string_view to_string(Right right) {
  return name_of(kRights, right);
}

bool Caller::may(Right wanted) const {
  return static_cast<int>(right) >= static_cast<int>(wanted);
}

Expected<Tokens> Tokens::parse(std::string_view text, const std::string& file) {
  Tokens tokens;
  std::string complaints;
  std::set<std::string> names;
  std::set<std::string> digests;
  if (text.size() > kMostFile) return fail("bad_tokens", file + ": larger than 1 MiB");
  std::size_t number = 0;
  while (!text.empty()) {
    const auto end = std::min(text.find('\n'), text.size());
    const auto words = words_of(text.substr(0, end));
    text.remove_prefix(std::min(end + 1, text.size()));
    ++number;
    if (words.empty() || words[0][0] == '#') continue;
    Token token;
    auto wrong = take_line(words, token);
    if (wrong.empty() && !names.insert(token.name).second) wrong = "the name " + token.name + " is there twice";
    if (wrong.empty() && !digests.insert(token.sha256).second) wrong = "two names have the same token";
    if (!wrong.empty())
      complaints += (complaints.empty() ? "" : "\n") + file + ":" + std::to_string(number) + ": " + wrong;
    if (wrong.empty()) tokens.tokens_.push_back(std::move(token));
  }
  if (!complaints.empty()) return fail("bad_tokens", complaints, "NAME TOKEN [admin|use|read] [slots=N] [calls=N]");
  if (tokens.tokens_.empty())
    return fail("bad_tokens", file + ": there is no token in it", "leave the file out to be open");
  return tokens;
}

std::optional<Caller> Tokens::caller(const http::RequestHead& head) const {
  if (open()) return Caller{};
  constexpr std::string_view kScheme = "bearer ";
  const auto field = head.field("authorization");
  const auto named = [](const auto& each) { return each.first == "authorization"; };
  // Of two nobody knows which one an intermediary looked at.
  if (std::count_if(head.fields.begin(), head.fields.end(), named) != 1) return std::nullopt;
  if (!field || field->size() < kScheme.size()) return std::nullopt;
  const auto same = [](char a, char b) { return a == b || (a >= 'A' && a <= 'Z' && a - 'A' + 'a' == b); };
  if (!std::equal(kScheme.begin(), kScheme.end(), field->begin(), [&](char b, char a) { return same(a, b); }))
    return std::nullopt;
  const auto digest = sha256_hex(trim(field->substr(kScheme.size())));
  const Token* found = nullptr;
  for (const Token& token : tokens_) {
    if (equal_digests(digest, token.sha256)) found = &token;
  }
  if (found == nullptr) return std::nullopt;
  return Caller{found->name, found->right, found->slots, found->calls};
}

}  // namespace berth::agent

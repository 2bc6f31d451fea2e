// SPDX-License-Identifier: Apache-2.0
// Who may do what over HTTP (wire.md 1.9). A secret is never kept: only its SHA-256 is, and only digests of equal
// length are compared, in a time that tells nothing. Plain values, single-threaded. A reload assigns a new Tokens to
// the old one: requests that are under way keep the Caller they began with.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/http/message.hpp"
#include "berth/error.hpp"

namespace berth::agent {

// Each includes those before it. `read` sees everything and changes nothing; `use` leases slots, sees and uses its own
// leases only; `admin` may do everything with everything.
enum class Right : std::uint8_t { read, use, admin };
[[nodiscard]] std::string_view to_string(Right right);

struct Token {
  std::string name;    // [A-Za-z0-9._-]{1,64}; the owner of the leases that it acquires
  std::string sha256;  // of the secret, 64 lower-case hex digits
  Right right = Right::use;
  std::optional<unsigned> slots;  // most slots that it may hold or wait for at the same time
  std::optional<unsigned> calls;  // most of its calls under way at the same time; beyond: 429
};

// Whoever sent a request. Without tokens everybody is the admin "".
struct Caller {
  std::string name;
  Right right = Right::admin;
  std::optional<unsigned> slots;
  std::optional<unsigned> calls;

  [[nodiscard]] bool may(Right wanted) const;
  // Whether leases of this owner are the caller's to see.
  [[nodiscard]] bool sees(std::string_view owner) const { return right != Right::use || owner == name; }
  // Whether they are the caller's to use and to end.
  [[nodiscard]] bool may_use(std::string_view owner) const {
    return right == Right::admin || (right == Right::use && owner == name);
  }
};

class Tokens {
 public:
  // Open: whoever reaches the agent is admin.
  Tokens() = default;

  // The text of a tokens file: `NAME TOKEN [admin|use|read] [slots=N] [calls=N]` a line, right `use` when none is
  // named; blank lines and lines that begin with '#' are skipped. TOKEN is the secret (16 characters at least), or
  // `sha256:HEX` of it. Every complaint at once, one a line, as FILE:LINE, never with a secret; code "bad_tokens".
  // A file without any token is refused: it would lock everybody out.
  [[nodiscard]] static Expected<Tokens> parse(std::string_view text, const std::string& file);

  [[nodiscard]] bool open() const { return tokens_.empty(); }
  [[nodiscard]] const std::vector<Token>& all() const { return tokens_; }

  // By the head alone: header `Authorization: Bearer TOKEN`. Nothing: no such token. Query and trailers are not looked
  // at.
  [[nodiscard]] std::optional<Caller> caller(const http::RequestHead& head) const;

 private:
  std::vector<Token> tokens_;
};

}  // namespace berth::agent

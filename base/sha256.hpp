// SPDX-License-Identifier: Apache-2.0
// SHA-256 of bytes that come in pieces; of a whole text: sha256_hex() in base/text.hpp. Not thread-safe by itself;
// movable between threads.
#pragma once

#include <nettle/sha2.h>
#include <string>
#include <string_view>

namespace berth {

class Sha256 {
 public:
  Sha256() { sha256_init(&context_); }
  void update(std::string_view bytes);
  // 64 lower-case hex digits of everything so far; begins anew.
  [[nodiscard]] std::string hex();

 private:
  sha256_ctx context_{};
};

}  // namespace berth

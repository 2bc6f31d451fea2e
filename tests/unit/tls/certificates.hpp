// SPDX-License-Identifier: Apache-2.0
// Certificates as the tests need them, made on the spot.
#pragma once

#include <chrono>
#include <string>

#include "base/tls/openssl.hpp"

namespace berth::tls {

struct Identity {
  std::string cert;  // PEM
  std::string key;   // PEM
};

struct Wanted {
  std::string common_name = "berth test";
  std::string alternative_names = "DNS:localhost,IP:127.0.0.1";  // empty: none
  std::chrono::seconds from{-3600};                              // from now on
  std::chrono::seconds until{3600};
};

class Authority {
 public:
  Authority();
  [[nodiscard]] Identity issue(const Wanted& wanted = {}) const;
  [[nodiscard]] const std::string& pem() const { return own_.cert; }

 private:
  PrivateKey key_;
  Certificate certificate_;
  Identity own_;
};

[[nodiscard]] Identity self_signed(const Wanted& wanted = {});
// The same key under a passphrase.
[[nodiscard]] std::string locked_key();

}  // namespace berth::tls

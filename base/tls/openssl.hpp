// SPDX-License-Identifier: Apache-2.0
// Owners of OpenSSL's objects and its errors in words. Internal to base/tls.
#pragma once

#include <memory>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <string>

namespace berth::tls {

template <auto Free>
struct FreeWith {
  template <typename T>
  void operator()(T* object) const {
    Free(object);
  }
};
using Ssl = std::unique_ptr<SSL, FreeWith<SSL_free>>;
using Certificate = std::unique_ptr<X509, FreeWith<X509_free>>;
using PrivateKey = std::unique_ptr<EVP_PKEY, FreeWith<EVP_PKEY_free>>;
using Bio = std::unique_ptr<BIO, FreeWith<BIO_free>>;
using Context = std::shared_ptr<SSL_CTX>;

// The last thing that went wrong in this thread, in OpenSSL's own words; none of them is a peer's.
[[nodiscard]] inline std::string last_reason() {
  const char* words = ERR_reason_error_string(ERR_peek_last_error());
  return words == nullptr ? "no reason given" : words;
}

// TLS 1.2 or 1.3, ciphers with forward secrecy, nothing renegotiated, resumed or compressed. Null: out of memory.
[[nodiscard]] Context make_context(const SSL_METHOD* method);

// Reads and writes the descriptor without blocking, and without SIGPIPE. Does not own it.
[[nodiscard]] Bio socket_bio(int fd);

}  // namespace berth::tls

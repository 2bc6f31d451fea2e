// SPDX-License-Identifier: Apache-2.0
// TLS as base/http sees it. Internal to base/tls.
#pragma once

#include <string>

#include "base/http/layer.hpp"
#include "base/tls/openssl.hpp"

namespace berth::tls {

class TlsLayer final : public http::Layer {
 public:
  // `ssl` knows its side. `remedy`: for a client, what a person does about a certificate that nobody here knows.
  // Null when there is no memory.
  [[nodiscard]] static std::unique_ptr<TlsLayer> over(int fd, Ssl ssl, std::string remedy = {});

  [[nodiscard]] int shake_hands() override;
  [[nodiscard]] ssize_t receive(std::span<char> into) override;
  [[nodiscard]] ssize_t peek() override;
  [[nodiscard]] ssize_t send(std::span<const iovec> parts) override;
  [[nodiscard]] int end() override;
  [[nodiscard]] bool wants_write() const override { return wants_write_; }
  [[nodiscard]] Error problem() const override { return problem_; }

 private:
  enum class First { heard, awaited, plain };

  TlsLayer(int fd, Ssl ssl, std::string remedy) : fd_(fd), ssl_(std::move(ssl)), remedy_(std::move(remedy)) {}

  // What OpenSSL's result means: the same when it is positive, 0 at the peer's end, else -1 with errno.
  [[nodiscard]] int outcome(int result);
  [[nodiscard]] int broken(Error problem);
  [[nodiscard]] int send_record(const void* data, std::size_t size);
  [[nodiscard]] First hear_first();
  [[nodiscard]] Error explain(int ssl_error) const;
  [[nodiscard]] Error explain_certificate(long verdict) const;

  int fd_;
  Ssl ssl_;
  std::string remedy_;
  std::string staged_;  // small parts on their way as one record
  bool heard_ = false;  // a server has looked at its peer's first byte
  bool wants_write_ = false;
  bool broken_ = false;
  Error problem_;
};

}  // namespace berth::tls

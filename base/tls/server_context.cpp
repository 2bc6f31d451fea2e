// SPDX-License-Identifier: Apache-2.0
#include "base/tls/server_context.hpp"

#include "base/tls/own_certificate.hpp"
#include "base/tls/tls_layer.hpp"

namespace berth::tls {

Expected<ServerContext> ServerContext::read(const std::string& cert_file, const std::string& key_file) {
  Context context = make_context(TLS_server_method());
  if (!context) return fail("tls", "no memory for TLS");
  const auto valid_until = show_certificate(context.get(), cert_file, key_file);
  if (!valid_until) return tl::unexpected(valid_until.error());
  return ServerContext(std::move(context), *valid_until);
}

std::unique_ptr<http::Layer> ServerContext::layer(int fd) const {
  Ssl ssl(SSL_new(context_.get()));
  if (ssl) SSL_set_accept_state(ssl.get());
  return TlsLayer::over(fd, std::move(ssl));
}

}  // namespace berth::tls

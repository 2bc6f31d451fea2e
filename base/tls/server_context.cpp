// SPDX-License-Identifier: Apache-2.0
#include "base/tls/server_context.hpp"

#include <ctime>
#include <openssl/x509.h>

#include "base/tls/pem.hpp"
#include "base/tls/tls_layer.hpp"

namespace berth::tls {
namespace {

std::chrono::system_clock::time_point end_of(const X509* certificate) {
  std::tm parts{};
  if (ASN1_TIME_to_tm(X509_get0_notAfter(certificate), &parts) != 1) return {};
  return std::chrono::system_clock::from_time_t(::timegm(&parts));
}

tl::unexpected<Error> unusable(const std::string& file) {
  const std::string reason = last_reason();
  ERR_clear_error();
  return fail("tls", file + " cannot be used: " + reason,
              "have it made anew, with a key of 2048 bits (RSA) or 256 (EC)");
}

}  // namespace

Expected<ServerContext> ServerContext::read(const std::string& cert_file, const std::string& key_file) {
  auto chain = read_certificates(cert_file);
  if (!chain) return tl::unexpected(chain.error());
  const auto key = read_key(key_file);
  if (!key) return tl::unexpected(key.error());
  X509* const own = chain->front().get();
  if (X509_check_private_key(own, key->get()) != 1)
    return fail("tls", key_file + " is not the key of the first certificate in " + cert_file,
                "name the two files that were made together, the server's own certificate first");
  Context context = make_context(TLS_server_method());
  if (!context) return fail("tls", "no memory for TLS");
  if (SSL_CTX_use_certificate(context.get(), own) != 1) return unusable(cert_file);
  if (SSL_CTX_use_PrivateKey(context.get(), key->get()) != 1) return unusable(key_file);
  for (std::size_t i = 1; i < chain->size(); ++i)
    if (SSL_CTX_add1_chain_cert(context.get(), chain->at(i).get()) != 1) return unusable(cert_file);
  return ServerContext(std::move(context), end_of(own));
}

std::unique_ptr<http::Layer> ServerContext::layer(int fd) const {
  Ssl ssl(SSL_new(context_.get()));
  if (ssl) SSL_set_accept_state(ssl.get());
  return TlsLayer::over(fd, std::move(ssl));
}

}  // namespace berth::tls

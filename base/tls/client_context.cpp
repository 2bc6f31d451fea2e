// SPDX-License-Identifier: Apache-2.0
#include "base/tls/client_context.hpp"

#include <openssl/x509v3.h>

#include "base/tls/own_certificate.hpp"
#include "base/tls/pem.hpp"
#include "base/tls/tls_layer.hpp"

namespace berth::tls {
namespace {

bool trust(SSL_CTX* context, const std::vector<Certificate>& authorities) {
  X509_STORE* const store = SSL_CTX_get_cert_store(context);
  for (const Certificate& each : authorities)
    if (X509_STORE_add_cert(store, each.get()) != 1) return false;
  return true;
}

bool expect_host(SSL* ssl, const std::string& host) {
  X509_VERIFY_PARAM* const wanted = SSL_get0_param(ssl);
  X509_VERIFY_PARAM_set_hostflags(wanted, X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS | X509_CHECK_FLAG_NEVER_CHECK_SUBJECT);
  if (X509_VERIFY_PARAM_set1_ip_asc(wanted, host.c_str()) == 1) return true;
  return X509_VERIFY_PARAM_set1_host(wanted, host.c_str(), host.size()) == 1 &&
         SSL_set_tlsext_host_name(ssl, host.c_str()) == 1;
}

}  // namespace

Expected<ClientContext> ClientContext::read(const std::string& ca_file, std::string remedy,
                                            const ClientIdentity& identity) {
  Context context = make_context(TLS_client_method());
  if (!context) return fail("tls", "no memory for TLS");
  SSL_CTX_set_verify(context.get(), SSL_VERIFY_PEER, nullptr);
  X509_VERIFY_PARAM_set_flags(SSL_CTX_get0_param(context.get()), X509_V_FLAG_PARTIAL_CHAIN);
  if (!identity.cert_file.empty()) {
    const auto shown = show_certificate(context.get(), identity.cert_file, identity.key_file);
    if (!shown) return tl::unexpected(shown.error());
  }
  if (ca_file.empty()) {
    SSL_CTX_set_default_verify_paths(context.get());
    return ClientContext(std::move(context), std::move(remedy));
  }
  const auto authorities = read_certificates(ca_file);
  if (!authorities) return tl::unexpected(authorities.error());
  if (!trust(context.get(), *authorities)) return fail("tls", ca_file + " cannot be used: " + last_reason());
  return ClientContext(std::move(context), std::move(remedy));
}

http::DialLayer ClientContext::dial() const {
  return [context = context_, remedy = remedy_](int fd, const std::string& host) -> std::unique_ptr<http::Layer> {
    Ssl ssl(SSL_new(context.get()));
    if (!ssl || !expect_host(ssl.get(), host)) return nullptr;
    SSL_set_connect_state(ssl.get());
    return TlsLayer::over(fd, std::move(ssl), remedy);
  };
}

}  // namespace berth::tls

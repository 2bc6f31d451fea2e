// SPDX-License-Identifier: Apache-2.0
#include "base/tls/own_certificate.hpp"

#include <ctime>
#include <openssl/x509.h>

#include "base/tls/pem.hpp"

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

Expected<std::chrono::system_clock::time_point> show_certificate(SSL_CTX* context, const std::string& cert_file,
                                                                 const std::string& key_file) {
  auto chain = read_certificates(cert_file);
  if (!chain) return tl::unexpected(chain.error());
  const auto key = read_key(key_file);
  if (!key) return tl::unexpected(key.error());
  X509* const own = chain->front().get();
  if (X509_check_private_key(own, key->get()) != 1)
    return fail("tls", key_file + " is not the key of the first certificate in " + cert_file,
                "name the two files that were made together, the side's own certificate first");
  if (SSL_CTX_use_certificate(context, own) != 1) return unusable(cert_file);
  if (SSL_CTX_use_PrivateKey(context, key->get()) != 1) return unusable(key_file);
  for (std::size_t i = 1; i < chain->size(); ++i)
    if (SSL_CTX_add1_chain_cert(context, chain->at(i).get()) != 1) return unusable(cert_file);
  return end_of(own);
}

}  // namespace berth::tls

// SPDX-License-Identifier: Apache-2.0
#include "tests/unit/tls/certificates.hpp"

#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>
#include <stdexcept>

namespace berth::tls {
namespace {

void must(bool done) {
  if (!done) throw std::runtime_error("making a certificate: " + last_reason());
}

std::string text_in(BIO* bio) {
  char* data = nullptr;
  const long size = BIO_get_mem_data(bio, &data);
  return {data, static_cast<std::size_t>(size)};
}

std::string pem_of(X509* certificate) {
  const Bio bio(BIO_new(BIO_s_mem()));
  must(PEM_write_bio_X509(bio.get(), certificate) == 1);
  return text_in(bio.get());
}

std::string pem_of(EVP_PKEY* key, const EVP_CIPHER* cipher = nullptr) {
  const Bio bio(BIO_new(BIO_s_mem()));
  const unsigned char phrase[] = {'p', 'h', 'r', 'a', 's', 'e'};
  must(PEM_write_bio_PrivateKey(bio.get(), key, cipher, cipher == nullptr ? nullptr : phrase,
                                cipher == nullptr ? 0 : int{sizeof phrase}, nullptr, nullptr) == 1);
  return text_in(bio.get());
}

void extend(X509* certificate, X509* issuer, int kind, const std::string& value) {
  X509V3_CTX context;
  X509V3_set_ctx(&context, issuer, certificate, nullptr, nullptr, 0);
  X509_EXTENSION* const extension = X509V3_EXT_conf_nid(nullptr, &context, kind, value.c_str());
  must(extension != nullptr && X509_add_ext(certificate, extension, -1) == 1);
  X509_EXTENSION_free(extension);
}

// Signed by the issuer, or by itself when there is none.
Certificate make(const Wanted& wanted, EVP_PKEY* key, X509* issuer, EVP_PKEY* issuer_key, bool authority) {
  static long serial = 0;
  Certificate made(X509_new());
  X509* const raw = made.get();
  X509_set_version(raw, X509_VERSION_3);
  ASN1_INTEGER_set(X509_get_serialNumber(raw), ++serial);
  X509_gmtime_adj(X509_getm_notBefore(raw), static_cast<long>(wanted.from.count()));
  X509_gmtime_adj(X509_getm_notAfter(raw), static_cast<long>(wanted.until.count()));
  const auto* const name = reinterpret_cast<const unsigned char*>(wanted.common_name.c_str());
  must(X509_NAME_add_entry_by_txt(X509_get_subject_name(raw), "CN", MBSTRING_UTF8, name, -1, -1, 0) == 1);
  X509_set_issuer_name(raw, X509_get_subject_name(issuer == nullptr ? raw : issuer));
  X509_set_pubkey(raw, key);
  X509* const signer = issuer == nullptr ? raw : issuer;
  if (authority) extend(raw, signer, NID_basic_constraints, "critical,CA:TRUE");
  if (!wanted.alternative_names.empty()) extend(raw, signer, NID_subject_alt_name, wanted.alternative_names);
  must(X509_sign(raw, issuer_key == nullptr ? key : issuer_key, EVP_sha256()) > 0);
  return made;
}

PrivateKey new_key() {
  return PrivateKey(EVP_EC_gen("P-256"));
}

}  // namespace

Authority::Authority() : key_(new_key()) {
  Wanted wanted;
  wanted.common_name = "berth test authority";
  wanted.alternative_names.clear();
  certificate_ = make(wanted, key_.get(), nullptr, nullptr, true);
  own_ = {pem_of(certificate_.get()), pem_of(key_.get())};
}

Identity Authority::issue(const Wanted& wanted) const {
  const PrivateKey key = new_key();
  const Certificate made = make(wanted, key.get(), certificate_.get(), key_.get(), false);
  return {pem_of(made.get()), pem_of(key.get())};
}

Identity self_signed(const Wanted& wanted) {
  const PrivateKey key = new_key();
  const Certificate made = make(wanted, key.get(), nullptr, nullptr, false);
  return {pem_of(made.get()), pem_of(key.get())};
}

std::string locked_key() {
  const PrivateKey key = new_key();
  return pem_of(key.get(), EVP_aes_128_cbc());
}

}  // namespace berth::tls

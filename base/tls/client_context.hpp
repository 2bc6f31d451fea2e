// SPDX-License-Identifier: Apache-2.0
// Whom a client trusts. A server has to show a certificate of one of these authorities, for the name or address that it
// is reached at (its subjectAltName alone counts); there is no way around that.
#pragma once

#include <memory>
#include <string>

#include "base/http/layer.hpp"
#include "berth/error.hpp"

struct ssl_ctx_st;

namespace berth::tls {

// What a client shows of itself, where the server asks: PEM files, the key without a passphrase. Both or neither.
struct ClientIdentity {
  std::string cert_file;
  std::string key_file;
};

// Cheap to copy, immutable; any thread.
class ClientContext {
 public:
  // Trusts what stands in `ca_file` (PEM; a server's own certificate will do) and nothing else; empty: the system's
  // authorities, which SSL_CERT_FILE and SSL_CERT_DIR may name. `remedy`: the hint of errors about certificates that
  // nobody here knows. Blocking. Error "tls".
  [[nodiscard]] static Expected<ClientContext> read(const std::string& ca_file, std::string remedy,
                                                    const ClientIdentity& identity = {});

  // For http::parse_address.
  [[nodiscard]] http::DialLayer dial() const;

 private:
  ClientContext(std::shared_ptr<ssl_ctx_st> context, std::string remedy)
      : context_(std::move(context)), remedy_(std::move(remedy)) {}

  std::shared_ptr<ssl_ctx_st> context_;
  std::string remedy_;
};

}  // namespace berth::tls

// SPDX-License-Identifier: Apache-2.0
// What one's own side shows of itself. Internal to base/tls; blocking.
#pragma once

#include <chrono>
#include <string>

#include "base/tls/openssl.hpp"
#include "berth/error.hpp"

namespace berth::tls {

// Has `context` show the certificate and its chain, and prove it by the key. Returns until when it holds. Error "tls".
[[nodiscard]] Expected<std::chrono::system_clock::time_point> show_certificate(SSL_CTX* context,
                                                                               const std::string& cert_file,
                                                                               const std::string& key_file);

}  // namespace berth::tls

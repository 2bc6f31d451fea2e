// SPDX-License-Identifier: Apache-2.0
// What stands in PEM files. Internal to base/tls; blocking.
#pragma once

#include <string>
#include <vector>

#include "base/tls/openssl.hpp"
#include "berth/error.hpp"

namespace berth::tls {

// At least one. Error "tls".
[[nodiscard]] Expected<std::vector<Certificate>> read_certificates(const std::string& file);

// Error "tls", also when others than its owner may read it.
[[nodiscard]] Expected<PrivateKey> read_key(const std::string& file);

}  // namespace berth::tls

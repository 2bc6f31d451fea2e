// SPDX-License-Identifier: Apache-2.0
// The certificate that a server shows and the key behind it, as they were read once. Connections keep the ones they
// began with, so replacing a ServerContext changes nothing for those that are open.
#pragma once

#include <chrono>
#include <memory>
#include <string>

#include "base/http/layer.hpp"
#include "berth/error.hpp"

struct ssl_ctx_st;

namespace berth::tls {

// Cheap to copy, immutable; any thread.
class ServerContext {
 public:
  // PEM files: the certificate with those between it and its authority, and its key without a passphrase, which nobody
  // else may read (a group may, where root owns the file). Blocking. Error "tls": which file, what is wrong with it,
  // what to do; never a part of its content.
  [[nodiscard]] static Expected<ServerContext> read(const std::string& cert_file, const std::string& key_file);

  // For an accepted socket. Null: out of memory.
  [[nodiscard]] std::unique_ptr<http::Layer> layer(int fd) const;

  [[nodiscard]] std::chrono::system_clock::time_point valid_until() const { return valid_until_; }

 private:
  ServerContext(std::shared_ptr<ssl_ctx_st> context, std::chrono::system_clock::time_point valid_until)
      : context_(std::move(context)), valid_until_(valid_until) {}

  std::shared_ptr<ssl_ctx_st> context_;
  std::chrono::system_clock::time_point valid_until_;
};

}  // namespace berth::tls

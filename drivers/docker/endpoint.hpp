// SPDX-License-Identifier: Apache-2.0
// Where the Docker Engine is: a unix socket, TCP on this machine's loopback, or TCP with TLS. Containers are reached
// through files: that an engine does not share them is seen when it is to make the first one.
#pragma once

#include <string>

#include "base/http/client.hpp"
#include "berth/error.hpp"

namespace berth::drivers::docker {

inline constexpr const char* kDefaultHost = "unix:///var/run/docker.sock";

struct EndpointSources {
  std::string host;         // unix://PATH or tcp://HOST:PORT; empty: kDefaultHost
  bool tls_verify = false;  // tcp:// goes through TLS
  std::string cert_path;    // folder of ca.pem, cert.pem and key.pem
};

// What the environment says: DOCKER_HOST where `host` is empty, DOCKER_TLS_VERIFY, DOCKER_CERT_PATH (~/.docker).
[[nodiscard]] EndpointSources endpoint_sources(std::string host);

struct Endpoint {
  http::Address address;
  std::string text;  // as it was written, for messages
};

// Reads the certificates. Errors: "bad_docker_host", "docker_elsewhere", "tls".
[[nodiscard]] Expected<Endpoint> find_endpoint(const EndpointSources& sources);

}  // namespace berth::drivers::docker

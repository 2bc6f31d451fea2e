// SPDX-License-Identifier: Apache-2.0
#include "drivers/docker/endpoint.hpp"

#include <cstdlib>

#include "base/tls/client_context.hpp"

namespace berth::drivers::docker {
namespace {

constexpr std::string_view kHostHint = "give unix:///var/run/docker.sock, or tcp://127.0.0.1:PORT";

std::string variable(const char* name) {
  const char* value = std::getenv(name);
  return value == nullptr ? std::string() : std::string(value);
}

bool is_loopback(const std::string& host) {
  return host == "localhost" || host == "::1" || host.starts_with("127.");
}

// The engine's ports are its own; HTTP's would be a guess.
bool names_port(std::string_view rest) {
  const std::size_t bracket = rest.find(']');
  return rest.find(':', bracket == std::string_view::npos ? 0 : bracket) != std::string_view::npos;
}

Expected<http::DialLayer> tls_of(const EndpointSources& sources) {
  const std::string& folder = sources.cert_path;
  const tls::ClientIdentity identity{folder + "/cert.pem", folder + "/key.pem"};
  const auto context = tls::ClientContext::read(
      folder + "/ca.pem", "have " + folder + "/ca.pem hold the authority of the engine's certificate", identity);
  if (!context) return tl::unexpected(context.error().within("DOCKER_CERT_PATH"));
  return context->dial();
}

Expected<http::Address> tcp_address(const EndpointSources& sources, std::string_view rest) {
  if (!names_port(rest))
    return fail("bad_docker_host", "Docker host " + sources.host + " names no port", "2375 is usual, 2376 with TLS");
  http::DialLayer layer;
  if (sources.tls_verify) {
    auto made = tls_of(sources);
    if (!made) return tl::unexpected(made.error());
    layer = std::move(*made);
  }
  const std::string scheme = sources.tls_verify ? "https://" : "http://";
  auto address = http::parse_address(scheme + std::string(rest), layer);
  if (!address) return fail("bad_docker_host", "Docker host " + sources.host + ": " + address.error().message);
  if (sources.tls_verify || is_loopback(address->host)) return address;
  return fail(
      "docker_elsewhere", "the Docker Engine at " + sources.host + " would be spoken to over a network without TLS",
      "set DOCKER_TLS_VERIFY and DOCKER_CERT_PATH; or run an agent on its machine, and name it with BERTH_ADDR");
}

}  // namespace

EndpointSources endpoint_sources(std::string host) {
  EndpointSources sources;
  sources.host = host.empty() ? variable("DOCKER_HOST") : std::move(host);
  sources.tls_verify = !variable("DOCKER_TLS_VERIFY").empty();
  sources.cert_path = variable("DOCKER_CERT_PATH");
  if (sources.cert_path.empty()) sources.cert_path = variable("HOME") + "/.docker";
  return sources;
}

Expected<Endpoint> find_endpoint(const EndpointSources& given) {
  EndpointSources sources = given;
  if (sources.host.empty()) sources.host = kDefaultHost;
  constexpr std::string_view kTcp = "tcp://";
  Expected<http::Address> address;
  if (sources.host.starts_with(kTcp)) {
    address = tcp_address(sources, std::string_view(sources.host).substr(kTcp.size()));
  } else if (sources.host.starts_with("unix:")) {
    address = http::parse_address(sources.host);
    if (!address) address = fail("bad_docker_host", "Docker host: " + address.error().message, std::string(kHostHint));
  } else {
    address = fail("bad_docker_host", "Docker host " + sources.host + " is neither unix:// nor tcp://",
                   std::string(kHostHint));
  }
  if (!address) return tl::unexpected(address.error());
  return Endpoint{std::move(*address), sources.host};
}

}  // namespace berth::drivers::docker

// SPDX-License-Identifier: Apache-2.0
#include "slotd/proxy/request.hpp"

#include <algorithm>
#include <array>

#include "base/http/answer.hpp"
#include "base/http/gate.hpp"
#include "base/http/syntax.hpp"

namespace berth::slotd::proxy {
namespace {

constexpr std::uint16_t kHttpPort = 80;
// Fields of one connection (RFC 9110 7.6.1), and those that this proxy writes itself.
constexpr std::array<std::string_view, 12> kOneHop{
    "connection", "keep-alive", "proxy-connection", "proxy-authorization", "proxy-authenticate",
    "te",         "trailer",    "upgrade",          "transfer-encoding",   "content-length",
    "expect",     "host"};

using Fields = std::vector<http::Field>;

tl::unexpected<Error> bad_request(std::string why) {
  return fail("bad_request", std::move(why));
}

struct Target {
  HostPort destination;
  std::string origin;  // path and query
};

Expected<HostPort> destination_of(std::string_view authority, std::uint16_t default_port) {
  if (authority.find('@') != std::string_view::npos) return bad_request("user names in a target are not taken");
  auto host = parse_host_port(authority);
  if (!host) return bad_request(host.error().message);
  if (!host->port && default_port == 0) return bad_request("CONNECT takes HOST:PORT");
  if (!host->port) host->port = default_port;
  return host;
}

Expected<Target> parse_absolute(std::string_view target) {
  constexpr std::string_view kScheme = "http://";
  if (!http::equals_ignoring_case(target.substr(0, kScheme.size()), kScheme)) {
    return bad_request("a proxy takes http://HOST/PATH and CONNECT HOST:PORT");
  }
  target.remove_prefix(kScheme.size());
  const auto end = std::min(target.find('/'), target.find('?'));
  auto destination = destination_of(target.substr(0, end), kHttpPort);
  if (!destination) return tl::unexpected(destination.error());
  std::string origin(end == std::string_view::npos ? std::string_view() : target.substr(end));
  if (!origin.starts_with('/')) origin.insert(0, "/");
  return Target{*std::move(destination), std::move(origin)};
}

// Clients of HTTP/1.0 may leave Host away: the target says it already.
bool names_host(std::string_view fields) {
  while (!fields.empty()) {
    if (http::equals_ignoring_case(http::take_line(fields).substr(0, 5), "host:")) return true;
  }
  return false;
}

bool agrees(const HostPort& host, const HostPort& destination, bool connect) {
  const bool same_name = host.host == destination.host && host.literal == destination.literal;
  const auto port = host.port ? host.port : connect ? destination.port : std::optional<std::uint16_t>(kHttpPort);
  return same_name && port == destination.port;
}

Expected<void> check_host(const ProxyRequest& request) {
  const auto host = parse_host_port(request.head.field("host").value_or(""));
  if (!host || !agrees(*host, request.destination, request.connect)) {
    return bad_request("the Host field names another place than the target");
  }
  return {};
}

bool is_listed(const Fields& fields, std::string_view name) {
  return std::any_of(fields.begin(), fields.end(), [&](const http::Field& field) {
    return field.first == "connection" && http::lists_word(field.second, name);
  });
}

void append_passed_on(std::string& out, const Fields& fields) {
  for (const auto& [name, value] : fields) {
    const bool ours = std::find(kOneHop.begin(), kOneHop.end(), name) != kOneHop.end();
    if (!ours && !is_listed(fields, name)) out.append(name).append(": ").append(value).append("\r\n");
  }
}

std::string host_field(const HostPort& destination) {
  HostPort shown = destination;
  if (shown.port == kHttpPort) shown.port.reset();
  return to_string(shown);
}

}  // namespace

Expected<ProxyRequest> parse_proxy_request(std::string_view head) {
  std::string_view fields = head;
  const std::string_view line = http::take_line(fields);
  const auto first = line.find(' ');
  const auto last = line.rfind(' ');
  if (first == std::string_view::npos || first == last) return bad_request("request line is not METHOD TARGET VERSION");
  const auto method = line.substr(0, first);
  const auto written = line.substr(first + 1, last - first - 1);
  if (!http::is_target(written)) return bad_request("character in the target that must be percent-encoded");

  ProxyRequest request;
  request.connect = method == "CONNECT";
  Expected<Target> target = request.connect ? destination_of(written, 0).map([](HostPort host) {
    return Target{std::move(host), "/"};
  })
                                            : parse_absolute(written);
  if (!target) return tl::unexpected(target.error());
  request.destination = std::move(target->destination);

  std::string plain(method);
  plain.append(" ").append(target->origin).append(line.substr(last)).append("\r\n");
  if (line.ends_with(" HTTP/1.0") && !names_host(fields)) {
    plain.append("Host: ").append(to_string(request.destination)).append("\r\n");
  }
  plain.append(fields);
  auto checked = http::check_request_head(plain, {plain.size() + 1, http::HeadLimits().max_fields});
  if (!checked) return tl::unexpected(checked.error());
  request.head = *std::move(checked);
  if (auto agreed = check_host(request); !agreed) return tl::unexpected(agreed.error());
  if (request.connect && (request.head.chunked || request.head.content_length.value_or(0) > 0)) {
    return bad_request("CONNECT with a body");
  }
  return request;
}

std::string head_for_destination(const ProxyRequest& request) {
  const auto& head = request.head;
  std::string out = head.method + " " + head.path;
  if (!head.query.empty()) out.append("?").append(head.query);
  out.append(" HTTP/1.1\r\nhost: ").append(host_field(request.destination)).append("\r\n");
  append_passed_on(out, head.fields);
  if (head.chunked) out.append("transfer-encoding: chunked\r\n");
  if (head.content_length) out.append("content-length: ").append(std::to_string(*head.content_length)).append("\r\n");
  return out.append("connection: close\r\n\r\n");
}

AnswerDelivery delivery_of(const ProxyRequest& request, const http::ParsedResponse& answer) {
  AnswerDelivery delivery;
  const bool has_body = !answer.body.done() || answer.length;
  delivery.chunked = has_body && !answer.length && request.head.modern;
  const bool delimited = !has_body || answer.length || delivery.chunked;
  delivery.keep_alive = request.head.keep_alive && delimited;
  return delivery;
}

std::string head_for_client(const http::ParsedResponse& answer, const AnswerDelivery& delivery, bool modern_client) {
  std::string out = "HTTP/1.1 " + std::to_string(answer.head.status) + " ";
  out.append(http::reason_phrase(answer.head.status)).append("\r\n");
  append_passed_on(out, answer.head.fields);
  const bool may_say_length = http::may_have_body(answer.head.status) || answer.head.status == 304;
  if (answer.length && may_say_length) {
    out.append("content-length: ").append(std::to_string(*answer.length)).append("\r\n");
  }
  if (delivery.chunked) out.append("transfer-encoding: chunked\r\n");
  if (!delivery.keep_alive) out.append("connection: close\r\n");
  if (delivery.keep_alive && !modern_client) out.append("connection: keep-alive\r\n");
  return out.append("\r\n");
}

std::string refusal_text(int status, std::string_view reason, std::string_view words) {
  std::string body = "berth: " + std::string(words) + "\n";
  std::string out = "HTTP/1.1 " + std::to_string(status) + " ";
  out.append(http::reason_phrase(status)).append("\r\n");
  out.append("content-type: text/plain; charset=utf-8\r\nberth-refused: ").append(reason);
  out.append("\r\ncontent-length: ").append(std::to_string(body.size())).append("\r\nconnection: close\r\n\r\n");
  return out + body;
}

}  // namespace berth::slotd::proxy

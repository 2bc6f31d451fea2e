// SPDX-License-Identifier: Apache-2.0
// What a client asks a proxy for, judged as strictly as the gate judges requests to a server, and the heads that go on
// from here. Pure functions.
#pragma once

#include <string>
#include <string_view>

#include "base/allow_list.hpp"
#include "base/http/message.hpp"
#include "base/http/response_head.hpp"
#include "berth/error.hpp"

namespace berth::slotd::proxy {

struct ProxyRequest {
  bool connect = false;    // a tunnel; no body
  HostPort destination;    // with its port
  http::RequestHead head;  // as a server would get it: path and query alone
};

// `head` ends with the empty line. Takes "METHOD http://HOST[:PORT]/PATH" and "CONNECT HOST:PORT" with a Host field
// that says the same (none in HTTP/1.0). Errors: those of http::check_request_head.
[[nodiscard]] Expected<ProxyRequest> parse_proxy_request(std::string_view head);

// The head for the destination, on a connection that serves this request only. Fields of one hop stay here.
[[nodiscard]] std::string head_for_destination(const ProxyRequest& request);

// How the answer's body reaches the client.
struct AnswerDelivery {
  bool chunked = false;
  bool keep_alive = false;
};
[[nodiscard]] AnswerDelivery delivery_of(const ProxyRequest& request, const http::ParsedResponse& answer);
[[nodiscard]] std::string head_for_client(const http::ParsedResponse& answer, const AnswerDelivery& delivery,
                                          bool modern_client);

// An answer of the proxy's own, after which the connection ends. `reason` is one word for programs.
[[nodiscard]] std::string refusal_text(int status, std::string_view reason, std::string_view words);

}  // namespace berth::slotd::proxy

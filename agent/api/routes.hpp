// SPDX-License-Identifier: Apache-2.0
// Which function answers which request, and with what right. Private to agent/api; the table is in routes.cpp.
#pragma once

#include <boost/asio/awaitable.hpp>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "agent/api/api.hpp"

namespace berth::agent {

struct Request {
  http::Exchange& exchange;
  Caller caller;
  bool known = false;               // the caller has shown a token, or there are none
  std::vector<std::string> params;  // what stood for the {names} of the pattern, decoded, in order

  [[nodiscard]] bool asks(std::string_view parameter, std::string_view value) const {
    return exchange.head().query_value(parameter) == value;
  }
};

struct Route {
  std::string_view method;     // GET stands for HEAD too
  std::string_view pattern;    // "/v1/leases/{lease}"; a last "{path...}" takes the rest, slashes included
  std::optional<Right> right;  // none: open to everybody
  boost::asio::awaitable<void> (Api::Impl::*function)(Request&);
  std::string_view flags{};  // query parameters that are "0" or "1", apart by blanks
};

// Whether a flag of the route has another value: what is not understood is not passed over.
[[nodiscard]] std::optional<Error> wrong_flag(const Route& route, const http::RequestHead& head);

// The pattern's parameters when the path fits it. Badly encoded parts fit nothing.
[[nodiscard]] std::optional<std::vector<std::string>> match_path(std::string_view pattern, std::string_view path);

}  // namespace berth::agent

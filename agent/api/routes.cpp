// SPDX-License-Identifier: Apache-2.0
#include "agent/api/routes.hpp"

#include <algorithm>
#include <array>

#include "agent/api/impl.hpp"
#include "base/text.hpp"

namespace berth::agent {
namespace {

using Impl = Api::Impl;

constexpr std::array kRoutes{
    Route{"GET", "/healthz", {}, &Impl::get_healthz},
    Route{"GET", "/readyz", {}, &Impl::get_readyz},
    Route{"GET", "/openapi.json", {}, &Impl::get_openapi},
    Route{"GET", "/metrics", Right::read, &Impl::get_metrics},
    Route{"GET", "/v1/events", Right::read, &Impl::get_events, "follow"},
    Route{"GET", "/v1/jobs", Right::read, &Impl::list_jobs},
    Route{"GET", "/v1/jobs/{job}", Right::read, &Impl::get_job},
    Route{"PUT", "/v1/jobs/{job}", Right::admin, &Impl::put_job, "plan"},
    Route{"DELETE", "/v1/jobs/{job}", Right::admin, &Impl::delete_job, "force"},
    Route{"GET", "/v1/inputs/{input}", Right::admin, &Impl::get_input},
    Route{"PUT", "/v1/inputs/{input}", Right::admin, &Impl::put_input},
    Route{"GET", "/v1/containers", Right::read, &Impl::list_containers, "usage"},
    Route{"GET", "/v1/containers/{container}/log", Right::admin, &Impl::get_container_log},
    Route{"GET", "/v1/slots", Right::read, &Impl::list_slots},
    Route{"GET", "/v1/leases", Right::read, &Impl::list_leases},
    Route{"POST", "/v1/leases", Right::use, &Impl::post_lease},
    Route{"GET", "/v1/leases/{lease}", Right::read, &Impl::get_lease},
    Route{"PATCH", "/v1/leases/{lease}", Right::use, &Impl::patch_lease},
    Route{"DELETE", "/v1/leases/{lease}", Right::use, &Impl::delete_lease},
    Route{"POST", "/v1/leases/{lease}/executions", Right::use, &Impl::post_execution, "wait stream"},
    Route{"GET", "/v1/leases/{lease}/executions/{execution}", Right::use, &Impl::get_execution},
    Route{"DELETE", "/v1/leases/{lease}/executions/{execution}", Right::use, &Impl::delete_execution},
    Route{"GET", "/v1/leases/{lease}/executions/{execution}/output", Right::use, &Impl::get_output},
    Route{"GET", "/v1/leases/{lease}/files/{path...}", Right::use, &Impl::get_file, "tar"},
    Route{"PUT", "/v1/leases/{lease}/files/{path...}", Right::use, &Impl::put_file, "tar"},
    Route{"DELETE", "/v1/leases/{lease}/files/{path...}", Right::use, &Impl::delete_file, "recursive"},
    Route{"POST", "/v1/batch", Right::use, &Impl::post_batch, "stream output"},
};

std::string_view take_segment(std::string_view& path) {
  path.remove_prefix(1);
  const auto end = std::min(path.find('/'), path.size());
  const auto segment = path.substr(0, end);
  path.remove_prefix(end);
  return segment;
}

}  // namespace

std::optional<Error> wrong_flag(const Route& route, const http::RequestHead& head) {
  std::string_view rest = route.flags;
  while (!rest.empty()) {
    const auto end = std::min(rest.find(' '), rest.size());
    const auto name = rest.substr(0, end);
    rest.remove_prefix(std::min(end + 1, rest.size()));
    const auto value = head.query_value(name);
    if (!value || *value == "0" || *value == "1") continue;
    return Error{"bad_request", "the query parameter " + std::string(name) + " is 0 or 1", {}};
  }
  return std::nullopt;
}

std::span<const Route> Api::Impl::routes() {
  return kRoutes;
}

std::optional<std::vector<std::string>> match_path(std::string_view pattern, std::string_view path) {
  std::vector<std::string> params;
  while (!pattern.empty() && !path.empty()) {
    const auto wanted = take_segment(pattern);
    if (wanted.substr(0, 1) == "{" && wanted.substr(wanted.size() - 4) == "...}") {
      auto rest = percent_decode(path.substr(1));
      if (!rest) return std::nullopt;
      params.push_back(*std::move(rest));
      return params;
    }
    const auto segment = take_segment(path);
    if (wanted.substr(0, 1) != "{") {
      if (wanted != segment) return std::nullopt;
      continue;
    }
    auto value = percent_decode(segment);
    if (!value || value->empty()) return std::nullopt;
    params.push_back(*std::move(value));
  }
  if (!pattern.empty() || !path.empty()) return std::nullopt;
  return params;
}

}  // namespace berth::agent

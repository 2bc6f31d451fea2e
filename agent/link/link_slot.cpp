// SPDX-License-Identifier: Apache-2.0
// What the agent asks of a slot or of the server beside calls: reset, health, cancelling, files.
#include <boost/asio/as_tuple.hpp>
#include <boost/asio/use_awaitable.hpp>

#include "agent/link/link.hpp"
#include "agent/link/pending.hpp"
#include "base/text.hpp"

namespace berth::agent {

namespace asio = boost::asio;

namespace {

constexpr std::size_t kAnswerBytes = std::size_t{1} << 20;
constexpr std::size_t kFilePart = std::size_t{256} << 10;
constexpr std::chrono::milliseconds kResetPause{20};

bool is_broken_connection(const Error& error) {
  return error.code == "connect" || error.code == "transport" || error.code == "timeout";
}

std::string file_target(const std::string& slot, const std::string& path, bool as_tar) {
  return "/slots/" + percent_encode(slot) + "/files/" + percent_encode_path(path) + (as_tar ? "?tar=1" : "");
}

}  // namespace

void ContainerLink::add_fields(http::ClientRequest& request, std::optional<std::uint64_t> generation) const {
  request.fields.emplace_back("Berth-Boot", options_.boot_id);
  if (generation) request.fields.emplace_back("Berth-Generation", std::to_string(*generation));
}

asio::awaitable<Expected<http::WholeResponse>> ContainerLink::ask(http::ClientRequest request, bool urgent,
                                                                  Deadline deadline) {
  const auto self = shared_from_this();
  const auto set = urgent ? urgent_ : work_;
  auto loan = co_await set->borrow(deadline);
  if (!loan) co_return fail("connect", closed_.value_or("no connection to the container is free"));
  auto head = co_await loan->send(request, deadline);
  if (!head) co_return tl::unexpected(head.error());
  auto body = co_await loan->read_body(kAnswerBytes, deadline);
  if (!body) co_return tl::unexpected(body.error());
  co_return http::WholeResponse{std::move(*head), std::move(*body)};
}

asio::awaitable<Expected<HealthFacts>> ContainerLink::health() {
  return health(options_.limits.health_limit);
}

asio::awaitable<Expected<HealthFacts>> ContainerLink::health(std::chrono::milliseconds limit) {
  http::ClientRequest request;
  request.target = "/health";
  const auto answer = co_await ask(std::move(request), true, Deadline(now() + limit));
  if (!answer) co_return tl::unexpected(answer.error());
  if (answer->head.status != 200) co_return tl::unexpected(error_of_answer(answer->head.status, answer->body));
  co_return parse_health(answer->body);
}

asio::awaitable<Expected<void>> ContainerLink::reset(std::string slot, std::uint64_t generation, Deadline deadline) {
  const auto self = shared_from_this();
  asio::steady_timer pause(context_);
  while (true) {
    http::ClientRequest request;
    request.method = "POST";
    request.target = "/reset";
    request.body = encode_reset(slot, generation);
    add_fields(request, std::nullopt);
    const auto answer = co_await ask(std::move(request), false, deadline);
    if (answer && answer->head.status != 200)
      co_return tl::unexpected(error_of_answer(answer->head.status, answer->body));
    if (answer) {
      const auto error = error_of_reset(answer->body);
      if (error) co_return tl::unexpected(*error);
      co_return Expected<void>{};
    }
    const bool again = is_broken_connection(answer.error()) && !closed_ && !deadline.expired(now() + kResetPause);
    if (!again) co_return tl::unexpected(answer.error());
    pause.expires_after(kResetPause);
    co_await pause.async_wait(asio::as_tuple(asio::use_awaitable));
  }
}

asio::awaitable<Expected<void>> ContainerLink::put_tar(std::string slot, std::uint64_t generation, std::string path,
                                                       std::string tar, Deadline deadline) {
  const auto self = shared_from_this();
  http::ClientRequest request;
  request.method = "PUT";
  request.target = file_target(slot, path, true);
  request.content_type = "application/x-tar";
  request.body = std::move(tar);
  add_fields(request, generation);
  const auto answer = co_await ask(std::move(request), false, deadline);
  if (!answer) co_return tl::unexpected(answer.error());
  if (answer->head.status >= 300) co_return tl::unexpected(error_of_answer(answer->head.status, answer->body));
  co_return Expected<void>{};
}

asio::awaitable<Expected<void>> ContainerLink::get_file(std::string slot, std::uint64_t generation, std::string path,
                                                        bool as_tar, BytesSink sink, Deadline deadline) {
  const auto self = shared_from_this();
  http::ClientRequest request;
  request.target = file_target(slot, path, as_tar);
  add_fields(request, generation);
  auto loan = co_await work_->borrow(deadline);
  if (!loan) co_return fail("connect", closed_.value_or("no connection to the container is free"));
  const auto head = co_await loan->send(request, deadline);
  if (!head) co_return tl::unexpected(head.error());
  if (head->status != 200) {
    const auto body = co_await loan->read_body(kAnswerBytes, deadline);
    co_return tl::unexpected(error_of_answer(head->status, body.value_or("")));
  }
  while (true) {
    const auto part = co_await loan->read_some(kFilePart, deadline);
    if (!part) co_return tl::unexpected(part.error());
    if (part->empty()) co_return Expected<void>{};
    if (auto taken = sink(*part); !taken) {
      loan->close();
      co_return taken;
    }
  }
}

}  // namespace berth::agent

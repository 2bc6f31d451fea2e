// SPDX-License-Identifier: Apache-2.0
// berth logs LEASE EXECUTION: the output that an execution has written so far, byte for byte.
// berth logs CONTAINER: what its slot server has logged.
#include <unistd.h>

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <charconv>

#include "base/call_wire.hpp"
#include "base/fd.hpp"
#include "base/text.hpp"
#include "cli/remote/commands.hpp"
#include "cli/remote/remote.hpp"
#include "cli/terminal.hpp"

namespace berth::cli {

namespace asio = boost::asio;

namespace {

constexpr std::size_t kMostPart = std::size_t{16} << 20;
constexpr std::chrono::seconds kLogsLimit{60};
constexpr std::chrono::seconds kFollowPause{1};

struct Part {
  std::string bytes;
  std::uint64_t offset = 0;
  std::uint64_t next = 0;
  bool end = false;
};

std::uint64_t number(const http::ResponseHead& head, std::string_view field) {
  const auto text = head.field(field).value_or("0");
  std::uint64_t value = 0;
  std::from_chars(text.data(), text.data() + text.size(), value);
  return value;
}

struct Answered {
  http::ResponseHead head;
  std::string body;
};

asio::awaitable<Expected<Answered>> ask_for_part(Remote& remote, http::ClientRequest request) {
  const Deadline deadline(now() + kLogsLimit);
  auto loan = co_await remote.borrow();
  auto head = co_await loan->send(request, deadline);
  if (!head) co_return tl::unexpected(head.error());
  auto body = co_await loan->read_body(kMostPart, deadline);
  if (!body) co_return tl::unexpected(body.error());
  if (head->status != 200) co_return tl::unexpected(error_of_answer(head->status, *body));
  co_return Answered{*std::move(head), *std::move(body)};
}

asio::awaitable<Expected<Part>> read_part(Remote& remote, const LogsOptions& options, std::uint64_t offset) {
  http::ClientRequest request = remote.request(
      "GET", "/v1/leases/" + percent_encode(options.whose) + "/executions/" + percent_encode(options.execution) +
                 "/output?stream=" + options.stream + "&offset=" + std::to_string(offset) +
                 "&wait=" + std::to_string(options.follow ? 10 : 0));
  auto answered = co_await ask_for_part(remote, std::move(request));
  if (!answered) co_return tl::unexpected(answered.error());
  Part part;
  part.bytes = std::move(answered->body);
  part.offset = number(answered->head, "berth-offset");
  part.next = number(answered->head, "berth-next");
  part.end = answered->head.field("berth-end") == "true";
  co_return part;
}

asio::awaitable<int> show_logs(Remote& remote, const LogsOptions& options) {
  std::uint64_t next = 0;
  bool more = true;
  while (more) {
    const auto part = co_await read_part(remote, options, next);
    if (!part) co_return report(remote, part.error());
    if (part->offset > next) print_warning(std::to_string(part->offset - next) + " bytes in the middle were not kept");
    if (!write_all(STDOUT_FILENO, part->bytes)) co_return kSuccess;
    const bool moved = part->next > next;
    next = part->next;
    more = !part->end && (options.follow || moved);
  }
  co_return kSuccess;
}

struct LogPart {
  std::string text;
  std::string next;
};

asio::awaitable<Expected<LogPart>> read_log_part(Remote& remote, const std::string& container, std::string after) {
  http::ClientRequest request =
      remote.request("GET", "/v1/containers/" + percent_encode(container) + "/log?after=" + percent_encode(after));
  auto answered = co_await ask_for_part(remote, std::move(request));
  if (!answered) co_return tl::unexpected(answered.error());
  LogPart part;
  part.text = std::move(answered->body);
  part.next = answered->head.field("berth-next").value_or("");
  co_return part;
}

asio::awaitable<int> show_container_log(Remote& remote, const LogsOptions& options) {
  asio::steady_timer pause(remote.context());
  std::string after;
  bool seen = false;
  while (true) {
    const auto part = co_await read_log_part(remote, options.whose, after);
    if (remote.interrupted()) co_return kInterrupted;
    // One that was followed to its end is no error.
    if (!part && seen && part.error().code == "unknown_container") co_return kSuccess;
    if (!part) co_return report(remote, part.error());
    seen = true;
    after = part->next;
    if (!write_all(STDOUT_FILENO, part->text)) co_return kSuccess;
    if (!part->text.empty()) continue;
    if (!options.follow) co_return kSuccess;
    pause.expires_after(kFollowPause);
    co_await pause.async_wait(asio::as_tuple(asio::use_awaitable));
  }
}

}  // namespace

int logs_command(const LogsOptions& options) {
  const bool of_container = options.execution.empty();
  const auto show = of_container ? show_container_log : show_logs;
  return with_agent([&options, show](Remote& remote) { return show(remote, options); }, kPlatform);
}

}  // namespace berth::cli

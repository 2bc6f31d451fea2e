// SPDX-License-Identifier: Apache-2.0
// berth logs LEASE EXECUTION: the output that an execution has written so far, byte for byte.
#include <unistd.h>

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

asio::awaitable<Expected<Part>> read_part(Remote& remote, const LogsOptions& options, std::uint64_t offset) {
  const http::ClientRequest request = remote.request(
      "GET", "/v1/leases/" + percent_encode(options.lease) + "/executions/" + percent_encode(options.execution) +
                 "/output?stream=" + options.stream + "&offset=" + std::to_string(offset) +
                 "&wait=" + std::to_string(options.follow ? 10 : 0));
  const Deadline deadline(now() + kLogsLimit);
  auto loan = co_await remote.borrow();
  const auto head = co_await loan->send(request, deadline);
  if (!head) co_return tl::unexpected(head.error());
  auto body = co_await loan->read_body(kMostPart, deadline);
  if (!body) co_return tl::unexpected(body.error());
  if (head->status != 200) co_return tl::unexpected(error_of_answer(head->status, *body));
  Part part;
  part.bytes = std::move(*body);
  part.offset = number(*head, "berth-offset");
  part.next = number(*head, "berth-next");
  part.end = head->field("berth-end") == "true";
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

}  // namespace

int logs_command(const LogsOptions& options) {
  return with_agent([&options](Remote& remote) { return show_logs(remote, options); }, kPlatform);
}

}  // namespace berth::cli

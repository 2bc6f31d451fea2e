// SPDX-License-Identifier: Apache-2.0
#include "slotd/routes/file_answers.hpp"

#include <algorithm>
#include <array>
#include <string_view>

#include "slotd/routes/routes.hpp"

namespace berth::slotd {
namespace {

struct Row {
  std::string_view code;
  int status;
};

constexpr std::array kStatuses{
    Row{"outside", 403},         Row{"denied", 403},         Row{"not_found", 404},   Row{"not_a_file", 400},
    Row{"not_a_directory", 400}, Row{"bad_path", 400},       Row{"bad_archive", 400}, Row{"bad_request", 400},
    Row{"too_many", 413},        Row{"body_too_large", 413}, Row{"too_large", 413},   Row{"disk_full", 507},
    Row{"cancelled", 409},       Row{"slot_reset", 409},     Row{"too_slow", 408},    Row{"busy", 429},
    Row{"isolation", 503},       Row{"overtime", 503},
};

}  // namespace

int file_status(const Error& error) {
  const auto* row =
      std::find_if(kStatuses.begin(), kStatuses.end(), [&](const Row& each) { return each.code == error.code; });
  return row == kStatuses.end() ? 500 : row->status;
}

asio::awaitable<void> send_file_error(http::Exchange& exchange, const Error& error) {
  co_await send_error(exchange, file_status(error), error.message, error.code);
}

}  // namespace berth::slotd

// SPDX-License-Identifier: Apache-2.0
// How errors of file work are answered, on every route that does any.
#pragma once

#include <boost/asio/awaitable.hpp>

#include "base/http/server.hpp"
#include "berth/error.hpp"

namespace berth::slotd {

// Headers and padding of a tar come on top of what the slot's disk can hold.
inline constexpr std::uint64_t kTarOverhead = std::uint64_t{64} << 20;

// Faults of the request and of its body are 4xx, the slot's full disk 507, our own failures 500.
[[nodiscard]] int file_status(const Error& error);
[[nodiscard]] boost::asio::awaitable<void> send_file_error(http::Exchange& exchange, const Error& error);

}  // namespace berth::slotd

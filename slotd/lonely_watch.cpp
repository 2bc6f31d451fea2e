// SPDX-License-Identifier: Apache-2.0
#include "slotd/lonely_watch.hpp"

namespace berth::slotd {
namespace {

// The limit passes in parts, each of which must be quiet: a container that was paused for hours has missed one part,
// and gives its agent the others to be heard.
constexpr int kPartsOfLimit = 10;

}  // namespace

LonelyWatch::LonelyWatch(boost::asio::io_context& context, std::chrono::seconds limit, std::function<void()> on_lonely)
    : timer_(context), limit_(limit), on_lonely_(std::move(on_lonely)) {}

void LonelyWatch::start() {
  if (limit_.count() > 0) wait_part();
}

void LonelyWatch::stop() {
  timer_.cancel();
}

void LonelyWatch::wait_part() {
  timer_.expires_after(std::chrono::milliseconds(limit_) / kPartsOfLimit);
  timer_.async_wait([this](const boost::system::error_code& error) {
    if (error) return;
    if (++quiet_parts_ > kPartsOfLimit) return on_lonely_();
    wait_part();
  });
}

}  // namespace berth::slotd

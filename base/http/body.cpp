// SPDX-License-Identifier: Apache-2.0
#include "base/http/body.hpp"

#include <algorithm>
#include <cstring>
#include <limits>

namespace berth::http {

bool Body::done() const {
  if (framing_ == Framing::chunked) return chunks_.done();
  return framing_ == Framing::until_close ? closed_ : left_ == 0;
}

std::uint64_t Body::direct() const {
  if (framing_ == Framing::chunked) return chunks_.data_left();
  if (framing_ == Framing::until_close) return closed_ ? 0 : std::numeric_limits<std::uint64_t>::max();
  return left_;
}

void Body::note_direct(std::size_t count) {
  if (framing_ == Framing::chunked) chunks_.take_data(count);
  if (framing_ == Framing::length) left_ -= count;
}

Expected<std::size_t> Body::take(InputBuffer& buffer, std::span<char> into) {
  if (framing_ == Framing::chunked) {
    const Expected<std::size_t> skipped = chunks_.skip_framing(buffer.view());
    if (!skipped) return skipped;
    buffer.consume(*skipped);
  }
  const auto allowed = static_cast<std::size_t>(std::min<std::uint64_t>(direct(), into.size()));
  const std::size_t count = std::min(allowed, buffer.view().size());
  if (count == 0) return count;
  std::memcpy(into.data(), buffer.view().data(), count);
  buffer.consume(count);
  note_direct(count);
  return count;
}

bool Body::end_of_input() {
  closed_ = framing_ == Framing::until_close;
  return closed_;
}

}  // namespace berth::http

// SPDX-License-Identifier: Apache-2.0
#include "agent/link/transfer.hpp"

namespace berth::agent {

namespace asio = boost::asio;

namespace {

constexpr std::size_t kPiece = std::size_t{64} << 10;

}  // namespace

Transfer::Transfer(http::Connections::Loan loan, std::function<void()> on_end)
    : loan_(std::move(loan)), on_end_(std::move(on_end)) {}

Transfer::~Transfer() {
  if (loan_ && !whole_) loan_->close();
  on_end_();
}

asio::awaitable<Expected<void>> Transfer::begin(http::ClientRequest request, UploadSize upload, Deadline deadline) {
  if (std::holds_alternative<NoUpload>(upload)) {
    auto head = co_await loan_->send(request, deadline);
    if (!head) co_return tl::unexpected(head.error());
    head_ = std::move(*head);
    co_return Expected<void>{};
  }
  std::optional<std::uint64_t> length;
  if (const auto* bytes = std::get_if<std::uint64_t>(&upload)) length = *bytes;
  co_return co_await loan_->begin(request, length, deadline);
}

asio::awaitable<Expected<void>> Transfer::write(std::string_view piece, Deadline deadline) {
  return loan_->write(piece, deadline);
}

asio::awaitable<Expected<void>> Transfer::finish(Deadline deadline) {
  auto head = co_await loan_->finish(deadline);
  if (!head) co_return tl::unexpected(head.error());
  head_ = std::move(*head);
  co_return Expected<void>{};
}

asio::awaitable<Expected<std::string>> Transfer::read(Deadline deadline) {
  auto piece = co_await loan_->read_some(kPiece, deadline);
  whole_ = piece && piece->empty();
  co_return piece;
}

}  // namespace berth::agent

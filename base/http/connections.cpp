// SPDX-License-Identifier: Apache-2.0
#include "base/http/connections.hpp"

#include <algorithm>

namespace berth::http {

Connections::Connections(asio::io_context& context, Address address, std::size_t limit, Duration write_stall)
    : context_(context), address_(std::move(address)), limit_(limit), write_stall_(write_stall) {}

Connections::Loan::Loan(std::shared_ptr<Connections> owner, std::unique_ptr<ClientConnection> connection)
    : owner_(std::move(owner)), connection_(std::move(connection)) {}

Connections::Loan::~Loan() {
  if (connection_) owner_->give_back(std::move(connection_));
}

Connections::Loan Connections::lend() {
  std::unique_ptr<ClientConnection> connection;
  if (idle_.empty()) {
    connection = std::make_unique<ClientConnection>(context_, address_, write_stall_);
  } else {
    connection = std::move(idle_.back());
    idle_.pop_back();
  }
  in_use_.push_back(connection.get());
  return Loan(shared_from_this(), std::move(connection));
}

asio::awaitable<Connections::Loan> Connections::borrow(Deadline until) {
  const auto self = shared_from_this();
  while (!closed_ && in_use_.size() >= limit_) {
    auto turn = std::make_shared<Promise<bool>>(context_);
    waiting_.push_back(turn);
    const auto came = co_await turn->wait(until);
    std::erase(waiting_, turn);
    if (!came) co_return Loan();
  }
  if (closed_) co_return Loan();
  co_return lend();
}

void Connections::give_back(std::unique_ptr<ClientConnection> connection) {
  std::erase(in_use_, connection.get());
  if (closed_) return;
  if (connection->is_open()) idle_.push_back(std::move(connection));
  if (waiting_.empty()) return;
  const auto turn = std::move(waiting_.front());
  waiting_.pop_front();
  turn->set(true);
}

void Connections::cut() {
  idle_.clear();
  for (ClientConnection* connection : in_use_) connection->close();
}

void Connections::close() {
  closed_ = true;
  cut();
  for (const auto& turn : std::exchange(waiting_, {})) turn->set(true);
}

}  // namespace berth::http

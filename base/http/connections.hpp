// SPDX-License-Identifier: Apache-2.0
// A bounded set of keep-alive connections to one server, handed out first come first served. Single-threaded.
#pragma once

#include <boost/asio/awaitable.hpp>
#include <boost/asio/io_context.hpp>
#include <cstddef>
#include <deque>
#include <memory>
#include <vector>

#include "base/http/client.hpp"
#include "base/http/promise.hpp"

namespace berth::http {

class Connections : public std::enable_shared_from_this<Connections> {
 public:
  Connections(boost::asio::io_context& context, Address address, std::size_t limit,
              Duration write_stall = ClientConnection::kWriteStall);

  // The right to use one connection; gives it back when destroyed. A connection in the middle of an answer has to be
  // closed first, else the next user would read the rest of it.
  class Loan {
   public:
    Loan() = default;
    Loan(std::shared_ptr<Connections> owner, std::unique_ptr<ClientConnection> connection);
    Loan(Loan&&) noexcept = default;
    Loan& operator=(Loan&&) noexcept = delete;
    ~Loan();
    [[nodiscard]] ClientConnection& operator*() const { return *connection_; }
    [[nodiscard]] ClientConnection* operator->() const { return connection_.get(); }
    [[nodiscard]] explicit operator bool() const { return connection_ != nullptr; }

   private:
    std::shared_ptr<Connections> owner_;
    std::unique_ptr<ClientConnection> connection_;
  };

  // An empty loan when the deadline came first or the set was closed.
  [[nodiscard]] boost::asio::awaitable<Loan> borrow(Deadline until);
  // Ends every pending operation with "transport"; later ones connect anew.
  void cut();
  // The same, and refuses later ones.
  void close();
  [[nodiscard]] std::size_t in_use() const { return in_use_.size(); }

 private:
  void give_back(std::unique_ptr<ClientConnection> connection);
  [[nodiscard]] Loan lend();

  boost::asio::io_context& context_;
  Address address_;
  std::size_t limit_;
  Duration write_stall_;
  bool closed_ = false;
  std::vector<std::unique_ptr<ClientConnection>> idle_;
  std::vector<ClientConnection*> in_use_;
  std::deque<std::shared_ptr<Promise<bool>>> waiting_;
};

}  // namespace berth::http

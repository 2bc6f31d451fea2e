// SPDX-License-Identifier: Apache-2.0
// One request to a container whose bodies travel piece by piece: files of any size, never whole in memory. It holds one
// of the link's connections from its making to its end; a transfer that is left in the middle closes it.
#pragma once

#include <boost/asio/awaitable.hpp>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <variant>

#include "base/http/client.hpp"
#include "base/http/connections.hpp"

namespace berth::agent {

// What is sent after the head: nothing, so many bytes, or pieces until finish().
struct NoUpload {};
struct ChunkedUpload {};
using UploadSize = std::variant<NoUpload, std::uint64_t, ChunkedUpload>;

class Transfer {
 public:
  // `on_end` runs once, when the transfer is destroyed.
  Transfer(http::Connections::Loan loan, std::function<void()> on_end);
  ~Transfer();
  Transfer(const Transfer&) = delete;
  Transfer& operator=(const Transfer&) = delete;

  // Sends the head; with NoUpload the answer's head is there afterwards. Errors are those of http::ClientConnection.
  [[nodiscard]] boost::asio::awaitable<Expected<void>> begin(http::ClientRequest request, UploadSize upload,
                                                             Deadline deadline);
  // The next piece of the upload. An error may mean that the server has answered early: finish() tells.
  [[nodiscard]] boost::asio::awaitable<Expected<void>> write(std::string_view piece, Deadline deadline);
  // The end of the upload; the answer's head is there afterwards.
  [[nodiscard]] boost::asio::awaitable<Expected<void>> finish(Deadline deadline);

  // Good after begin() without upload, or finish().
  [[nodiscard]] const http::ResponseHead& head() const { return head_; }
  // The next piece of the answer's body; empty at its end.
  [[nodiscard]] boost::asio::awaitable<Expected<std::string>> read(Deadline deadline);

 private:
  http::Connections::Loan loan_;
  std::function<void()> on_end_;
  http::ResponseHead head_;
  bool whole_ = false;  // the answer has been read to its end
};

}  // namespace berth::agent

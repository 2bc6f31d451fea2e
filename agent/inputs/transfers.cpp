// SPDX-License-Identifier: Apache-2.0
// Tars on their way into the store and out of it.
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>

#include "agent/inputs/part.hpp"

namespace berth::agent {

namespace asio = boost::asio;

namespace {

constexpr std::uint64_t kReadPiece = std::uint64_t{256} << 10;

// Fewer bytes than there should be are an error: nobody but the store touches its files.
Expected<std::string> read_at(int file, std::uint64_t at, std::uint64_t bytes) {
  std::string piece(bytes, '\0');
  std::size_t have = 0;
  while (have < piece.size()) {
    const ssize_t count = ::pread(file, piece.data() + have, piece.size() - have, static_cast<off_t>(at + have));
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) return fail_errno("reading a kept input", errno);
    if (count == 0) return fail("system", "a kept input is shorter than it was", "apply the job again");
    have += static_cast<std::size_t>(count);
  }
  return piece;
}

}  // namespace

InputUpload::InputUpload(std::shared_ptr<InputStore> store, std::string digest, std::shared_ptr<Part> part)
    : store_(std::move(store)), digest_(std::move(digest)), part_(std::move(part)) {}

InputUpload::~InputUpload() {
  if (part_->path.empty()) return;
  store_->run_later([part = std::move(part_)] {});  // its last owner removes it, not on this thread
}

asio::awaitable<Expected<void>> InputUpload::write(std::string piece) {
  bytes_ += piece.size();
  const std::uint64_t most = store_->limits().bytes;
  if (bytes_ > most) co_return fail("body_too_large", "the input is larger than " + std::to_string(most) + " bytes");
  const auto done = std::make_shared<Expected<void>>();
  const auto bytes = std::make_shared<const std::string>(std::move(piece));
  std::function<void()> work = [part = part_, bytes, done] { *done = part->write(*bytes); };
  co_await store_->run(std::move(work));
  co_return *done;
}

Expected<std::uint64_t> InputUpload::commit(TimePoint now) {
  const std::string found = part_->digest.hex();
  if (found != digest_)
    return fail("wrong_digest", "the body has the digest sha256:" + found + ", its path says sha256:" + digest_,
                "send exactly the bytes that the digest was made of");
  if (std::rename(part_->path.c_str(), store_->path_of(digest_).c_str()) != 0)
    return tl::unexpected(error_of_keeping(errno));
  part_->path.clear();
  store_->kept_.insert_or_assign(digest_, InputStore::Kept{bytes_, now});
  return bytes_;
}

InputReader::InputReader(std::shared_ptr<InputStore> store, UniqueFd file, std::uint64_t bytes)
    : store_(std::move(store)), file_(std::make_shared<const UniqueFd>(std::move(file))), size_(bytes) {}

asio::awaitable<Expected<std::string>> InputReader::next() {
  const std::uint64_t wanted = std::min(kReadPiece, size_ - at_);
  if (wanted == 0) co_return std::string();
  const auto piece = std::make_shared<Expected<std::string>>();
  std::function<void()> work = [file = file_, at = at_, wanted, piece] { *piece = read_at(file->get(), at, wanted); };
  co_await store_->run(std::move(work));
  at_ += wanted;
  co_return std::move(*piece);
}

}  // namespace berth::agent

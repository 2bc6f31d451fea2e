// SPDX-License-Identifier: Apache-2.0
// The tars that jobs name as inputs, each kept once under its digest in a folder of the agent's own (wire.md 2.3).
// What is in the folder is decided on the io_context's thread; contents are written and read on a thread beside it.
// Made by make_shared: uploads and readers keep it alive.
#pragma once

#include <boost/asio/awaitable.hpp>
#include <chrono>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <string_view>

#include "base/clock.hpp"
#include "base/fd.hpp"
#include "berth/error.hpp"

namespace boost::asio {
class thread_pool;
}

namespace berth::agent {

// The 64 hex digits of "sha256:HEX"; nothing for every other text.
[[nodiscard]] std::optional<std::string> input_digest(std::string_view name);

struct InputLimits {
  std::uint64_t bytes = std::uint64_t{1} << 30;  // of one tar
  Duration keep = std::chrono::hours(1);         // of one that no job names
};

class InputUpload;
class InputReader;

// A digest here is its 64 hex digits.
class InputStore : public std::enable_shared_from_this<InputStore> {
 public:
  explicit InputStore(std::string folder, InputLimits limits = {});
  ~InputStore();
  InputStore(const InputStore&) = delete;
  InputStore& operator=(const InputStore&) = delete;

  // Removes the folder with all that an earlier life left in it. Blocking; first.
  [[nodiscard]] Expected<void> clear();
  // Waits for the piece of work that is under way and removes the folder. Blocking; last: nothing works afterwards.
  void close();

  // Bytes of the tar; nothing when it is not here.
  [[nodiscard]] std::optional<std::uint64_t> size(const std::string& digest) const;
  // Somebody means to name it: its time begins anew.
  void touch(const std::string& digest, TimePoint now);
  // Removes what none of `named` is and nobody named or touched for so long. Whoever reads one reads on.
  void sweep(const std::set<std::string>& named, TimePoint now);

  // Errors: "disk_full", "system".
  [[nodiscard]] Expected<std::unique_ptr<InputUpload>> begin(const std::string& digest);
  // Error "input_missing".
  [[nodiscard]] Expected<std::unique_ptr<InputReader>> open(const std::string& digest);

  [[nodiscard]] const InputLimits& limits() const { return limits_; }

 private:
  friend class InputUpload;
  friend class InputReader;
  struct Kept {
    std::uint64_t bytes = 0;
    TimePoint wanted_at;  // when it was last named or touched
  };

  // Runs it on the other thread; it owns all that it touches. run() comes back to the caller's thread afterwards.
  [[nodiscard]] boost::asio::awaitable<void> run(std::function<void()> work);
  void run_later(std::function<void()> work);
  [[nodiscard]] boost::asio::thread_pool& worker();
  [[nodiscard]] std::string path_of(const std::string& digest) const { return folder_ + "/" + digest; }

  const std::string folder_;
  const InputLimits limits_;
  std::map<std::string, Kept> kept_;
  std::unique_ptr<boost::asio::thread_pool> worker_;  // from the first work on
};

// A tar on its way in. Left before commit() has succeeded, nothing of it stays.
class InputUpload {
 public:
  struct Part;
  InputUpload(std::shared_ptr<InputStore> store, std::string digest, std::shared_ptr<Part> part);
  ~InputUpload();
  InputUpload(const InputUpload&) = delete;
  InputUpload& operator=(const InputUpload&) = delete;

  // One piece at a time. Errors: "body_too_large", "disk_full", "system".
  [[nodiscard]] boost::asio::awaitable<Expected<void>> write(std::string piece);
  // Keeps it, when it has the digest that it was announced with. Errors: "wrong_digest", "system". Bytes.
  [[nodiscard]] Expected<std::uint64_t> commit(TimePoint now);

 private:
  const std::shared_ptr<InputStore> store_;
  const std::string digest_;
  std::shared_ptr<Part> part_;
  std::uint64_t bytes_ = 0;
};

// A kept tar's bytes from the first to the last.
class InputReader {
 public:
  InputReader(std::shared_ptr<InputStore> store, UniqueFd file, std::uint64_t bytes);

  [[nodiscard]] std::uint64_t size() const { return size_; }
  // The next piece, one at a time; empty at the end. Error "system".
  [[nodiscard]] boost::asio::awaitable<Expected<std::string>> next();

 private:
  const std::shared_ptr<InputStore> store_;
  const std::shared_ptr<const UniqueFd> file_;
  const std::uint64_t size_;
  std::uint64_t at_ = 0;
};

}  // namespace berth::agent

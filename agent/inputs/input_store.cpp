// SPDX-License-Identifier: Apache-2.0
#include "agent/inputs/input_store.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <system_error>
#include <unistd.h>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/thread_pool.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <cerrno>
#include <filesystem>

#include "agent/inputs/part.hpp"
#include "base/text.hpp"

namespace berth::agent {

namespace asio = boost::asio;

namespace {

constexpr std::string_view kPrefix = "sha256:";
constexpr std::size_t kDigits = 64;

bool is_digit_of_digest(char c) {
  return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f');
}

asio::awaitable<void> do_work(std::function<void()> work) {
  work();
  co_return;
}

}  // namespace

std::optional<std::string> input_digest(std::string_view name) {
  if (!name.starts_with(kPrefix)) return std::nullopt;
  name.remove_prefix(kPrefix.size());
  if (name.size() != kDigits) return std::nullopt;
  for (const char c : name)
    if (!is_digit_of_digest(c)) return std::nullopt;
  return std::string(name);
}

InputStore::InputStore(std::string folder, InputLimits limits) : folder_(std::move(folder)), limits_(limits) {}

InputStore::~InputStore() {
  if (worker_) worker_->join();
}

Expected<void> InputStore::clear() {
  kept_.clear();
  std::error_code error;
  std::filesystem::remove_all(folder_, error);
  if (error) return fail_errno("removing " + folder_, error.value());
  return {};
}

void InputStore::close() {
  if (worker_) worker_->join();
  // What cannot be removed now is removed at the next start.
  static_cast<void>(clear());
}

std::optional<std::uint64_t> InputStore::size(const std::string& digest) const {
  const auto found = kept_.find(digest);
  return found == kept_.end() ? std::nullopt : std::optional(found->second.bytes);
}

void InputStore::touch(const std::string& digest, TimePoint now) {
  const auto found = kept_.find(digest);
  if (found != kept_.end()) found->second.wanted_at = now;
}

void InputStore::sweep(const std::set<std::string>& named, TimePoint now) {
  for (auto each = kept_.begin(); each != kept_.end();) {
    auto& [digest, kept] = *each;
    if (named.contains(digest)) kept.wanted_at = now;
    if (now - kept.wanted_at < limits_.keep) {
      ++each;
      continue;
    }
    // Its name is free at once; a gigabyte takes its time to go.
    std::string gone = folder_ + "/gone-" + random_hex(8);
    if (::rename(path_of(digest).c_str(), gone.c_str()) == 0)
      run_later([gone = std::move(gone)] { ::unlink(gone.c_str()); });
    each = kept_.erase(each);
  }
}

Expected<std::unique_ptr<InputUpload>> InputStore::begin(const std::string& digest) {
  if (::mkdir(folder_.c_str(), 0700) != 0 && errno != EEXIST) return tl::unexpected(error_of_keeping(errno));
  std::string path = folder_ + "/part-" + random_hex(8);
  UniqueFd file(::open(path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600));
  if (!file) return tl::unexpected(error_of_keeping(errno));
  auto part = std::make_shared<InputUpload::Part>(std::move(file), std::move(path));
  return std::make_unique<InputUpload>(shared_from_this(), digest, std::move(part));
}

Expected<std::unique_ptr<InputReader>> InputStore::open(const std::string& digest) {
  const auto bytes = size(digest);
  if (!bytes) return fail("input_missing", "the agent has no input sha256:" + digest, "apply the job again");
  UniqueFd file(::open(path_of(digest).c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW));
  if (!file) return fail_errno("opening the input sha256:" + digest, errno);
  return std::make_unique<InputReader>(shared_from_this(), std::move(file), *bytes);
}

asio::thread_pool& InputStore::worker() {
  if (!worker_) worker_ = std::make_unique<asio::thread_pool>(1);
  return *worker_;
}

asio::awaitable<void> InputStore::run(std::function<void()> work) {
  auto done = do_work(std::move(work));
  co_await asio::co_spawn(worker().get_executor(), std::move(done), asio::use_awaitable);
}

void InputStore::run_later(std::function<void()> work) {
  asio::post(worker(), std::move(work));
}

}  // namespace berth::agent

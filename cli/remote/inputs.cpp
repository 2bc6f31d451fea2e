// SPDX-License-Identifier: Apache-2.0
#include "cli/remote/inputs.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <filesystem>

#include "base/call_wire.hpp"
#include "base/fd.hpp"
#include "base/text.hpp"

namespace berth::cli {

namespace asio = boost::asio;

namespace {

constexpr std::chrono::hours kUploadLimit{1};
constexpr std::size_t kUploadPiece = std::size_t{256} << 10;
constexpr std::size_t kMostUploadAnswer = std::size_t{64} << 10;

std::string target_of(const SentInput& input) {
  return "/v1/inputs/" + percent_encode(input.name);
}

struct TarFile {
  UniqueFd fd;
  std::uint64_t bytes = 0;
};

Expected<TarFile> open_tar(const std::string& path) {
  UniqueFd fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  struct stat facts {};
  if (!fd || ::fstat(fd.get(), &facts) != 0) return fail_errno("reading " + path, errno);
  return TarFile{std::move(fd), static_cast<std::uint64_t>(facts.st_size)};
}

// An agent that wants no more has answered: finish() hears it.
asio::awaitable<Expected<void>> send_file(http::ClientConnection& connection, int file, Deadline deadline) {
  std::string piece(kUploadPiece, '\0');
  while (true) {
    const ssize_t count = ::read(file, piece.data(), piece.size());
    if (count < 0) co_return fail_errno("reading a packed input", errno);
    if (count == 0) co_return Expected<void>{};
    const std::string_view part(piece.data(), static_cast<std::size_t>(count));
    const auto sent = co_await connection.write(part, deadline);
    if (!sent) co_return Expected<void>{};
  }
}

asio::awaitable<Expected<void>> upload(Remote& remote, const SentInput& input) {
  const auto tar = open_tar(input.tar);
  if (!tar) co_return tl::unexpected(tar.error());
  http::ClientRequest request = remote.request("PUT", target_of(input));
  request.content_type = "application/x-tar";
  const Deadline deadline(now() + kUploadLimit);
  const auto loan = co_await remote.borrow();
  const auto begun = co_await loan->begin(request, tar->bytes, deadline);
  if (!begun) co_return begun;
  const auto sent = co_await send_file(*loan, tar->fd.get(), deadline);
  if (!sent) loan->close();
  if (!sent) co_return sent;
  const auto head = co_await loan->finish(deadline);
  if (!head) co_return tl::unexpected(head.error());
  const auto body = co_await loan->read_body(kMostUploadAnswer, deadline);
  if (!body) co_return tl::unexpected(body.error());
  if (head->status >= 300) co_return tl::unexpected(error_of_answer(head->status, *body));
  co_return Expected<void>{};
}

}  // namespace

std::vector<SentInput> sent_inputs(const std::vector<jobs::Input>& inputs, const PackedInputs& packed) {
  std::vector<SentInput> sent;
  for (const jobs::Input& input : inputs) {
    const auto [tar, folder] = packed.find(input);
    const std::string digest = std::filesystem::path(tar).filename().string();
    sent.push_back({"sha256:" + digest, tar, folder.empty() ? "/workspace" : "/workspace/" + folder});
  }
  return sent;
}

std::string text_with(const PoolText& pool, const std::vector<SentInput>& inputs) {
  std::vector<jobs::Input> named;
  for (const SentInput& input : inputs) named.push_back({input.name, input.folder, {}});
  return jobs::with_inputs(pool.yaml, named);
}

asio::awaitable<Expected<void>> upload_missing(Remote& remote, const std::vector<SentInput>& inputs) {
  for (const SentInput& input : inputs) {
    const auto there = co_await remote.ask("GET", target_of(input));
    if (there) continue;
    if (there.error().code != "unknown_input") co_return tl::unexpected(there.error());
    const auto sent = co_await upload(remote, input);
    if (!sent) co_return tl::unexpected(sent.error().within("sending the input for " + input.folder));
  }
  co_return Expected<void>{};
}

asio::awaitable<Expected<std::string>> put_job(Remote& remote, std::string name, std::string yaml, bool plan_only) {
  http::ClientRequest request =
      remote.request("PUT", "/v1/jobs/" + percent_encode(name) + (plan_only ? "?plan=1" : ""));
  request.content_type = "application/yaml";
  request.body = std::move(yaml);
  const Deadline deadline;
  co_return co_await remote.ask(std::move(request), deadline);
}

}  // namespace berth::cli

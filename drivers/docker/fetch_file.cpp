// SPDX-License-Identifier: Apache-2.0
// A file on its way out of a container. The engine says what it is before it sends it, so that nothing but a plain file
// within the bound is read.
#include "base/text.hpp"
#include "drivers/docker/engine.hpp"
#include "drivers/docker/tar_content.hpp"

namespace berth::drivers::docker {
namespace {

constexpr std::size_t kMostFrame = std::size_t{64} << 10;  // of a tar, around its one file

Expected<void> check_file(const PathFacts& facts, const std::string& path, std::uint64_t max_bytes) {
  if (!facts.plain_file)
    return fail("not_a_file", path + " is no plain file in the container", "name a file, not a directory or a link");
  if (facts.size > max_bytes)
    return fail("too_large", path + " has " + std::to_string(facts.size) + " bytes, " + std::to_string(max_bytes) +
                                 " are taken at most");
  return {};
}

}  // namespace

asio::awaitable<Expected<std::string>> Engine::fetch_file(std::string container, std::string path,
                                                          std::uint64_t max_bytes, Deadline deadline) {
  http::ClientRequest request;
  request.target = "/containers/" + percent_encode(container) + "/archive?path=" + percent_encode(path);
  const Stream stream = new_stream();
  const auto head = co_await send(stream, std::move(request), deadline);
  if (!head) co_return tl::unexpected(head.error());
  const auto facts = read_path_facts(head->field("x-docker-container-path-stat").value_or(""));
  if (!facts) co_return tl::unexpected(facts.error());
  if (auto fits = check_file(*facts, path, max_bytes); !fits) co_return tl::unexpected(fits.error());
  const auto tar = co_await stream->read_body(facts->size + kMostFrame, deadline);
  if (!tar) co_return tl::unexpected(lost(tar.error()));
  co_return file_in_tar(*tar);
}

}  // namespace berth::drivers::docker

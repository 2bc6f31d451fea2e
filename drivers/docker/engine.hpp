// SPDX-License-Identifier: Apache-2.0
// The Docker Engine API, as far as the driver needs it: one connection a request, so that a slow answer holds up
// nobody. Every name and value is percent-encoded into its place. On one io_context; whoever awaits a call keeps the
// object.
//
// Errors: "engine_away" (nobody answers, or the connection was cut), "engine_timeout", "engine_protocol" (the answer is
// not what the API promises), "engine_missing" (404), "engine_conflict" (409), "engine_refused"; the last three carry
// the engine's own words.
#pragma once

#include <boost/asio/awaitable.hpp>
#include <boost/asio/io_context.hpp>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/deadline.hpp"
#include "base/http/client.hpp"
#include "drivers/docker/answers.hpp"
#include "drivers/docker/endpoint.hpp"
#include "drivers/docker/reference.hpp"

namespace berth::drivers::docker {

namespace asio = boost::asio;

// A file for a container: `content`, or what stands in the file `path` while it is sent.
struct FileToSend {
  std::string name;
  unsigned mode = 0600;
  std::string content;
  std::string path;
};

class Engine {
 public:
  // What the engine tells line by line as it happens. close() ends whatever waits for it.
  using Stream = std::shared_ptr<http::ClientConnection>;

  Engine(asio::io_context& context, Endpoint endpoint);

  [[nodiscard]] const std::string& where() const { return endpoint_.text; }

  // Asked once, and again after the engine was away.
  [[nodiscard]] asio::awaitable<Expected<EngineFacts>> facts(Deadline deadline);
  [[nodiscard]] asio::awaitable<Expected<ImageFacts>> image(std::string name, Deadline deadline);

  // The engine's id of a container that does not run yet; `body` is the request's JSON.
  [[nodiscard]] asio::awaitable<Expected<std::string>> create(std::string name, std::string body, Deadline deadline);
  [[nodiscard]] asio::awaitable<Expected<void>> send_files(std::string container, std::string folder,
                                                           std::vector<FileToSend> files, Deadline deadline);
  // The content of a plain file of a container, whether it runs or not; what the last part of `path` links to is not
  // followed. Further errors: "not_a_file", "too_large".
  [[nodiscard]] asio::awaitable<Expected<std::string>> fetch_file(std::string container, std::string path,
                                                                  std::uint64_t max_bytes, Deadline deadline);
  [[nodiscard]] asio::awaitable<Expected<void>> start(const std::string& container, Deadline deadline);
  // SIGTERM, and SIGKILL when it has not ended after so many seconds. Returns when it has.
  [[nodiscard]] asio::awaitable<Expected<void>> stop(const std::string& container, unsigned seconds, Deadline deadline);
  [[nodiscard]] asio::awaitable<Expected<void>> kill(const std::string& container, const std::string& signal,
                                                     Deadline deadline);
  // With its anonymous volumes, by force. One that is not there any more is removed.
  [[nodiscard]] asio::awaitable<Expected<void>> remove(std::string container, Deadline deadline);
  // Volumes with this label of an agent, and of one container where `container` is not empty: what is left when
  // somebody removed a container without its volumes, or the engine refused to make one. `engine_conflict`: one is in
  // use, maybe only until the engine has ended a removal of its own.
  [[nodiscard]] asio::awaitable<Expected<void>> remove_volumes(std::string agent, std::string container,
                                                               Deadline deadline);
  [[nodiscard]] asio::awaitable<Expected<ContainerEnd>> inspect_end(std::string container, Deadline deadline);
  // The last lines of what it wrote.
  [[nodiscard]] asio::awaitable<Expected<std::string>> last_lines(std::string container, unsigned lines,
                                                                  Deadline deadline);
  // Its whole log, or what came at `since` and later ("1700000000.5", seconds since 1970). Each line begins with its
  // time.
  [[nodiscard]] asio::awaitable<Expected<std::string>> stamped_log(std::string container, std::string since,
                                                                   Deadline deadline);
  [[nodiscard]] asio::awaitable<Expected<Usage>> usage(std::string container, Deadline deadline);
  // Every container with this label of an agent, whatever its state.
  [[nodiscard]] asio::awaitable<Expected<std::vector<ListedContainer>>> list(std::string agent, Deadline deadline);

  [[nodiscard]] Stream new_stream() const;
  // Then events come, one a line, of the containers with this label.
  [[nodiscard]] asio::awaitable<Expected<void>> follow(Stream stream, const std::string& agent, Deadline deadline);
  // Then progress comes, one line each. Closing the stream ends the pull.
  [[nodiscard]] asio::awaitable<Expected<void>> pull(Stream stream, Reference image, std::string credentials,
                                                     Deadline deadline);
  // The next line; nothing at the end.
  [[nodiscard]] asio::awaitable<Expected<std::optional<std::string>>> next_line(Stream stream, Deadline deadline);

 private:
  [[nodiscard]] asio::awaitable<Expected<void>> agree(Deadline deadline);
  // Where a proxy before the engine takes the header away that says it; empty: it is not told here either.
  [[nodiscard]] asio::awaitable<Expected<std::string>> told_version(Deadline deadline);
  // The answer's head; its body is still to be read.
  [[nodiscard]] asio::awaitable<Expected<http::ResponseHead>> send(Stream stream, http::ClientRequest request,
                                                                   Deadline deadline);
  [[nodiscard]] asio::awaitable<Expected<void>> open_stream(Stream stream, http::ClientRequest request,
                                                            Deadline deadline);
  [[nodiscard]] asio::awaitable<Expected<std::string>> ask(http::ClientRequest request, Deadline deadline);
  [[nodiscard]] asio::awaitable<Expected<void>> tell(http::ClientRequest request, Deadline deadline);
  [[nodiscard]] asio::awaitable<Expected<void>> check(Stream stream, int status, Deadline deadline) const;
  [[nodiscard]] asio::awaitable<Expected<void>> send_file(Stream stream, const FileToSend& file, Deadline deadline);
  // An error of the connection as one of the engine.
  [[nodiscard]] Error lost(const Error& error);

  asio::io_context& context_;
  Endpoint endpoint_;
  std::optional<unsigned> version_;  // 41: what both sides speak; asked for anew when the engine was away
  std::optional<EngineFacts> facts_;
};

}  // namespace berth::drivers::docker

// SPDX-License-Identifier: Apache-2.0
// The engine's client as a program: files into a container and out of it, for tests that have a real engine.
//   engine-files SOCKET put CONTAINER FOLDER FILE...      the files of this machine, by their last names, mode 0640
//   engine-files SOCKET get CONTAINER PATH MOST_BYTES     to stdout
// What is refused goes to stderr as "CODE: MESSAGE", with exit code 1.
#include <unistd.h>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <string>
#include <vector>

#include "base/clock.hpp"
#include "base/fd.hpp"
#include "drivers/docker/engine.hpp"

namespace {

using namespace berth;
using namespace berth::drivers::docker;

constexpr std::chrono::seconds kPatience{60};
using Words = std::vector<std::string>;

asio::awaitable<Expected<void>> put(Engine& engine, const Words& words, Deadline deadline) {
  std::vector<FileToSend> files;
  for (std::size_t i = 5; i < words.size(); ++i) {
    FileToSend file;
    file.name = std::filesystem::path(words[i]).filename();
    file.mode = 0640;
    file.path = words[i];
    files.push_back(std::move(file));
  }
  co_return co_await engine.send_files(words[3], words[4], std::move(files), deadline);
}

asio::awaitable<Expected<void>> get(Engine& engine, const Words& words, Deadline deadline) {
  const std::uint64_t most = std::strtoull(words[5].c_str(), nullptr, 10);
  const auto content = co_await engine.fetch_file(words[3], words[4], most, deadline);
  if (!content) co_return tl::unexpected(content.error());
  co_return write_all(STDOUT_FILENO, *content);
}

}  // namespace

int main(int argc, char** argv) {
  const Words words(argv, argv + argc);
  if (words.size() < 6) return 2;
  const auto endpoint = find_endpoint({"unix://" + words[1], false, ""});
  if (!endpoint) return 2;
  asio::io_context context;
  Engine engine(context, *endpoint);
  const Deadline deadline(now() + kPatience);
  Expected<void> done;
  asio::co_spawn(context, words[2] == "put" ? put(engine, words, deadline) : get(engine, words, deadline),
                 [&done](const std::exception_ptr& thrown, Expected<void> result) {
                   if (thrown) std::rethrow_exception(thrown);
                   done = std::move(result);
                 });
  context.run();
  if (done) return 0;
  std::fprintf(stderr, "%s: %s\n", done.error().code.c_str(), done.error().message.c_str());
  return 1;
}

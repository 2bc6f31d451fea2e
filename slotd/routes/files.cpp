// SPDX-License-Identifier: Apache-2.0
// GET, PUT and DELETE /slots/{slot}/files/{path}: raw bytes, streamed; ?tar=1 for whole trees (tar.cpp).
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <charconv>
#include <filesystem>
#include <vector>

#include "slotd/files/remove_tree.hpp"
#include "slotd/files/workspace.hpp"
#include "slotd/metadata.hpp"
#include "slotd/routes/file_answers.hpp"
#include "slotd/routes/routes.hpp"

namespace berth::slotd {
namespace {

constexpr std::size_t kFilePiece = std::size_t{64} << 10;
constexpr auto kReadyWait = std::chrono::seconds(10);

struct Range {
  std::uint64_t first = 0;
  std::uint64_t length = 0;
  bool partial = false;
};

// "bytes=A-B", "bytes=A-", "bytes=-N"; several ranges, or anything else, count as no range, as HTTP allows.
std::optional<Range> parse_range(const http::RequestHead& head, std::uint64_t size) {
  const Range whole{0, size, false};
  const auto field = head.field("range");
  if (!field || field->substr(0, 6) != "bytes=" || field->find(',') != std::string_view::npos) return whole;
  const auto text = field->substr(6);
  const auto dash = text.find('-');
  if (dash == std::string_view::npos) return whole;
  std::uint64_t first = 0;
  std::uint64_t last = size == 0 ? 0 : size - 1;
  const auto number = [](std::string_view digits, std::uint64_t& out) {
    return std::from_chars(digits.data(), digits.data() + digits.size(), out).ptr == digits.data() + digits.size();
  };
  if (dash == 0) {
    std::uint64_t count = 0;
    if (text.size() == 1 || !number(text.substr(1), count)) return whole;
    if (count == 0 || size == 0) return std::nullopt;
    return Range{size - std::min(count, size), std::min(count, size), true};
  }
  if (!number(text.substr(0, dash), first)) return whole;
  if (dash + 1 < text.size() && !number(text.substr(dash + 1), last)) return whole;
  if (first >= size || last < first) return std::nullopt;
  return Range{first, std::min(last, size - 1) - first + 1, true};
}

asio::awaitable<void> send_bytes(http::Exchange& exchange, const UniqueFd& fd, Range range) {
  std::vector<char> piece(kFilePiece);
  while (range.length > 0) {
    const auto want = std::min<std::uint64_t>(piece.size(), range.length);
    const auto count = ::pread(fd.get(), piece.data(), want, static_cast<off_t>(range.first));
    // A file that shrank cannot fill the length that was announced: the cut connection tells.
    if (count <= 0) co_return;
    if (!co_await exchange.write({piece.data(), static_cast<std::size_t>(count)})) co_return;
    range.first += static_cast<std::uint64_t>(count);
    range.length -= static_cast<std::uint64_t>(count);
  }
  (void)co_await exchange.end_stream();
}

asio::awaitable<void> get_file(http::Exchange& exchange, Slot& slot, const std::string& path) {
  auto file = [&]() -> Expected<Workspace::File> {
    const FsIdentity identity(slot.room().room());
    return Workspace(slot.room().room(), slot.workspace_dir()).open_file(path);
  }();
  if (!file) {
    co_await send_file_error(exchange, file.error());
    co_return;
  }
  const auto size = static_cast<std::uint64_t>(file->facts.st_size);
  const auto range = parse_range(exchange.head(), size);
  http::Response head;
  head.content_type = http::kBytesType;
  head.fields = {{"Accept-Ranges", "bytes"}};
  if (!range) {
    head.status = 416;
    head.fields.emplace_back("Content-Range", "bytes */" + std::to_string(size));
    (void)co_await exchange.respond(std::move(head));
    co_return;
  }
  if (range->partial) {
    head.status = 206;
    head.fields.emplace_back("Content-Range", "bytes " + std::to_string(range->first) + "-" +
                                                  std::to_string(range->first + range->length - 1) + "/" +
                                                  std::to_string(size));
  }
  if (!co_await exchange.begin_stream(std::move(head), range->length)) co_return;
  co_await send_bytes(exchange, file->fd, *range);
}

Expected<NewFile> create_file(Slot& slot, const std::string& path) {
  const FsIdentity identity(slot.room().room());
  auto place = Workspace(slot.room().room(), slot.workspace_dir()).place(path, true);
  if (!place) return tl::unexpected<Error>(place.error());
  return NewFile::create(std::move(*place));
}

asio::awaitable<Expected<std::uint64_t>> receive(http::Exchange& exchange, Slot& slot, NewFile& file) {
  std::vector<char> piece(kFilePiece);
  std::uint64_t total = 0;
  while (true) {
    const auto count = co_await exchange.read_some(piece);
    if (!count) co_return tl::unexpected<Error>(count.error());
    if (*count == 0) co_return total;
    if (!slot.room().usable()) co_return fail("slot_reset", "the slot was reset meanwhile");
    const FsIdentity identity(slot.room().room());
    if (auto written = file.write({piece.data(), *count}); !written) co_return tl::unexpected<Error>(written.error());
    total += *count;
  }
}

asio::awaitable<void> put_file(http::Exchange& exchange, Slot& slot, const std::string& path) {
  auto file = create_file(slot, path);
  if (!file) {
    co_await send_file_error(exchange, file.error());
    co_return;
  }
  const auto generation = slot.generation();
  const auto total = co_await receive(exchange, slot, *file);
  auto done = total ? Expected<void>() : tl::unexpected<Error>(total.error());
  if (done && (slot.generation() != generation || !slot.room().usable()))
    done = fail("slot_reset", "the slot was reset meanwhile");
  if (done) {
    const FsIdentity identity(slot.room().room());
    done = file->commit();
  }
  if (!done) {
    co_await send_file_error(exchange, done.error());
    co_return;
  }
  auto answer = Metadata().boolean("success", true).integer("bytes", static_cast<std::int64_t>(*total)).str();
  co_await send_json(exchange, 200, std::move(answer));
}

Expected<void> remove(const WorkspaceHandle& handle, const std::string& path, bool recursive) {
  const FsIdentity identity(handle.ids());
  const auto workspace = handle.workspace();
  // The name itself goes, never what a link at its end points to.
  const auto slash = path.find_last_of('/');
  const auto name = slash == std::string::npos ? path : path.substr(slash + 1);
  if (name.empty() || name == "." || name == "..") return fail("bad_path", "a file's name is needed: " + path);
  auto parent = workspace.open_directory(slash == std::string::npos ? "."
                                         : slash == 0               ? "/"
                                                                    : path.substr(0, slash),
                                         false);
  if (!parent) return tl::unexpected<Error>(parent.error());
  if (::unlinkat(parent->get(), name.c_str(), 0) == 0) return {};
  if (errno != EISDIR && errno != EPERM) return tl::unexpected<Error>(file_error(errno, path));
  if (!recursive) return fail("not_a_file", "Not a file: " + path, "add ?recursive=1 to delete a directory");
  return remove_tree(parent->get(), name);
}

asio::awaitable<void> delete_file(App& app, http::Exchange& exchange, Slot& slot, const std::string& path) {
  auto handle = WorkspaceHandle::of(slot.room().room(), slot.workspace_dir());
  if (!handle) {
    co_await send_file_error(exchange, handle.error());
    co_return;
  }
  const auto shared = std::make_shared<const WorkspaceHandle>(std::move(*handle));
  const auto done = std::make_shared<Expected<void>>();
  const bool recursive = exchange.head().query_value("recursive") == "1";
  // A tree of a hundred thousand files takes its time.
  std::function<void()> work = [shared, done, path, recursive] { *done = remove(*shared, path, recursive); };
  co_await app.workers().run(std::move(work));
  if (!*done) {
    co_await send_file_error(exchange, done->error());
    co_return;
  }
  co_await send_json(exchange, 200, R"({"success": true})");
}

}  // namespace

asio::awaitable<void> files_route(App& app, http::Exchange& exchange, Slot& slot, std::string path) {
  // A room is built in milliseconds; who comes before it is there waits for it, as calls do.
  if (!co_await slot.settled(Deadline(now() + kReadyWait))) {
    co_await send_error(exchange, 503, "The slot has no room; reset it", "slot_not_ready");
    co_return;
  }
  const auto& method = exchange.head().method;
  const bool tar = exchange.head().query_value("tar") == "1";
  if (method == "DELETE") {
    co_await delete_file(app, exchange, slot, path);
  } else if (method == "PUT" && tar) {
    co_await tar_put(app, exchange, slot, std::move(path));
  } else if (method == "PUT") {
    co_await put_file(exchange, slot, path);
  } else if (tar) {
    co_await tar_get(app, exchange, slot, std::move(path));
  } else {
    co_await get_file(exchange, slot, path);
  }
}

}  // namespace berth::slotd

// SPDX-License-Identifier: Apache-2.0
// GET and PUT /slots/{slot}/files/{path}?tar=1: whole trees out of and into a slot.
#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <boost/asio/post.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <vector>

#include "slotd/files/tar_in.hpp"
#include "slotd/files/tar_out.hpp"
#include "slotd/files/workspace.hpp"
#include "slotd/metadata.hpp"
#include "slotd/routes/routes.hpp"

namespace berth::slotd {
namespace {

constexpr std::size_t kPiece = std::size_t{64} << 10;
// Headers and padding come on top of what the slot's disk can hold.
constexpr std::uint64_t kTarOverhead = std::uint64_t{64} << 20;

int status_of(const Error& error) {
  if (error.code == "outside" || error.code == "denied") return 403;
  if (error.code == "not_found") return 404;
  if (error.code == "disk_full") return 507;
  if (error.code == "too_large") return 413;
  if (error.code == "system") return 500;
  return 400;
}

Expected<UniqueFd> open_tree(Slot& slot, const std::string& path, bool create) {
  const FsIdentity identity(slot.room().room());
  const Workspace workspace(slot.room().room(), slot.workspace_dir());
  auto directory = workspace.open_directory(path.empty() ? "." : path, create);
  if (!directory) return directory;
  UniqueFd readable(::openat(directory->get(), ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!readable) return tl::unexpected<Error>(file_error(errno, path));
  return readable;
}

// The body goes to an anonymous file first: unpacking needs it whole, and memory stays bounded by the slot's disk size.
asio::awaitable<Expected<UniqueFd>> spool(http::Exchange& exchange, std::uint64_t most) {
  UniqueFd file(::memfd_create("tar", MFD_CLOEXEC));
  if (!file) co_return fail_errno("memfd", errno);
  std::vector<char> piece(kPiece);
  std::uint64_t total = 0;
  while (true) {
    const auto count = co_await exchange.read_some(piece);
    if (!count) co_return tl::unexpected<Error>(count.error());
    if (*count == 0) break;
    total += *count;
    if (total > most) co_return fail("too_large", "the archive is larger than the slot's disk");
    if (auto written = write_all(file.get(), {piece.data(), *count}); !written)
      co_return tl::unexpected<Error>(written.error());
  }
  if (::lseek(file.get(), 0, SEEK_SET) != 0) co_return fail_errno("memfd", errno);
  co_return file;
}

asio::awaitable<Expected<std::uint64_t>> unpack(App& app, Slot& slot, UniqueFd archive, UniqueFd target) {
  TarIn tar(std::move(archive), std::move(target));
  const auto generation = slot.generation();
  while (true) {
    if (!slot.room().usable() || slot.generation() != generation)
      co_return fail("system", "the slot was reset meanwhile");
    Expected<bool> more = [&] {
      const FsIdentity identity(slot.room().room());
      return tar.step();
    }();
    if (!more) co_return tl::unexpected<Error>(more.error());
    if (!*more) co_return tar.entries();
    // Other slots get their turn between two members.
    co_await asio::post(app.context(), asio::use_awaitable);
  }
}

}  // namespace

asio::awaitable<void> tar_get(App& /*app*/, http::Exchange& exchange, Slot& slot, std::string path) {
  auto root = open_tree(slot, path, false);
  if (!root) {
    co_await send_error(exchange, status_of(root.error()), root.error().message, root.error().code);
    co_return;
  }
  http::Response head;
  head.content_type = "application/x-tar";
  if (!co_await exchange.begin_stream(std::move(head))) co_return;
  TarOut tar(std::move(*root));
  const auto generation = slot.generation();
  while (slot.room().usable() && slot.generation() == generation) {
    auto piece = [&] {
      const FsIdentity identity(slot.room().room());
      return tar.next(kPiece);
    }();
    if (!piece) co_return;  // the cut stream tells: no archive end, no last chunk
    if (piece->empty()) {
      (void)co_await exchange.end_stream();
      co_return;
    }
    if (!co_await exchange.write(*piece)) co_return;
  }
}

asio::awaitable<void> tar_put(App& app, http::Exchange& exchange, Slot& slot, std::string path) {
  auto archive = co_await spool(exchange, slot.disk_bytes() + kTarOverhead);
  auto unpacked =
      archive ? Expected<std::uint64_t>(0) : Expected<std::uint64_t>(tl::unexpected<Error>(archive.error()));
  if (archive && !slot.room().usable()) unpacked = fail("system", "the slot was reset meanwhile");
  if (unpacked) {
    auto target = open_tree(slot, path, true);
    if (target) {
      unpacked = co_await unpack(app, slot, std::move(*archive), std::move(*target));
    } else {
      unpacked = tl::unexpected<Error>(target.error());
    }
  }
  if (!unpacked) {
    co_await send_error(exchange, status_of(unpacked.error()), unpacked.error().message, unpacked.error().code);
    co_return;
  }
  auto answer = Metadata().boolean("success", true).integer("entries", static_cast<std::int64_t>(*unpacked)).str();
  co_await send_json(exchange, 200, std::move(answer));
}

}  // namespace berth::slotd

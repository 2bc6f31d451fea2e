// SPDX-License-Identifier: Apache-2.0
// GET and PUT /slots/{slot}/files/{path}?tar=1: whole trees out of and into a slot.
#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cerrno>
#include <functional>
#include <vector>

#include "slotd/files/tar_in.hpp"
#include "slotd/files/tar_out.hpp"
#include "slotd/files/workspace.hpp"
#include "slotd/metadata.hpp"
#include "slotd/routes/file_answers.hpp"
#include "slotd/routes/routes.hpp"

namespace berth::slotd {
namespace {

constexpr std::size_t kTarPiece = std::size_t{64} << 10;
constexpr auto kPieceLimit = std::chrono::minutes(1);  // to make the next piece of an archive
constexpr auto kUnpackLimit = std::chrono::minutes(10);

// A slot that was reset is another one: what is under way for the old one ends.
class Tenancy {
 public:
  explicit Tenancy(Slot& slot) : slot_(slot), generation_(slot.generation()) {}
  [[nodiscard]] bool holds() const { return slot_.room().usable() && slot_.generation() == generation_; }

 private:
  Slot& slot_;
  std::uint64_t generation_;
};

Deadline within(Duration time) {
  return Deadline(now() + time);
}

FsIds slot_ids(Slot& slot) {
  return {slot.room().room().host_uid(), slot.room().room().host_gid()};
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

// A file without a name beside the slots' data: gone with its descriptor, whatever happens.
Expected<UniqueFd> make_spool(const std::string& data_dir) {
  UniqueFd file(::open(data_dir.c_str(), O_TMPFILE | O_RDWR | O_CLOEXEC, 0600));
  if (!file && errno == EOPNOTSUPP) file.reset(::memfd_create("tar", MFD_CLOEXEC));
  if (!file) return fail_errno("spool file", errno);
  return file;
}

// The body goes to disk first: unpacking needs it whole, and no slow sender shall hold a worker.
asio::awaitable<Expected<UniqueFd>> spool(App& app, http::Exchange& exchange, ByteBudget::Held& held,
                                          std::uint64_t most) {
  auto file = make_spool(app.options().data_dir);
  if (!file) co_return file;
  std::vector<char> piece(kTarPiece);
  std::uint64_t total = 0;
  while (true) {
    const auto count = co_await exchange.read_some(piece);
    if (!count) co_return tl::unexpected<Error>(count.error());
    if (*count == 0) break;
    total += *count;
    held.add(*count);
    if (total > most) co_return fail("too_large", "the archive is larger than the slot's disk");
    if (auto written = write_all(file->get(), {piece.data(), *count}); !written)
      co_return tl::unexpected<Error>(written.error());
  }
  if (::lseek(file->get(), 0, SEEK_SET) != 0) co_return fail_errno("spool file", errno);
  co_return std::move(*file);
}

asio::awaitable<Expected<std::uint64_t>> unpack(App& app, Slot& slot, UniqueFd archive, UniqueFd target) {
  const UnpackLimits limits{1'000'000, slot.disk_bytes()};
  const auto tar = std::make_shared<TarIn>(std::move(archive), std::move(target), limits);
  const auto ids = slot_ids(slot);
  const Tenancy tenancy(slot);
  std::function<Expected<bool>()> piece = [tar, ids] {
    const FsIdentity identity(ids);
    return tar->step();
  };
  std::function<bool()> wanted = [tenancy] { return tenancy.holds(); };
  const auto deadline = within(kUnpackLimit);
  const auto done = co_await app.workers().run_pieces(std::move(piece), std::move(wanted), deadline);
  if (done) co_return tar->entries();
  std::function<void()> undo = [tar, ids] {
    const FsIdentity identity(ids);
    tar->undo();
  };
  co_await app.workers().run(std::move(undo));
  co_return tl::unexpected<Error>(done.error());
}

}  // namespace

asio::awaitable<void> tar_get(App& app, http::Exchange& exchange, Slot& slot, std::string path) {
  auto root = open_tree(slot, path, false);
  if (!root) {
    co_await send_file_error(exchange, root.error());
    co_return;
  }
  http::Response head;
  head.content_type = "application/x-tar";
  if (!co_await exchange.begin_stream(std::move(head))) co_return;
  const auto tar = std::make_shared<TarOut>(std::move(*root));
  const auto ids = slot_ids(slot);
  const Tenancy tenancy(slot);
  while (!tar->complete()) {
    std::function<Expected<bool>()> piece = [tar, ids] {
      const FsIdentity identity(ids);
      return tar->step(kTarPiece);
    };
    std::function<bool()> wanted = [tenancy] { return tenancy.holds(); };
    const auto deadline = within(kPieceLimit);
    const auto made = co_await app.workers().run_pieces(std::move(piece), std::move(wanted), deadline);
    if (!made) co_return;  // the cut stream tells: no archive end, no last chunk
    const auto bytes = tar->take();
    if (!co_await exchange.write(bytes)) co_return;
  }
  (void)co_await exchange.end_stream();
}

asio::awaitable<void> tar_put(App& app, http::Exchange& exchange, Slot& slot, std::string path) {
  if (app.spool_bytes().is_full()) {
    co_await send_error(exchange, 429, "busy: archives that are being unpacked fill the room for them", "busy");
    co_return;
  }
  ByteBudget::Held held(app.spool_bytes());
  auto archive = co_await spool(app, exchange, held, slot.disk_bytes() + kTarOverhead);
  Expected<std::uint64_t> unpacked = 0;
  if (!archive) {
    unpacked = tl::unexpected<Error>(archive.error());
  } else if (!slot.room().usable()) {
    unpacked = fail("slot_reset", "the slot was reset meanwhile");
  } else if (auto target = open_tree(slot, path, true); !target) {
    unpacked = tl::unexpected<Error>(target.error());
  } else {
    unpacked = co_await unpack(app, slot, std::move(*archive), std::move(*target));
  }
  if (!unpacked) {
    co_await send_file_error(exchange, unpacked.error());
    co_return;
  }
  auto answer = Metadata().boolean("success", true).integer("entries", static_cast<std::int64_t>(*unpacked)).str();
  co_await send_json(exchange, 200, std::move(answer));
}

}  // namespace berth::slotd

// SPDX-License-Identifier: Apache-2.0
// Row 23: paths that are resolved while others exchange their parts never lead out of the workspace.
#include <fcntl.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <thread>

#include "base/fd.hpp"
#include "slotd/files/workspace.hpp"
#include "tests/fault/fault_support.hpp"

namespace berth::isolation::test {
namespace {

// Reads and writes together; the whole million is for ./test --deep.
int operations() {
  const char* wanted = std::getenv("BERTH_RACE_OPERATIONS");
  return wanted == nullptr ? 100'000 : std::atoi(wanted);
}

// Exchanges two names of a directory until it goes out of scope.
class Exchanger {
 public:
  Exchanger(slotd::WorkspaceHandle handle, const char* one, const char* other)
      : thread_([this, handle = std::move(handle), one, other] {
          const slotd::FsIdentity identity(handle.ids());
          const auto top = handle.workspace().open_directory(".", false);
          while (!over_.load()) {
            if (::renameat2(top->get(), one, top->get(), other, RENAME_EXCHANGE) == 0) ++count_;
          }
        }) {}
  Exchanger(const Exchanger&) = delete;
  Exchanger& operator=(const Exchanger&) = delete;
  ~Exchanger() {
    over_ = true;
    thread_.join();
  }
  [[nodiscard]] int count() const { return count_.load(); }

 private:
  std::atomic<bool> over_{false};
  std::atomic<int> count_{0};
  std::thread thread_;
};

struct Tally {
  int inside = 0;
  int refused = 0;
  int foreign = 0;
  std::string strange;  // the first error of another kind
};

void note(Tally& tally, const Error& error) {
  if (error.code == "outside" || error.code == "not_found" || error.code == "not_a_file") {
    ++tally.refused;
  } else if (tally.strange.empty()) {
    tally.strange = error.code + ": " + error.message;
  }
}

void read_once(const slotd::Workspace& workspace, Tally& tally) {
  const auto file = workspace.open_file("d/passwd");
  if (!file) return note(tally, file.error());
  const auto content = read_all(file->fd.get(), 4096);
  ++(content && *content == "inside" ? tally.inside : tally.foreign);
}

void write_once(const slotd::Workspace& workspace, Tally& tally) {
  auto place = workspace.place("d/planted", false);
  if (!place) return note(tally, place.error());
  auto file = slotd::NewFile::create(std::move(*place));
  if (!file) return note(tally, file.error());
  if (!file->write("evil") || !file->commit()) return note(tally, Error{"not_found", "", ""});
  ++tally.inside;
}

class Race : public FaultTest {};

TEST_F(Race, NeverReadsOrWritesOutsideTheWorkspace) {
  const auto room = make_room();
  ASSERT_TRUE(room);
  room->sh("mkdir d e; printf inside > d/passwd; printf inside > e/passwd; ln -s /etc l; ln -s ../etc m");
  const auto before = room->sh("ls -la --time-style=+ /etc; md5sum /etc/passwd").out;
  Tally reads;
  Tally writes;
  {
    const auto handle = [&] { return *slotd::WorkspaceHandle::of(room->room(), ""); };
    const Exchanger link(handle(), "d", "l");
    const Exchanger directory(handle(), "d", "m");
    const auto own = handle();
    const slotd::FsIdentity identity(own.ids());
    const auto workspace = own.workspace();
    for (int i = 0; i < operations(); i += 2) {
      read_once(workspace, reads);
      write_once(workspace, writes);
    }
    std::printf("%d operations, %d exchanges\n", operations(), link.count() + directory.count());
    EXPECT_GT(link.count() + directory.count(), 100);
  }
  EXPECT_EQ(reads.foreign, 0);
  EXPECT_EQ(reads.strange + writes.strange, "");
  EXPECT_GT(reads.inside, 0);
  EXPECT_GT(reads.refused, 0);
  EXPECT_GT(writes.inside, 0);
  EXPECT_GT(writes.refused, 0);
  EXPECT_EQ(room->sh("ls -la --time-style=+ /etc; md5sum /etc/passwd").out, before);
}

}  // namespace
}  // namespace berth::isolation::test

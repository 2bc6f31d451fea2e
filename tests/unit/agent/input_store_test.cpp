// SPDX-License-Identifier: Apache-2.0
// Tars kept by their digest: what goes in, what comes out, what stays, and for how long.
#include "agent/inputs/input_store.hpp"

#include <signal.h>
#include <sys/resource.h>
#include <sys/stat.h>

#include <filesystem>
#include <fstream>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/text.hpp"
#include "tests/support/loop.hpp"
#include "tests/support/temp_dir.hpp"

namespace berth::agent {
namespace {

namespace fs = std::filesystem;
namespace asio = boost::asio;
using ::testing::HasSubstr;
using namespace std::chrono_literals;

constexpr TimePoint kStart{1000h};

// Files of this process end at so many bytes, as on a disk that is full.
class SmallDisk {
 public:
  explicit SmallDisk(rlim_t bytes) : handler_(::signal(SIGXFSZ, SIG_IGN)) {
    ::getrlimit(RLIMIT_FSIZE, &before_);
    const rlimit small{bytes, before_.rlim_max};
    ::setrlimit(RLIMIT_FSIZE, &small);
  }
  SmallDisk(const SmallDisk&) = delete;
  SmallDisk& operator=(const SmallDisk&) = delete;
  ~SmallDisk() {
    ::setrlimit(RLIMIT_FSIZE, &before_);
    ::signal(SIGXFSZ, handler_);
  }

 private:
  rlimit before_{};
  void (*handler_)(int);
};

class InputStoreTest : public ::testing::Test {
 protected:
  void TearDown() override { store->close(); }

  asio::awaitable<Expected<std::uint64_t>> send(std::string digest, std::vector<std::string> pieces) {
    auto upload = store->begin(digest);
    if (!upload) co_return tl::unexpected(upload.error());
    for (std::string& piece : pieces) {
      const auto written = co_await (*upload)->write(std::move(piece));
      if (!written) co_return tl::unexpected(written.error());
    }
    co_return (*upload)->commit(kStart);
  }
  Expected<std::uint64_t> put(const std::string& digest, std::vector<std::string> pieces) {
    return loop.run(send(digest, std::move(pieces)));
  }
  std::string put(const std::string& bytes) {
    const std::string digest = sha256_hex(bytes);
    EXPECT_TRUE(put(digest, {bytes}).has_value());
    return digest;
  }

  asio::awaitable<std::string> all_of(InputReader& reader) {
    std::string bytes;
    while (true) {
      const auto piece = co_await reader.next();
      if (!piece) co_return "error " + piece.error().code;
      if (piece->empty()) co_return bytes;
      bytes += *piece;
    }
  }
  std::string content(const std::string& digest) {
    const auto reader = store->open(digest);
    return reader ? loop.run(all_of(**reader)) : "error " + reader.error().code;
  }

  [[nodiscard]] std::size_t files() const {
    std::error_code none;
    const fs::directory_iterator all(folder, none);
    return static_cast<std::size_t>(std::distance(fs::begin(all), fs::end(all)));
  }

  testing::TempDir directory;
  const std::string folder = directory / "inputs";
  testing::Loop loop;
  std::shared_ptr<InputStore> store = std::make_shared<InputStore>(folder, InputLimits{std::uint64_t{1} << 20, 1h});
};

TEST(InputDigest, IsThatOfSha256AndNothingElse) {
  const std::string hex(64, 'a');
  EXPECT_EQ(input_digest("sha256:" + hex), hex);
  for (const std::string& text :
       {hex, "sha256:" + hex + "a", "sha256:" + hex.substr(1), "sha256:" + std::string(64, 'A'),
        "sha256:../" + hex.substr(3), "SHA256:" + hex, std::string("sha256:"), std::string()})
    EXPECT_FALSE(input_digest(text)) << text;
}

TEST_F(InputStoreTest, GivesBackWhatCameInPieces) {
  const std::string bytes = std::string(700'000, 'x') + "end";
  const std::string digest = sha256_hex(bytes);
  EXPECT_FALSE(store->size(digest));
  const auto kept = put(digest, {bytes.substr(0, 5), "", bytes.substr(5)});
  ASSERT_TRUE(kept.has_value()) << kept.error().message;
  EXPECT_EQ(*kept, bytes.size());
  EXPECT_EQ(store->size(digest), bytes.size());
  EXPECT_EQ(content(digest), bytes);
  EXPECT_EQ(put(""), sha256_hex(""));
  EXPECT_EQ(content(sha256_hex("")), "");
}

TEST_F(InputStoreTest, IsForItsOwnerAlone) {
  const std::string digest = put("secret");
  struct stat facts {};
  ASSERT_EQ(::stat((folder + "/" + digest).c_str(), &facts), 0);
  EXPECT_EQ(facts.st_mode & 0777U, 0600U);
  ASSERT_EQ(::stat(folder.c_str(), &facts), 0);
  EXPECT_EQ(facts.st_mode & 0777U, 0700U);
}

TEST_F(InputStoreTest, KeepsNothingThatHasAnotherDigest) {
  const std::string digest = sha256_hex("announced");
  const auto refused = put(digest, {"sent"});
  ASSERT_FALSE(refused.has_value());
  EXPECT_EQ(refused.error().code, "wrong_digest");
  EXPECT_THAT(refused.error().message, HasSubstr(sha256_hex("sent")));
  EXPECT_FALSE(store->size(digest));
  EXPECT_EQ(content(digest), "error input_missing");
  loop.until([this] { return files() == 0; });
}

TEST_F(InputStoreTest, TakesNoMoreThanItsBound) {
  const std::string piece(std::size_t{1} << 19, 'x');
  const std::string whole = piece + piece;
  EXPECT_TRUE(put(sha256_hex(whole), {piece, piece}).has_value());
  const auto refused = put(sha256_hex(whole + "y"), {piece, piece, "y"});
  ASSERT_FALSE(refused.has_value());
  EXPECT_EQ(refused.error().code, "body_too_large");
  loop.until([this] { return files() == 1; });
}

TEST_F(InputStoreTest, LeavesNothingOfAnUploadThatWasCut) {
  {
    auto upload = store->begin(sha256_hex("whole"));
    ASSERT_TRUE(upload.has_value());
    ASSERT_TRUE(loop.run((*upload)->write("who")).has_value());
    EXPECT_EQ(files(), 1U);
  }
  loop.until([this] { return files() == 0; });
}

TEST_F(InputStoreTest, SaysThatTheDiskIsFullAndLeavesNothing) {
  const std::string bytes(100'000, 'x');
  {
    const SmallDisk disk(50'000);
    const auto refused = put(sha256_hex(bytes), {bytes});
    ASSERT_FALSE(refused.has_value());
    EXPECT_EQ(refused.error().code, "disk_full");
    EXPECT_FALSE(refused.error().hint.empty());
  }
  loop.until([this] { return files() == 0; });
  EXPECT_EQ(content(put(bytes)), bytes);
}

TEST_F(InputStoreTest, ForgetsWhatNoJobHasNamedForAnHour) {
  const std::string named = put("named");
  const std::string unnamed = put("unnamed");
  store->sweep({named}, kStart + 59min);
  EXPECT_TRUE(store->size(unnamed));
  store->sweep({named}, kStart + 1h);
  EXPECT_FALSE(store->size(unnamed));
  store->sweep({}, kStart + 1h + 59min);
  EXPECT_EQ(content(named), "named");
  store->sweep({}, kStart + 2h);
  EXPECT_FALSE(store->size(named));
  loop.until([this] { return files() == 0; });
}

TEST_F(InputStoreTest, BeginsTheHourAnewForWhoMeansToNameIt) {
  const std::string digest = put("touched");
  store->touch(digest, kStart + 50min);
  store->sweep({}, kStart + 1h + 49min);
  EXPECT_TRUE(store->size(digest));
  store->sweep({}, kStart + 1h + 50min);
  EXPECT_FALSE(store->size(digest));
}

TEST_F(InputStoreTest, LetsWhoReadsReadOn) {
  const std::string digest = put("read");
  const auto reader = store->open(digest);
  ASSERT_TRUE(reader.has_value());
  store->sweep({}, kStart + 2h);
  loop.until([this] { return files() == 0; });
  EXPECT_EQ(loop.run(all_of(**reader)), "read");
  EXPECT_EQ(content(put("read")), "read");
}

TEST_F(InputStoreTest, BeginsEmptyAndLeavesNoFolder) {
  fs::create_directories(folder);
  std::ofstream(folder + "/" + sha256_hex("old")) << "old";
  std::ofstream(folder + "/part-0") << "half";
  ASSERT_TRUE(store->clear().has_value());
  EXPECT_FALSE(fs::exists(folder));
  EXPECT_FALSE(store->size(sha256_hex("old")));
  put("new");
  store->close();
  EXPECT_FALSE(fs::exists(folder));
}

}  // namespace
}  // namespace berth::agent

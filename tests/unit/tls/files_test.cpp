// SPDX-License-Identifier: Apache-2.0
// Certificates and keys that cannot be used: which file, why, and what to do.
#include <sys/stat.h>
#include <unistd.h>

#include "tests/unit/tls/fixture.hpp"

namespace berth::tls {
namespace {

class PemFiles : public ::testing::Test {
 protected:
  void expect_refused(const std::string& cert, const std::string& key, const std::string& blamed,
                      const std::string& words) {
    const auto context = ServerContext::read(cert, key);
    ASSERT_FALSE(context);
    const Error& error = context.error();
    EXPECT_EQ(error.code, "tls");
    EXPECT_EQ(error.message.find(blamed), 0U) << error.message;
    EXPECT_NE(error.message.find(words), std::string::npos) << error.message;
    EXPECT_FALSE(error.hint.empty());
    EXPECT_EQ((error.message + error.hint).find(secret_), std::string::npos);
  }

  Files files_;
  Authority authority_;
  Identity identity_ = authority_.issue();
  std::string secret_ = identity_.key.substr(40, 40);
  std::string cert_ = files_.write("cert.pem", identity_.cert);
  std::string key_ = files_.write("key.pem", identity_.key);
};

TEST_F(PemFiles, AreReadWithTheCertificatesEnd) {
  const auto context = ServerContext::read(cert_, key_);
  ASSERT_TRUE(context) << context.error().message;
  const auto left = context->valid_until() - std::chrono::system_clock::now();
  EXPECT_LE(left, std::chrono::seconds(3600));
  EXPECT_GT(left, std::chrono::seconds(3000));
}

TEST_F(PemFiles, MayHoldAChain) {
  EXPECT_TRUE(ServerContext::read(files_.write("chain.pem", identity_.cert + authority_.pem()), key_));
  const std::string wrong_order = files_.write("chain.pem", authority_.pem() + identity_.cert);
  expect_refused(wrong_order, key_, key_, "is not the key of the first certificate in " + wrong_order);
}

TEST_F(PemFiles, AreRefusedWhereTheyAreMissing) {
  expect_refused("/nowhere/cert.pem", key_, "/nowhere/cert.pem", "No such file");
  expect_refused(cert_, "/nowhere/key.pem", "/nowhere/key.pem", "No such file");
  expect_refused("/", key_, "/", "is no file");
}

TEST_F(PemFiles, ArePromptlyRefusedWhereTheyArePipes) {
  const std::string pipe = key_ + ".pipe";
  ASSERT_EQ(::mkfifo(pipe.c_str(), 0600), 0);
  expect_refused(cert_, pipe, pipe, "is no file");
}

TEST_F(PemFiles, AreRefusedWithoutTheirContent) {
  expect_refused(key_, key_, key_, "holds no certificate");
  expect_refused(cert_, cert_, cert_, "holds no private key");
  expect_refused(files_.write("empty", ""), key_, "/", "holds no certificate");
  std::string broken = identity_.cert;
  broken[broken.size() / 2] = '*';
  expect_refused(files_.write("broken", broken), key_, "/", "cannot be read");
  expect_refused(files_.write("broken", identity_.cert + broken), key_, "/", "cannot be read");
}

TEST_F(PemFiles, AreRefusedWhenTheyDoNotBelongTogether) {
  const std::string other = files_.write("key.pem", authority_.issue().key);
  expect_refused(cert_, other, other, cert_);
}

TEST_F(PemFiles, AreRefusedWhenOthersCanReadTheKey) {
  for (const unsigned mode : {0644U, 0604U, 0660U, 0602U}) {
    const std::string open = files_.write("key.pem", identity_.key, mode);
    expect_refused(cert_, open, open, "other users");
  }
  const std::string shared = files_.write("key.pem", identity_.key, 0640);
  EXPECT_EQ(ServerContext::read(cert_, shared).has_value(), ::geteuid() == 0);
}

TEST_F(PemFiles, AreRefusedUnderAPassphraseThatNobodyIsAskedFor) {
  const std::string locked = files_.write("key.pem", locked_key());
  expect_refused(cert_, locked, locked, "passphrase");
}

TEST_F(PemFiles, OfAuthoritiesAreNamedToo) {
  const auto missing = ClientContext::read("/nowhere/ca.pem", kRemedy);
  ASSERT_FALSE(missing);
  EXPECT_EQ(missing.error().message.find("/nowhere/ca.pem"), 0U);
  EXPECT_FALSE(ClientContext::read(key_, kRemedy));
}

}  // namespace
}  // namespace berth::tls

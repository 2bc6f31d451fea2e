// SPDX-License-Identifier: Apache-2.0
#include "base/tls/pem.hpp"

#include <fcntl.h>
#include <sys/stat.h>

#include <cerrno>
#include <openssl/crypto.h>
#include <openssl/pem.h>

#include "base/fd.hpp"

namespace berth::tls {
namespace {

constexpr std::size_t kMostPemBytes = std::size_t{1} << 20;

tl::unexpected<Error> refuse(const std::string& file, const std::string& why, std::string hint) {
  return fail("tls", file + " " + why, std::move(hint));
}

// Not to wait for a writer where somebody put a pipe.
Expected<UniqueFd> open_regular(const std::string& file, struct stat& facts) {
  UniqueFd fd(::open(file.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK));
  if (!fd) return refuse(file, errno_error("cannot be read", errno).message, "name a PEM file that this user may read");
  if (::fstat(fd.get(), &facts) != 0 || !S_ISREG(facts.st_mode)) return refuse(file, "is no file", "name a PEM file");
  return fd;
}

Expected<std::string> read_pem(const std::string& file, int fd) {
  auto text = read_all(fd, kMostPemBytes);
  if (!text) return refuse(file, "cannot be read: " + text.error().message, "name a PEM file");
  return text;
}

// Others who can read the key can be this server for everybody. Debian's own keys are root's, and readable for a group.
bool is_private(const struct stat& facts) {
  const unsigned others = facts.st_uid == 0 ? 0037 : 0077;
  return (facts.st_mode & others) == 0;
}

struct Text {
  explicit Text(std::string content) : value(std::move(content)) {}
  Text(const Text&) = delete;
  Text& operator=(const Text&) = delete;
  ~Text() { OPENSSL_cleanse(value.data(), value.size()); }
  std::string value;
};

Bio memory_bio(const std::string& text) {
  return Bio(BIO_new_mem_buf(text.data(), static_cast<int>(text.size())));
}

// OpenSSL would ask at the terminal.
int no_passphrase(char*, int, int, void* asked) {
  *static_cast<bool*>(asked) = true;
  return -1;
}

}  // namespace

Expected<std::vector<Certificate>> read_certificates(const std::string& file) {
  struct stat facts {};
  const auto fd = open_regular(file, facts);
  if (!fd) return tl::unexpected(fd.error());
  const auto text = read_pem(file, fd->get());
  if (!text) return tl::unexpected(text.error());
  ERR_clear_error();
  const Bio bio = memory_bio(*text);
  std::vector<Certificate> all;
  while (bio) {
    Certificate next(PEM_read_bio_X509(bio.get(), nullptr, nullptr, nullptr));
    if (!next) break;
    all.push_back(std::move(next));
  }
  const bool at_end = ERR_GET_REASON(ERR_peek_last_error()) == PEM_R_NO_START_LINE;
  const std::string reason = last_reason();
  ERR_clear_error();
  if (!at_end) return refuse(file, "holds a certificate that cannot be read: " + reason, "have it made or copied anew");
  if (all.empty()) return refuse(file, "holds no certificate", "it has to hold -----BEGIN CERTIFICATE-----");
  return all;
}

Expected<PrivateKey> read_key(const std::string& file) {
  struct stat facts {};
  const auto fd = open_regular(file, facts);
  if (!fd) return tl::unexpected(fd.error());
  if (!is_private(facts)) return refuse(file, "can be read or changed by other users", "chmod 600 " + file);
  auto content = read_pem(file, fd->get());
  if (!content) return tl::unexpected(content.error());
  const Text text(std::move(*content));
  ERR_clear_error();
  const Bio bio = memory_bio(text.value);
  bool asked = false;
  PrivateKey key(bio ? PEM_read_bio_PrivateKey(bio.get(), nullptr, no_passphrase, &asked) : nullptr);
  ERR_clear_error();
  if (key) return key;
  if (asked)
    return refuse(file, "is protected by a passphrase, for which nobody is asked",
                  "write it without one: openssl pkey -in " + file);
  return refuse(file, "holds no private key", "it has to hold -----BEGIN PRIVATE KEY-----");
}

}  // namespace berth::tls

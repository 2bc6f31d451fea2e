// SPDX-License-Identifier: Apache-2.0
#include "cli/pack.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <system_error>
#include <unistd.h>

#include <algorithm>
#include <archive.h>
#include <archive_entry.h>
#include <cerrno>
#include <filesystem>
#include <memory>
#include <vector>

#include "base/fd.hpp"
#include "base/text.hpp"

namespace berth::cli {
namespace {

namespace fs = std::filesystem;

constexpr std::size_t kPiece = std::size_t{256} << 10;

// Collects the tar in memory.
class TarWriter {
 public:
  TarWriter() : archive_(::archive_write_new()) {
    ::archive_write_set_format_pax_restricted(archive_.get());
    ::archive_write_set_bytes_in_last_block(archive_.get(), 1);
    ::archive_write_open(archive_.get(), &bytes_, nullptr, &TarWriter::append, nullptr);
  }

  Expected<void> add(const fs::path& source, const std::string& name) {
    struct stat facts {};
    if (::lstat(source.c_str(), &facts) != 0) return fail_errno("reading " + source.string(), errno);
    if (S_ISREG(facts.st_mode)) return add_file(source, name);
    std::string target;
    if (S_ISLNK(facts.st_mode)) {
      std::error_code error;
      target = fs::read_symlink(source, error).string();
      if (error) return fail_errno("reading " + source.string(), error.value());
    } else if (!S_ISDIR(facts.st_mode)) {
      return fail("bad_input", source.string() + " is a socket, a device or a fifo",
                  "leave it out of the input's folder");
    }
    return header(facts, name, target);
  }

  Expected<std::string> finish() {
    if (::archive_write_close(archive_.get()) != ARCHIVE_OK) return error("finishing the tar");
    return std::move(bytes_);
  }

 private:
  struct Free {
    void operator()(archive* writer) const { ::archive_write_free(writer); }
    void operator()(archive_entry* entry) const { ::archive_entry_free(entry); }
  };

  static la_ssize_t append(archive*, void* into, const void* data, std::size_t size) {
    static_cast<std::string*>(into)->append(static_cast<const char*>(data), size);
    return static_cast<la_ssize_t>(size);
  }

  [[nodiscard]] tl::unexpected<Error> error(const std::string& what) const {
    const char* why = ::archive_error_string(archive_.get());
    return fail("bad_input", what + ": " + (why == nullptr ? "unknown error" : why));
  }

  Expected<void> header(const struct stat& facts, const std::string& name, const std::string& link) {
    const std::unique_ptr<archive_entry, Free> entry(::archive_entry_new());
    ::archive_entry_set_pathname(entry.get(), name.c_str());
    ::archive_entry_set_filetype(entry.get(), facts.st_mode & S_IFMT);
    // No set-id bits: what a host needs them for has no business in a slot.
    ::archive_entry_set_perm(entry.get(), facts.st_mode & 0777);
    ::archive_entry_set_mtime(entry.get(), facts.st_mtime, 0);
    ::archive_entry_set_size(entry.get(), S_ISREG(facts.st_mode) ? facts.st_size : 0);
    if (!link.empty()) ::archive_entry_set_symlink(entry.get(), link.c_str());
    // ARCHIVE_WARN is about names that are not UTF-8; they arrive as they are.
    if (::archive_write_header(archive_.get(), entry.get()) < ARCHIVE_WARN) return error("packing " + name);
    return {};
  }

  Expected<void> add_file(const fs::path& source, const std::string& name) {
    const UniqueFd file(::open(source.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK));
    struct stat facts {};
    if (!file || ::fstat(file.get(), &facts) != 0) return fail_errno("reading " + source.string(), errno);
    if (bytes_.size() + static_cast<std::uint64_t>(facts.st_size) > kMostInputBytes)
      return fail("input_too_large", "the input with " + source.string() + " is larger than 1 GiB",
                  "leave out what the slots do not need");
    if (auto written = header(facts, name, {}); !written) return written;
    std::string piece(kPiece, '\0');
    off_t left = facts.st_size;
    while (left > 0) {
      const ssize_t count =
          ::read(file.get(), piece.data(), std::min<std::size_t>(piece.size(), static_cast<std::size_t>(left)));
      if (count <= 0) return fail("bad_input", source.string() + " changed while it was read");
      if (::archive_write_data(archive_.get(), piece.data(), static_cast<std::size_t>(count)) != count)
        return error("packing " + name);
      left -= count;
    }
    return {};
  }

  std::string bytes_;
  std::unique_ptr<archive, Free> archive_;
};

Expected<void> add_tree(TarWriter& tar, const fs::path& directory, const std::string& prefix) {
  std::error_code error;
  std::vector<fs::directory_entry> entries;
  for (fs::directory_iterator each(directory, error), end; !error && each != end; each.increment(error))
    entries.push_back(*each);
  if (error) return fail_errno("reading " + directory.string(), error.value());
  std::sort(entries.begin(), entries.end(),
            [](const auto& a, const auto& b) { return a.path().native() < b.path().native(); });
  for (const fs::directory_entry& entry : entries) {
    const std::string name = prefix + entry.path().filename().string();
    if (auto added = tar.add(entry.path(), name); !added) return added;
    const bool below = entry.is_directory(error) && !entry.is_symlink(error);
    if (!below) continue;
    if (auto added = add_tree(tar, entry.path(), name + "/"); !added) return added;
  }
  return {};
}

}  // namespace

Expected<std::string> pack(const std::string& path, const std::string& file_name) {
  TarWriter tar;
  std::error_code error;
  // The input itself may be a link to what is meant; links below it stay links.
  const fs::path source = fs::canonical(path, error);
  if (error)
    return fail("bad_input", "reading the input " + path + ": " + error.message(),
                "paths are relative to the job file");
  auto added = fs::is_directory(source, error) ? add_tree(tar, source, "") : tar.add(source, file_name);
  if (!added) return tl::unexpected(added.error());
  return tar.finish();
}

Expected<std::string> pack_into(const std::string& directory, const std::string& path, const std::string& file_name) {
  const auto tar = pack(path, file_name);
  if (!tar) return tl::unexpected(tar.error());
  if (::mkdir(directory.c_str(), 0700) != 0 && errno != EEXIST) return fail_errno("creating " + directory, errno);
  const std::string kept = directory + "/" + sha256_hex(*tar);
  struct stat facts {};
  if (::stat(kept.c_str(), &facts) == 0) return kept;
  if (auto written = write_file_atomically(kept, *tar); !written) return tl::unexpected(written.error());
  return kept;
}

}  // namespace berth::cli

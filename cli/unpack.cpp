// SPDX-License-Identifier: Apache-2.0
// HostFolder::unpack: a tar made in a slot, where whoever ran there chose every name, link and size.
#include <sys/stat.h>
#include <unistd.h>

#include <archive.h>
#include <archive_entry.h>
#include <cerrno>
#include <memory>

#include "cli/host_files.hpp"

namespace berth::cli {

class Unpacker {
 public:
  Unpacker(const HostFolder& folder, const UnpackLimits& limits, std::vector<std::string>& skipped)
      : folder_(folder), limits_(limits), skipped_(skipped), archive_(::archive_read_new()) {
    ::archive_read_support_format_tar(archive_.get());
  }

  Expected<void> run(const std::string& tar_file) {
    if (::archive_read_open_filename(archive_.get(), tar_file.c_str(), 65536) != ARCHIVE_OK) return broken();
    while (true) {
      archive_entry* entry = nullptr;
      const int status = ::archive_read_next_header(archive_.get(), &entry);
      if (status == ARCHIVE_EOF) return {};
      if (status < ARCHIVE_WARN) return broken();
      if (++entries_ > limits_.entries)
        return fail("output_too_large", "the output has more than " + std::to_string(limits_.entries) + " files");
      if (auto taken = take(entry); !taken) return taken;
    }
  }

 private:
  struct Free {
    void operator()(archive* reader) const { ::archive_read_free(reader); }
  };

  [[nodiscard]] tl::unexpected<Error> broken() const {
    const char* why = ::archive_error_string(archive_.get());
    return fail("bad_output", std::string("the output's tar is broken: ") + (why == nullptr ? "unknown error" : why));
  }

  Expected<void> skip(const std::string& name, const std::string& why) {
    skipped_.push_back(name + " (" + why + ")");
    return {};
  }

  Expected<void> take(archive_entry* entry) {
    const char* raw = ::archive_entry_pathname(entry);
    const std::string name = raw == nullptr ? "" : raw;
    const auto parts = inside_parts(name);
    if (!parts) return skip(name, "its name leads outside");
    if (parts->empty()) return {};
    const auto type = ::archive_entry_filetype(entry);
    if (type == AE_IFDIR) return folder_.enter(name).map([](const HostFolder&) {});
    std::string parent = ".";
    for (std::size_t i = 0; i + 1 < parts->size(); ++i) parent += "/" + (*parts)[i];
    const auto place = folder_.enter(parent);
    if (!place)
      return place.error().code == "outside" ? skip(name, "a link leads outside") : tl::unexpected(place.error());
    if (::archive_entry_hardlink(entry) != nullptr) return skip(name, "a hard link");
    if (type == AE_IFLNK) return link(*place, parts->back(), parts->size(), entry);
    if (type == AE_IFREG) return file(*place, parts->back(), entry);
    return skip(name, "neither a file nor a directory");
  }

  // A link may climb no higher than the folder that everything lands in.
  Expected<void> link(const HostFolder& place, const std::string& name, std::size_t depth, archive_entry* entry) {
    const char* raw = ::archive_entry_symlink(entry);
    const std::string target = raw == nullptr ? "" : raw;
    std::size_t level = depth - 1;
    std::string_view rest = target;
    bool inside = !target.empty() && target.front() != '/';
    while (inside && !rest.empty()) {
      const std::string_view part = rest.substr(0, rest.find('/'));
      rest = part.size() == rest.size() ? std::string_view() : rest.substr(part.size() + 1);
      if (part == "..") inside = level-- > 0;
      if (!part.empty() && part != "." && part != "..") ++level;
    }
    if (!inside) return skip(name, "a link that leads outside");
    ::unlinkat(place.fd_.get(), name.c_str(), 0);
    if (::symlinkat(target.c_str(), place.fd_.get(), name.c_str()) != 0) return fail_errno("linking " + name, errno);
    return {};
  }

  Expected<void> file(const HostFolder& place, const std::string& name, archive_entry* entry) {
    auto made = place.create(name);
    if (!made) return tl::unexpected(made.error());
    std::string piece(std::size_t{128} << 10, '\0');
    while (true) {
      const la_ssize_t count = ::archive_read_data(archive_.get(), piece.data(), piece.size());
      if (count < 0) return broken();
      if (count == 0) break;
      bytes_ += static_cast<std::uint64_t>(count);
      if (bytes_ > limits_.bytes) return fail("output_too_large", "the output is larger than its slot's disk");
      if (auto written = made->write(std::string_view(piece).substr(0, static_cast<std::size_t>(count))); !written)
        return written;
    }
    const bool executable = (::archive_entry_perm(entry) & 0100) != 0;
    return made->commit(executable ? 0755 : 0644);
  }

  const HostFolder& folder_;
  const UnpackLimits& limits_;
  std::vector<std::string>& skipped_;
  std::unique_ptr<archive, Free> archive_;
  std::uint64_t entries_ = 0;
  std::uint64_t bytes_ = 0;
};

Expected<void> HostFolder::unpack(const std::string& tar_file, const UnpackLimits& limits,
                                  std::vector<std::string>& skipped) const {
  return Unpacker(*this, limits, skipped).run(tar_file);
}

}  // namespace berth::cli

// SPDX-License-Identifier: Apache-2.0
#include "drivers/docker/tar_content.hpp"

#include <archive.h>
#include <archive_entry.h>
#include <cstdint>
#include <memory>

namespace berth::drivers::docker {
namespace {

struct FreeReader {
  void operator()(archive* reader) const { ::archive_read_free(reader); }
};

tl::unexpected<Error> no_file(const std::string& why) {
  return fail("engine_protocol", "the Docker Engine packed a file as " + why, "look into the engine's log");
}

}  // namespace

Expected<std::string> file_in_tar(std::string_view tar) {
  const std::unique_ptr<archive, FreeReader> reader(::archive_read_new());
  ::archive_read_support_format_tar(reader.get());
  archive_entry* entry = nullptr;
  if (::archive_read_open_memory(reader.get(), tar.data(), tar.size()) != ARCHIVE_OK ||
      ::archive_read_next_header(reader.get(), &entry) < ARCHIVE_WARN || entry == nullptr)
    return no_file("no tar");
  if (::archive_entry_filetype(entry) != AE_IFREG || ::archive_entry_hardlink(entry) != nullptr)
    return no_file("something else");
  // Not made as large as the head says before it is known that the content is there.
  const auto size = static_cast<std::uint64_t>(::archive_entry_size(entry));
  if (size > tar.size()) return no_file("a tar that ends too early");
  std::string content(size, '\0');
  if (::archive_read_data(reader.get(), content.data(), content.size()) != static_cast<la_ssize_t>(size))
    return no_file("a tar that ends too early");
  return content;
}

}  // namespace berth::drivers::docker

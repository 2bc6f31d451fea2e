// SPDX-License-Identifier: Apache-2.0
#include "slotd/tools/file_tools.hpp"

#include <unistd.h>

#include <cerrno>
#include <nlohmann/json.hpp>

#include "base/text.hpp"
#include "slotd/files/workspace.hpp"

namespace berth::slotd {
namespace {

// Both tools count characters, so that whatever can be written can be read back; for ASCII these are bytes.
constexpr std::size_t kMaxCharacters = 100'000;
constexpr std::size_t kMaxBytes = kMaxCharacters * 4;

ToolResult failed(std::string error, Cause cause = Cause::exit) {
  ToolResult result;
  result.error = std::move(error);
  result.metadata.text("cause", to_string(cause)).boolean("started", true);
  return result;
}

Cause cause_of(const Error& error) {
  if (error.code == "outside" || error.code == "bad_path") return Cause::rejected;
  return error.code == "disk_full" ? Cause::disk : Cause::exit;
}

tl::expected<std::string, ToolResult> string_arg(const Json& args, const char* key, std::string_view tool) {
  const auto found = args.find(key);
  if (found == args.end() || !found->is_string()) {
    return tl::unexpected<ToolResult>(refused(std::string(tool) + " requires '" + key + "' as a string"));
  }
  return found->get<std::string>();
}

tl::expected<std::uint64_t, ToolResult> number_arg(const Json& args, const char* key, std::uint64_t fallback) {
  const auto found = args.find(key);
  if (found == args.end() || found->is_null()) return fallback;
  const auto value = json_uint(*found);
  if (!value) return tl::unexpected<ToolResult>(refused(std::string(key) + " must be a whole number of bytes"));
  return *value;
}

// `expected` sizes the first piece; a file that is larger by now is read on up to `limit`.
Expected<std::string> read_range(int fd, std::uint64_t offset, std::size_t expected, std::size_t limit) {
  std::string data(std::min(expected + 1, limit), '\0');
  std::size_t filled = 0;
  while (filled < data.size()) {
    const auto count = ::pread(fd, data.data() + filled, data.size() - filled, static_cast<off_t>(offset + filled));
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) return fail_errno("read", errno);
    if (count == 0) break;
    filled += static_cast<std::size_t>(count);
    if (filled == data.size()) data.resize(std::min(data.size() * 2, limit));
  }
  data.resize(filled);
  return data;
}

ToolResult no_room(const ToolContext& context) {
  return refused("The slot has no room; reset " + context.execution->call.slot, Cause::isolation);
}

std::string too_large(std::uint64_t size) {
  return "File too large: " + std::to_string(size) + " bytes (max " + std::to_string(kMaxCharacters) + ")";
}

class ReadFileTool final : public Tool {
 public:
  std::string_view name() const override { return "read_file"; }
  std::string_view schema() const override {
    return R"({"type":"object","required":["path"],"properties":{"path":{"type":"string"},"offset":{"type":"integer","minimum":0},)"
           R"("limit":{"type":"integer","minimum":0}}})";
  }
  asio::awaitable<ToolResult> run(ToolContext context) const override { co_return read(context); }

 private:
  static ToolResult read(const ToolContext& context) {
    const auto& args = context.args();
    const auto path = args.contains("path") ? string_arg(args, "path", "read_file") : std::string();
    if (!path) return path.error();
    const auto offset = number_arg(args, "offset", 0);
    const auto limit = number_arg(args, "limit", kMaxBytes);
    if (!offset || !limit) return offset ? limit.error() : offset.error();
    if (!context.room.usable()) return no_room(context);
    const FsIdentity identity(context.room.room());
    const Workspace workspace(context.room.room(), context.workspace_alias);
    auto file = workspace.open_file(*path);
    if (!file) return failed(open_failure(file.error(), *path), cause_of(file.error()));
    const auto size = static_cast<std::uint64_t>(file->facts.st_size);
    const bool ranged = args.contains("offset") || args.contains("limit");
    if (!ranged && size > kMaxBytes) return failed(too_large(size));
    const auto rest = size > *offset ? static_cast<std::size_t>(size - *offset) : 0;
    const auto most = std::min<std::size_t>(*limit, ranged ? kMaxCharacters : kMaxBytes + 1);
    auto data = read_range(file->fd.get(), *offset, rest, most);
    if (!data) return failed("Failed to read file: " + data.error().message);
    // The size of a file that grows meanwhile, or of one under /proc, says nothing: what was read counts.
    if (!ranged && data->size() > kMaxCharacters && utf8_length(*data) > kMaxCharacters)
      return failed(too_large(std::max<std::uint64_t>(size, data->size())));
    return success(workspace, *path, size, *offset, *data);
  }

  static std::string open_failure(const Error& error, const std::string& path) {
    if (error.code == "outside") return error.message;
    if (error.code == "not_found") return "File not found: " + path;
    if (error.code == "not_a_file") return "Not a file: " + path;
    return "Failed to read file: " + error.message;
  }

  static ToolResult success(const Workspace& workspace, const std::string& path, std::uint64_t size,
                            std::uint64_t offset, const std::string& data) {
    ToolResult result;
    result.success = true;
    const bool valid = is_valid_utf8(data);
    result.output = valid ? data : to_valid_utf8(data);
    result.metadata.text("cause", "exit").boolean("started", true);
    result.metadata.text("path", workspace.display(path)).integer("size", static_cast<std::int64_t>(size));
    result.metadata.integer("offset", static_cast<std::int64_t>(offset))
        .integer("bytes", static_cast<std::int64_t>(data.size()));
    if (!valid) result.metadata.boolean("lossy_text", true);
    return result;
  }
};

class WriteFileTool final : public Tool {
 public:
  std::string_view name() const override { return "write_file"; }
  std::string_view schema() const override {
    return R"({"type":"object","required":["path","content"],"properties":{"path":{"type":"string"},"content":{"type":"string"}}})";
  }
  asio::awaitable<ToolResult> run(ToolContext context) const override { co_return write(context); }

 private:
  static ToolResult write(const ToolContext& context) {
    const auto content = string_arg(context.args(), "content", "write_file");
    if (!content) return content.error();
    if (const auto characters = utf8_length(*content); characters > kMaxCharacters) {
      return refused("Content too large: " + std::to_string(characters) + " bytes (max " +
                     std::to_string(kMaxCharacters) + ")");
    }
    const auto path = string_arg(context.args(), "path", "write_file");
    if (!path) return path.error();
    if (!context.room.usable()) return no_room(context);
    const FsIdentity identity(context.room.room());
    const Workspace workspace(context.room.room(), context.workspace_alias);
    auto done = store(workspace, *path, *content);
    if (!done) {
      const auto& error = done.error();
      return failed(error.code == "outside" ? error.message : "Failed to write file: " + error.message,
                    cause_of(error));
    }
    ToolResult result;
    result.success = true;
    result.output = "Successfully wrote " + std::to_string(content->size()) + " bytes to " + *path;
    result.metadata.text("cause", "exit").boolean("started", true);
    result.metadata.text("path", workspace.display(*path)).integer("size", static_cast<std::int64_t>(content->size()));
    return result;
  }

  static Expected<void> store(const Workspace& workspace, const std::string& path, const std::string& content) {
    auto place = workspace.place(path, true);
    if (!place) return tl::unexpected<Error>(place.error());
    auto file = NewFile::create(std::move(*place));
    if (!file) return tl::unexpected<Error>(file.error());
    if (auto written = file->write(content); !written) return written;
    return file->commit();
  }
};

}  // namespace

std::unique_ptr<Tool> make_read_file_tool() {
  return std::make_unique<ReadFileTool>();
}
std::unique_ptr<Tool> make_write_file_tool() {
  return std::make_unique<WriteFileTool>();
}

}  // namespace berth::slotd

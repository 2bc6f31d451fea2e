// SPDX-License-Identifier: Apache-2.0
#include "slotd/routes/artifact_work.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <functional>

#include "slotd/files/listing.hpp"
#include "slotd/files/packer.hpp"
#include "slotd/files/read_part.hpp"
#include "slotd/metadata.hpp"
#include "slotd/routes/file_answers.hpp"
#include "slotd/routes/routes.hpp"

namespace berth::slotd {
namespace {

constexpr auto kWorkLimit = std::chrono::seconds(60);  // of one request, once it has its turn
constexpr std::size_t kShownPath = 4096;

ArtifactAnswer file_refusal(const Error& error, const std::string& path, std::string_view wrong_type) {
  const auto shown = path.substr(0, kShownPath);
  if (error.code == "not_found" || error.code == "not_a_directory")
    return artifact_refusal(404, "Not found: " + shown, "not_found");
  if (error.code == "not_a_file") return artifact_refusal(400, std::string(wrong_type) + ": " + shown, error.code);
  return artifact_refusal(file_status(error), error.message, error.code);
}

ArtifactAnswer read_answer(FilePart part, const ArtifactRequest& request) {
  const bool base64 = request.encoding == "base64";
  if (!base64 && request.encoding != "text")
    return artifact_refusal(400, "Unsupported encoding: " + request.encoding, "encoding");
  ArtifactAnswer answer;
  answer.as = base64 ? ArtifactAnswer::As::base64 : ArtifactAnswer::As::text;
  answer.before = R"({"success":true,"content":)";
  answer.after = R"(,"encoding":")" + request.encoding + R"(","truncated":)" + (part.truncated ? "true" : "false") +
                 R"(,"bytes":)" + std::to_string(part.bytes.size()) + R"(,"file_size":)" +
                 std::to_string(part.file_size) + R"(,"path":)";
  append_json_name(answer.after, part.path);
  answer.after += R"(,"mime":")" + std::string(mime_type(part.path)) + R"(","sha256":)";
  if (request.digest) {
    answer.after += '"' + part.sha256 + R"(","sha256_of":")" + (part.truncated ? "content" : "file") + '"';
  } else {
    answer.after += "null";
  }
  answer.after += '}';
  answer.content = std::move(part.bytes);
  return answer;
}

struct Opened {
  UniqueFd fd;
  std::string name;  // in the workspace
};

// A directory, readable; or a regular file: readable when `content`.
Expected<Opened> open_tree(const WorkspaceHandle& handle, const std::string& path, bool content) {
  const auto workspace = handle.workspace();
  auto found = workspace.open(path, O_PATH);
  if (!found) return tl::unexpected<Error>(found.error());
  struct stat facts {};
  if (::fstat(found->get(), &facts) != 0) return tl::unexpected<Error>(file_error(errno, path));
  if (S_ISDIR(facts.st_mode)) {
    UniqueFd readable(::openat(found->get(), ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    if (!readable) return tl::unexpected<Error>(file_error(errno, path));
    *found = std::move(readable);
  } else if (!S_ISREG(facts.st_mode)) {
    return tl::unexpected<Error>(file_error(EISDIR, path));
  } else if (content) {
    auto file = workspace.open_file(path);
    if (!file) return tl::unexpected<Error>(file.error());
    *found = std::move(file->fd);
  }
  auto name = workspace.name_of(found->get());
  if (!name) return tl::unexpected<Error>(name.error());
  return Opened{std::move(*found), std::move(*name)};
}

// A worker's piece of listing or packing: opens what is asked first, in its own time. T: Listing or Packer.
template <typename T, typename Limits>
std::function<Expected<bool>()> pieces_of(std::shared_ptr<const ArtifactJob> job,
                                          std::shared_ptr<std::unique_ptr<T>> work, Limits limits, bool content) {
  return [job, work, limits, content]() -> Expected<bool> {
    const FsIdentity identity(job->workspace->ids());
    if (*work) return (*work)->step();
    auto opened = open_tree(*job->workspace, *job->request.path, content);
    if (!opened) return tl::unexpected<Error>(opened.error());
    *work = std::make_unique<T>(job->workspace, std::move(opened->fd), std::move(opened->name), limits);
    return true;
  };
}

asio::awaitable<Expected<void>> run_to_end(App& app, std::function<Expected<bool>()> pieces,
                                           std::shared_ptr<SlotTurn> turn) {
  std::function<bool()> wanted = [turn = std::move(turn)] { return !turn->stopped(); };
  const Deadline limit(now() + kWorkLimit);
  co_return co_await app.workers().run_pieces(std::move(pieces), std::move(wanted), limit);
}

ArtifactAnswer too_large(std::uint64_t bytes, std::uint64_t most) {
  ArtifactAnswer answer;
  answer.status = 413;
  const auto text = "Archive too large: " + std::to_string(bytes) + " bytes (max " + std::to_string(most) + ")";
  answer.before = Metadata()
                      .boolean("success", false)
                      .text("error", text)
                      .integer("bytes", static_cast<std::int64_t>(bytes))
                      .text("code", "too_large")
                      .str();
  return answer;
}

}  // namespace

ArtifactAnswer artifact_refusal(int status, std::string_view error, std::string_view code) {
  ArtifactAnswer answer;
  answer.status = status;
  answer.before = error_json(error, code);
  return answer;
}

asio::awaitable<ArtifactAnswer> read_work(App& app, std::shared_ptr<const ArtifactJob> job,
                                          std::shared_ptr<SlotTurn> /*turn*/) {
  const auto part = std::make_shared<Expected<FilePart>>();
  std::function<void()> work = [job, part] {
    const FsIdentity identity(job->workspace->ids());
    const auto& request = job->request;
    *part = read_part(job->workspace->workspace(), *request.path, request.max_bytes, request.encoding == "text",
                      request.digest);
  };
  co_await app.workers().run(std::move(work));
  if (!*part) co_return file_refusal(part->error(), *job->request.path, "Not a file");
  co_return read_answer(std::move(**part), job->request);
}

asio::awaitable<ArtifactAnswer> list_work(App& app, std::shared_ptr<const ArtifactJob> job,
                                          std::shared_ptr<SlotTurn> turn) {
  const auto work = std::make_shared<std::unique_ptr<Listing>>();
  const ListLimits limits{job->request.recursive, job->request.max_entries};
  auto pieces = pieces_of(job, work, limits, false);
  const auto done = co_await run_to_end(app, std::move(pieces), std::move(turn));
  if (!done) co_return file_refusal(done.error(), *job->request.path, "Unsupported path type");
  ArtifactAnswer answer;
  answer.before = R"({"success":true,"entries":[)";
  answer.content = (*work)->take();
  answer.after = std::string(R"(],"truncated":)") + ((*work)->truncated() ? "true}" : "false}");
  co_return answer;
}

asio::awaitable<ArtifactAnswer> archive_work(App& app, std::shared_ptr<const ArtifactJob> job,
                                             std::shared_ptr<SlotTurn> turn) {
  const auto work = std::make_shared<std::unique_ptr<Packer>>();
  const PackLimits limits{job->request.max_bytes, job->request.max_entries};
  auto pieces = pieces_of(job, work, limits, true);
  const auto done = co_await run_to_end(app, std::move(pieces), std::move(turn));
  if (!done && done.error().code == "too_large") co_return too_large((*work)->needed(), limits.max_bytes);
  if (!done) co_return file_refusal(done.error(), *job->request.path, "Unsupported path type");
  ArtifactAnswer answer;
  answer.as = ArtifactAnswer::As::base64;
  answer.content = (*work)->take();
  answer.before = R"({"success":true,"content":)";
  answer.after = R"(,"encoding":"base64","format":"tar.gz","bytes":)" + std::to_string(answer.content.size()) +
                 R"(,"entry_count":)" + std::to_string((*work)->entries()) + R"(,"truncated":)" +
                 ((*work)->truncated() ? "true}" : "false}");
  co_return answer;
}

}  // namespace berth::slotd

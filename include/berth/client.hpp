// SPDX-License-Identifier: Apache-2.0
// A client of slot servers. One Client speaks to any number of them; every member may be called from any thread at the
// same time, and waits for its answer. It keeps connections open between calls and one thread of its own, which ends
// with it.
//
// What goes wrong on the other side is a value, never an exception: success is false and error has a text. Only this
// process running out of memory or threads throws. Every wait ends: a call after its own time limit and the margin, at
// most `attempts` times.
#pragma once

#include <cstddef>
#include <cstdint>
#include <future>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "berth/call.hpp"
#include "berth/error.hpp"

namespace berth {

struct ClientOptions {
  std::string token;            // sent as "Authorization: Bearer TOKEN"; empty: none
  Seconds connect_timeout{5};   // to reach a server
  Seconds write_timeout{30};    // the server takes no byte of a request
  Seconds silence_timeout{30};  // a server that sends results as they come says nothing (Berth's pings every 10 s)
  Seconds answer_margin{10};    // beyond the time limits of the calls themselves
  Seconds request_timeout{30};  // reset, status, artifacts
  Seconds health_timeout{5};
  unsigned attempts = 3;   // tries of one request in all, under the same execution ids
  Seconds retry_delay{1};  // before the second try, twice that before the third and so on
  std::size_t max_answer_bytes = std::size_t{256} << 20;  // one answer; a larger one is cause `protocol`
  std::size_t connections = 64;                           // to one server at the same time
};

// Addresses are "http://HOST:PORT" or "unix:PATH".
struct PlacedCall {
  std::string address;
  Call call;  // an empty execution_id is filled in
};

struct SlotPlace {
  std::string address;
  std::string slot;                         // "slot_0" ...
  std::optional<std::uint64_t> generation;  // of the lease, where slots are leased
};

// What came of an artifact request.
struct ArtifactAnswer {
  bool success = false;
  int http_status = 0;  // 0: no answer came
  std::string error;    // never empty when success is false
};
struct FileAnswer : ArtifactAnswer {
  std::string content;  // the bytes as they are
  bool truncated = false;
  std::uint64_t file_size = 0;
  std::string path;  // below the workspace, links resolved
  std::string mime;
  std::string sha256;  // of `content`, hex digits; empty unless asked for
};
struct ArtifactEntry {
  std::string path;  // below the workspace
  bool is_dir = false;
  std::uint64_t size = 0;
  double mtime = 0;  // seconds since 1970
};
struct ListAnswer : ArtifactAnswer {
  std::vector<ArtifactEntry> entries;
  bool truncated = false;
};
struct ArchiveAnswer : ArtifactAnswer {
  std::string content;  // a tar.gz
  std::uint64_t entry_count = 0;
  bool truncated = false;  // more files were there than max_entries; servers older than Berth do not tell
};
// Limits that are absent are the server's own: 5,000,000 bytes and 5,000 entries.
struct ReadOptions {
  std::optional<std::uint64_t> max_bytes;
  bool sha256 = false;
};
struct ListOptions {
  bool recursive = false;
  std::optional<std::uint64_t> max_entries;
};
struct ArchiveOptions {
  std::optional<std::uint64_t> max_bytes;  // of the archive
  std::optional<std::uint64_t> max_entries;
};

class Client {
 public:
  explicit Client(ClientOptions options = {});
  // Ends what is under way: its results say that the client was closed.
  ~Client();
  // A client that was moved from may only be assigned to or destroyed.
  Client(Client&&) noexcept;
  Client& operator=(Client&&) noexcept;

  // Runs one call. A connection that fails is tried again with the same execution id, so that nothing runs twice; a
  // time limit that passes is final. A slot server that was started anew since this client last used the slot has lost
  // what the slot held: the next call says so once, with cause container_lost, and does not run.
  [[nodiscard]] Result execute(std::string address, Call call);
  [[nodiscard]] std::future<Result> execute_later(std::string address, Call call);

  // Results in the order of the calls. The calls of one server travel together and those of one slot run in order;
  // servers work in parallel, and one that fails spoils only its own calls. After a broken connection only the calls
  // whose results had not come are asked for again.
  [[nodiscard]] std::vector<Result> execute_batch(std::vector<PlacedCall> calls);
  [[nodiscard]] std::future<std::vector<Result>> execute_batch_later(std::vector<PlacedCall> calls);

  // Brings a slot back to its first state. One try, unless nothing was sent or a generation makes repeating harmless.
  [[nodiscard]] Result reset_slot(SlotPlace place);

  // True for a server whose /health says "ok".
  [[nodiscard]] bool health_check(std::string address);
  // The object of /health as JSON text.
  [[nodiscard]] Expected<std::string> get_container_status(std::string address);

  // Files of a slot's workspace; `path` is relative to it.
  [[nodiscard]] FileAnswer read_artifact(SlotPlace place, std::string path, ReadOptions options = {});
  [[nodiscard]] ListAnswer list_artifacts(SlotPlace place, std::string path = ".", ListOptions options = {});
  [[nodiscard]] ArchiveAnswer archive_artifacts(SlotPlace place, std::string path = ".", ArchiveOptions options = {});

 private:
  class Impl;
  std::unique_ptr<Impl> impl_;
};

// A call of the tool `bash`, with the command quoted as JSON wants it.
[[nodiscard]] Call bash_call(std::string slot, std::string_view command, Seconds timeout = Seconds(30));
// `text` as a JSON string with its quotes, for arguments that are put together by hand.
[[nodiscard]] std::string quote_json(std::string_view text);

// From a result's metadata; nothing when it does not say.
[[nodiscard]] std::optional<Cause> cause_of(const Result& result);
[[nodiscard]] std::optional<int> exit_code_of(const Result& result);

}  // namespace berth

// SPDX-License-Identifier: Apache-2.0
#include "slotd/execution.hpp"

#include "slotd/metadata.hpp"

namespace berth::slotd {

std::string_view to_string(ExecutionState state) {
  switch (state) {
    case ExecutionState::queued: return "queued";
    case ExecutionState::running: return "running";
    case ExecutionState::finished: return "finished";
  }
  return "unknown";
}

void Execution::notify() {
  // By index: a listener may add another while it is told.
  for (std::size_t i = 0; i < listeners_.size(); ++i) {
    if (const auto listener = listeners_[i].lock()) listener->execution_changed(*this);
  }
  std::erase_if(listeners_, [](const auto& listener) { return listener.expired(); });
}

std::size_t Execution::bytes() const {
  std::size_t size = sizeof(Execution) + stdout_ring.kept_bytes() + stderr_ring.kept_bytes() + call.request_bytes;
  if (reply) size += reply->output.size() + reply->error.size() + reply->metadata.size();
  return size;
}

std::string result_json(const Finished& finished, std::string_view id_json, bool replayed) {
  std::string out;
  out.reserve(finished.output.size() + finished.error.size() + finished.metadata.size() + 128);
  out += finished.success ? R"({"success": true, "output": )" : R"({"success": false, "output": )";
  append_json_string(out, finished.output);
  out += R"(, "error": )";
  append_json_string(out, finished.error);
  out += R"(, "execution_id": )";
  out += id_json;
  out += R"(, "metadata": )";
  out += replayed ? with_member(finished.metadata, "replayed", "true") : finished.metadata;
  out += '}';
  return out;
}

std::string error_json(std::string_view error, std::string_view code) {
  std::string out = R"({"success": false, "error": )";
  append_json_string(out, error);
  if (!code.empty()) {
    out += R"(, "code": )";
    append_json_string(out, code);
  }
  return out + '}';
}

}  // namespace berth::slotd

// SPDX-License-Identifier: Apache-2.0
// The work of the three artifact routes, once a slot's turn has come: done by worker threads, through descriptors of
// its own.
#pragma once

#include <boost/asio/awaitable.hpp>
#include <memory>
#include <string>
#include <string_view>

#include "slotd/files/workspace.hpp"
#include "slotd/routes/app.hpp"
#include "slotd/routes/artifact_request.hpp"
#include "slotd/slot_turn.hpp"

namespace berth::slotd {

// What is answered: the JSON before the content, the content, the JSON after it.
struct ArtifactAnswer {
  int status = 200;
  std::string before;
  std::string content;
  enum class As { text, base64, json } as = As::json;  // a text and base64 are quoted where they go
  std::string after;
};
[[nodiscard]] ArtifactAnswer artifact_refusal(int status, std::string_view error, std::string_view code = {});

struct ArtifactJob {
  ArtifactRequest request;  // its path is a text
  std::shared_ptr<const WorkspaceHandle> workspace;
};

// `turn`: the work stops soon after it says so.
using ArtifactWork = asio::awaitable<ArtifactAnswer> (*)(App& app, std::shared_ptr<const ArtifactJob> job,
                                                         std::shared_ptr<SlotTurn> turn);
asio::awaitable<ArtifactAnswer> read_work(App& app, std::shared_ptr<const ArtifactJob> job,
                                          std::shared_ptr<SlotTurn> turn);
asio::awaitable<ArtifactAnswer> list_work(App& app, std::shared_ptr<const ArtifactJob> job,
                                          std::shared_ptr<SlotTurn> turn);
asio::awaitable<ArtifactAnswer> archive_work(App& app, std::shared_ptr<const ArtifactJob> job,
                                             std::shared_ptr<SlotTurn> turn);

}  // namespace berth::slotd

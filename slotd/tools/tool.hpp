// SPDX-License-Identifier: Apache-2.0
// A tool: name, schema, run. A new one is one new file and one line in registry.cpp.
#pragma once

#include <boost/asio/awaitable.hpp>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "berth/container_spec.hpp"
#include "slotd/execution.hpp"
#include "slotd/metadata.hpp"
#include "slotd/session/session.hpp"
#include "slotd/slot_room.hpp"

namespace berth::slotd {

// What a tool makes of a call; the slot adds the keys that every result has.
struct ToolResult {
  bool success = false;
  std::string output;
  std::string error;
  Metadata metadata;
};

// Everything a tool may touch. Valid while run() runs.
struct ToolContext {
  SlotRoom& room;
  Session& session;  // the slot's live shell, if one was started
  std::shared_ptr<Execution> execution;
  const ContainerSpec& spec;
  std::string workspace_alias;  // the server's own name of the workspace, accepted in paths beside /workspace
  Seconds timeout{30};          // of the command, already adjusted for the route
  // For calls that live on: what the caller is answered now. The result of run() becomes the execution's result.
  std::function<void(ToolResult)> answer_now;

  [[nodiscard]] const Json& args() const { return *execution->call.args; }
};

class Tool {
 public:
  virtual ~Tool() = default;
  [[nodiscard]] virtual std::string_view name() const = 0;
  // JSON schema of args.
  [[nodiscard]] virtual std::string_view schema() const = 0;
  // False: runs beside the slot's queue and answers at once.
  [[nodiscard]] virtual bool takes_turn(const Json& args) const;
  // What is wrong with args: such a call is refused with status 400 before anything of it starts.
  [[nodiscard]] virtual std::optional<std::string> objection(const Json& /*args*/) const { return std::nullopt; }
  [[nodiscard]] virtual asio::awaitable<ToolResult> run(ToolContext context) const = 0;
};

// Owns all tools; names are unique.
class ToolRegistry {
 public:
  ToolRegistry();
  ~ToolRegistry();
  ToolRegistry(const ToolRegistry&) = delete;
  ToolRegistry& operator=(const ToolRegistry&) = delete;
  [[nodiscard]] const Tool* find(std::string_view name) const;
  [[nodiscard]] const std::vector<std::unique_ptr<Tool>>& all() const { return tools_; }

 private:
  std::vector<std::unique_ptr<Tool>> tools_;
};

// A call that a rule refuses before anything runs.
[[nodiscard]] ToolResult refused(std::string error, Cause cause = Cause::rejected);

}  // namespace berth::slotd

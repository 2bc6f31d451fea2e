// SPDX-License-Identifier: Apache-2.0
// A job's pool on an agent elsewhere for as long as a command needs it (wire.md 2.7).
#pragma once

#include <functional>
#include <string>

#include "cli/place.hpp"
#include "cli/remote/pool_text.hpp"
#include "cli/transfer.hpp"

namespace berth::cli {

struct RemoteRun {
  PoolText pool;
  bool keep = false;  // leave a pool that was made for this
  int platform_code = 0;
  const PackedInputs* inputs = nullptr;  // where prepare() packs those of the pool, beside others
  std::function<Expected<void>(const std::string& state_dir)> prepare;  // before anything starts
  std::function<boost::asio::awaitable<int>(Place&)> work;
};

// Shares the agent's pool of that name when its content is the same, or would be without inputs, which the work brings
// then; and leaves it at the end. Other content: kUsage. None there: makes it, and removes it at the end.
[[nodiscard]] int run_remotely(RemoteRun run);

// The same in a pool that is there, by name, or for a slot that is held already.
[[nodiscard]] int run_in_existing(int platform_code, std::function<boost::asio::awaitable<int>(Place&)> work);

}  // namespace berth::cli

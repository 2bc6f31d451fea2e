// SPDX-License-Identifier: Apache-2.0
// What people ask about a container that runs.
#include "drivers/docker/container.hpp"
#include "drivers/docker/log_stamps.hpp"

namespace berth::drivers::docker {

asio::awaitable<Expected<Usage>> Container::usage(Deadline deadline) {
  const auto self = shared_from_this();
  if (facts_.state != ContainerState::running) co_return fail("unknown_usage", who() + " does not run");
  // The engine knows the group of its own container only: those of the slots are beside it.
  if (groups_) co_return groups_->usage();
  co_return co_await yard_->engine->usage(engine_id_, deadline);
}

asio::awaitable<Expected<LogPart>> Container::read_log(std::string after, Deadline deadline) {
  const auto self = shared_from_this();
  if (!is_log_place(after))
    co_return fail("bad_request", "\"after\" is no place of a log", "take it from Berth-Next, or leave it out");
  LogPart none;
  none.next = after;
  if (!launched_) co_return none;
  const auto text = co_await yard_->engine->stamped_log(engine_id_, after, deadline);
  if (!text) co_return tl::unexpected(text.error());
  co_return without_stamps(*text, std::move(after));
}

}  // namespace berth::drivers::docker

// SPDX-License-Identifier: Apache-2.0
#include "slotd/setup.hpp"

#include <boost/asio/use_awaitable.hpp>
#include <nlohmann/json.hpp>

#include "slotd/command_runner.hpp"
#include "slotd/execution.hpp"
#include "slotd/tools/command_policy.hpp"

namespace berth::slotd {
namespace {

constexpr Seconds kSetupLimit{600};
constexpr std::size_t kLastLines = 50;

std::string last_lines(const std::string& text, std::size_t count) {
  auto at = text.size();
  if (at > 0 && text[at - 1] == '\n') --at;
  while (at > 0) {
    const auto newline = text.rfind('\n', at - 1);
    if (newline == std::string::npos) return text;
    if (--count == 0) return text.substr(newline + 1);
    at = newline;
  }
  return text;
}

Error setup_error(const std::string& command, const CommandOutcome& outcome, const Execution& execution) {
  auto why = outcome.cause == Cause::timeout ? "took longer than 10 minutes"
             : outcome.exit_code             ? "ended with exit code " + std::to_string(*outcome.exit_code)
                                             : "did not run: " + outcome.problem + outcome.start_step;
  const auto output = execution.stdout_ring.text().text + execution.stderr_ring.text().text;
  return Error{"setup_failed", "setup step `" + command + "` " + why + "\n" + last_lines(output, kLastLines),
               "mend the step in the job file's setup"};
}

asio::awaitable<Expected<void>> run_step(SlotRoom& room, const ContainerSpec& spec, const std::string& step,
                                         Seconds limit) {
  CallRequest request;
  request.id = "setup";
  request.id_json = "null";
  const auto now = berth::now();
  auto execution = std::make_shared<Execution>(std::move(request), 0, now, Deadline());
  isolation::Command command;
  command.argv = {"/bin/sh", "-c", step};
  // The steps have the whole network, and so no need of the slots' proxy.
  command.env = command_environment(spec, *execution, {}, true);
  const CommandLimits limits{limit, {}};
  const auto outcome = co_await run_command(room, execution, command, UniqueFd(), limits);
  if (outcome.cause == Cause::exit && outcome.exit_code == 0) co_return Expected<void>{};
  co_return tl::unexpected<Error>(setup_error(step, outcome, *execution));
}

}  // namespace

asio::awaitable<Expected<void>> run_setup_commands(asio::any_io_executor executor, isolation::RoomFactory& factory,
                                                   FileWorkers& cleaners, const ContainerSpec& spec) {
  if (spec.setup.empty()) co_return Expected<void>{};
  SlotRoom room(executor, factory, cleaners, isolation::RoomSpec{"setup", spec.slots, {}, true});
  if (auto built = co_await room.rebuild(); !built) co_return built;
  const auto deadline = Deadline::after(now(), kSetupLimit);
  for (const auto& step : spec.setup) {
    const auto left = std::chrono::duration_cast<Seconds>(deadline.remaining(now()));
    if (auto done = co_await run_step(room, spec, step, left); !done) {
      (void)co_await room.tear_down();
      co_return done;
    }
  }
  if (auto ended = co_await room.tear_down(); !ended) co_return ended;
  co_return factory.adopt_setup_layer();
}

}  // namespace berth::slotd

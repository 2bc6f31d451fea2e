// SPDX-License-Identifier: Apache-2.0
#include "drivers/local/local_driver.hpp"

#include "drivers/local/container.hpp"
#include "drivers/local/log_file.hpp"
#include "drivers/paths.hpp"
#include "drivers/remove.hpp"

namespace berth::drivers {

namespace asio = boost::asio;

namespace {
// After SIGKILL a process can only be late because the kernel still tears its memory down.
constexpr std::chrono::seconds kKillGrace{5};
}  // namespace

LocalDriver::LocalDriver(asio::io_context& context, LocalOptions options)
    : context_(context), options_(std::move(options)), containers_(context) {}

LocalDriver::~LocalDriver() {
  containers_.abandon_all();
}

void LocalDriver::watch(Watcher watcher) {
  containers_.watch(std::move(watcher));
}

void LocalDriver::converge(std::vector<Wanted> wanted) {
  containers_.converge(std::move(wanted), Deadline(now() + options_.stop_limit), [this](Wanted one) {
    return std::make_shared<LocalContainer>(context_, options_, std::move(one.spec),
                                            [this](const ContainerFacts& facts) { containers_.heard(facts); });
  });
}

asio::awaitable<Expected<std::vector<ContainerFacts>>> LocalDriver::adopt() {
  const auto is_used = [this](const std::string& id) { return containers_.has(id); };
  const auto removed = remove_stray_folders(options_.state_dir, is_used);
  if (!removed) co_return tl::unexpected(removed.error());
  co_return std::vector<ContainerFacts>{};
}

asio::awaitable<Expected<Usage>> LocalDriver::usage(std::string id, Deadline) {
  if (!containers_.has(id)) co_return tl::unexpected(unknown_container(id));
  co_return fail("unknown_usage", "what a container without an engine uses is not counted");
}

asio::awaitable<Expected<LogPart>> LocalDriver::read_log(std::string id, std::string after, Deadline) {
  if (!containers_.has(id)) co_return tl::unexpected(unknown_container(id));
  co_return read_log_file(container_paths(options_.state_dir, id).log(), after);
}

void LocalDriver::stop_all(Deadline kill_at) {
  containers_.stop_all(kill_at);
}

void LocalDriver::kill_all() {
  containers_.kill_all();
}

asio::awaitable<Expected<void>> LocalDriver::remove(Deadline graceful_until) {
  stop_all(graceful_until);
  const TimePoint begin = std::max(graceful_until.at(), now());
  co_await containers_.none_left(Deadline::after(begin, kKillGrace).at());
  const auto& left = containers_.all();
  if (!left.empty()) co_return fail("leftover", "berth-slotd of " + left.begin()->first + " cannot be killed");
  if (containers_.leftover()) co_return tl::unexpected(*containers_.leftover());
  co_return Expected<void>{};
}

}  // namespace berth::drivers

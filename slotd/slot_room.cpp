// SPDX-License-Identifier: Apache-2.0
#include "slotd/slot_room.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/experimental/awaitable_operators.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <csignal>

namespace berth::slotd {
namespace {

constexpr auto kBuildLimit = std::chrono::seconds(20);
constexpr auto kDeathLimit = std::chrono::seconds(10);

// What a new room must show before anyone gets it (design section 6, invariant 2).
Expected<void> check_clean(const isolation::Ready& facts, const isolation::MeasureSet& wanted) {
  if ((facts.in_force & wanted) != wanted)
    return fail("isolation", "a new room lacks a measure that the plan has in force");
  if (facts.processes != 0) return fail("isolation", "a new room has foreign processes");
  if (facts.open_sockets != 0) return fail("isolation", "a new room has open sockets");
  return {};
}

}  // namespace

SlotRoom::SlotRoom(const asio::any_io_executor& executor, isolation::RoomFactory& factory, FileWorkers& cleaners,
                   isolation::RoomSpec spec, std::shared_ptr<proxy::Gate> gate)
    : executor_(executor),
      factory_(factory),
      spec_(std::move(spec)),
      proxy_(gate ? std::make_unique<proxy::SlotProxy>(std::move(gate)) : nullptr),
      changed_(executor),
      leftovers_(executor, cleaners) {}

SlotRoom::~SlotRoom() {
  *alive_ = false;
  if (control_) (void)control_->release();
}

std::unique_ptr<isolation::Room> SlotRoom::bury() {
  if (control_) (void)control_->release();
  control_.reset();
  room_ended();
  ready_ = false;
  ready_facts_.reset();
  build_error_.reset();
  if (!room_) return nullptr;
  room_->begin_destroy();
  return std::move(room_);
}

void SlotRoom::room_ended() {
  ready_ = false;
  if (proxy_) proxy_->stop();
  for (auto& [id, weak] : running_) {
    if (const auto command = weak.lock()) {
      command->room_gone = true;
      command->changed.notify_all();
    }
  }
  running_.clear();
}

asio::awaitable<Expected<void>> SlotRoom::await_death(std::unique_ptr<isolation::Room> dying) {
  if (!dying) co_return Expected<void>{};
  using namespace asio::experimental::awaitable_operators;
  // Watched through a duplicate, so that Asio and the room each own theirs.
  asio::posix::stream_descriptor death(executor_, ::fcntl(dying->death_fd(), F_DUPFD_CLOEXEC, 0));
  asio::steady_timer limit(executor_, kDeathLimit);
  const auto done =
      co_await (death.async_wait(asio::posix::stream_descriptor::wait_read, asio::as_tuple(asio::use_awaitable)) ||
                limit.async_wait(asio::as_tuple(asio::use_awaitable)));
  if (done.index() == 1) co_return fail("isolation", "the processes of slot " + spec_.slot + " did not end in time");
  const int keeper = dying->keeper_pid();
  auto finished = dying->finish_destroy();
  keepers_.erase(keeper);
  co_return finished;
}

asio::awaitable<Expected<void>> SlotRoom::await_ready(Deadline deadline) {
  while (!ready_facts_ && !build_error_) {
    if (deadline.expired(now())) co_return fail("isolation", "building " + spec_.slot + " took too long");
    co_await changed_.wait(deadline);
  }
  if (build_error_) co_return tl::unexpected<Error>(*build_error_);
  co_return check_clean(*ready_facts_, factory_.measures_of(spec_));
}

asio::awaitable<Expected<void>> SlotRoom::rebuild() {
  UniqueFd mounts = room_ ? room_->take_mounts() : UniqueFd();
  auto dying = bury();
  // The new room is built while the old one dies; neither touches the other.
  auto begun = factory_.begin(spec_);
  if (begun) {
    room_ = std::move(*begun);
    keepers_.insert(room_->keeper_pid());
    control_ = std::make_unique<asio::posix::stream_descriptor>(executor_, room_->control_fd());
    watch();
  }
  auto dead = co_await await_death(std::move(dying));
  if (!begun) co_return tl::unexpected<Error>(begun.error());
  auto built = co_await await_ready(Deadline(now() + kBuildLimit));
  // Not before: the new room's mounts and the old one's get in each other's way.
  auto cleared = co_await leftovers_.clear(std::move(mounts), Deadline(now() + kDeathLimit));
  if (!built) co_return built;
  if (!dead) co_return dead;
  if (!cleared) co_return cleared;
  if (auto opened = open_proxy(); !opened) co_return opened;
  in_force_ = ready_facts_->in_force;
  ready_ = true;
  co_return Expected<void>{};
}

Expected<void> SlotRoom::open_proxy() {
  if (!proxy_) return {};
  UniqueFd listener = room_->take_listener();
  if (!listener) return fail("isolation", "the proxy of " + spec_.slot + " has no socket");
  proxy_->start(std::move(listener));
  return {};
}

void SlotRoom::condemn() {
  // The keeper is our child and not reaped yet, so its number is its own.
  if (ready_) ::kill(room_->keeper_pid(), SIGKILL);
}

asio::awaitable<Expected<void>> SlotRoom::tear_down() {
  co_return co_await await_death(bury());
}

void SlotRoom::watch() {
  control_->async_wait(asio::posix::stream_descriptor::wait_read,
                       [this, alive = alive_, watched = control_.get()](const boost::system::error_code& error) {
                         if (error || !*alive || control_.get() != watched) return;
                         while (control_.get() == watched) {
                           auto event = room_->next_event();
                           if (!event) break;
                           handle(std::move(*event));
                         }
                         if (control_.get() == watched && room_) watch();
                       });
}

RunningCommand* SlotRoom::find(std::uint64_t id) {
  const auto found = running_.find(id);
  if (found == running_.end()) return nullptr;
  const auto command = found->second.lock();
  if (!command) running_.erase(found);
  return command.get();
}

void SlotRoom::handle(isolation::Event event) {
  if (const auto* ready = std::get_if<isolation::Ready>(&event)) {
    ready_facts_ = *ready;
    changed_.notify_all();
  } else if (const auto* failed = std::get_if<isolation::BuildFailed>(&event)) {
    build_error_ = failed->error;
    changed_.notify_all();
  } else if (const auto* start_failed = std::get_if<isolation::StartFailed>(&event)) {
    if (auto* command = find(start_failed->command)) {
      command->start_failed = *start_failed;
      command->changed.notify_all();
    }
  } else if (const auto* exited = std::get_if<isolation::Exited>(&event)) {
    if (auto* command = find(exited->command)) {
      command->exited = *exited;
      command->changed.notify_all();
    }
  } else if (const auto* killed = std::get_if<isolation::Killed>(&event)) {
    if (auto* command = find(killed->command)) {
      command->killed = *killed;
      command->changed.notify_all();
    }
  } else {
    const bool was_ready = ready_;
    if (!ready_facts_ && !build_error_)
      build_error_ = Error{"isolation", "the keeper of " + spec_.slot + " died while it was built", {}};
    control_->release();
    control_.reset();
    room_ended();
    changed_.notify_all();
    if (was_ready && on_lost_) on_lost_();
  }
}

Expected<std::shared_ptr<RunningCommand>> SlotRoom::start(const isolation::Command& command,
                                                          isolation::CommandFds fds) {
  if (!ready_) return fail("isolation", "slot " + spec_.slot + " has no room", "reset the slot");
  auto running = std::make_shared<RunningCommand>(executor_);
  running->id = next_command_++;
  if (auto started = room_->start(running->id, command, std::move(fds)); !started)
    return tl::unexpected<Error>(started.error());
  std::erase_if(running_, [](const auto& entry) { return entry.second.expired(); });
  running_[running->id] = running;
  return running;
}

}  // namespace berth::slotd

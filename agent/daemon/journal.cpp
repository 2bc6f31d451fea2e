// SPDX-License-Identifier: Apache-2.0
#include "agent/daemon/journal.hpp"

#include "base/log.hpp"

namespace berth::agent {
namespace {

std::string slot_of(const pool::Lease& lease) {
  return lease.container + ":" + pool::slot_name(lease.slot);
}

void write(const pool::Granted& effect) {
  if (effect.existing) return;
  const pool::Lease& lease = effect.lease;
  log(LogLevel::info, "lease granted",
      {{"lease", lease.id},
       {"job", lease.job},
       {"trajectory", lease.trajectory},
       {"owner", lease.owner},
       {"slot", slot_of(lease)},
       {"generation", std::to_string(lease.generation)}});
}

void write(const pool::LeaseEnded& effect) {
  const bool lost = effect.why == pool::EndReason::container_lost || effect.why == pool::EndReason::slot_lost;
  log(lost ? LogLevel::warning : LogLevel::info, "lease ended",
      {{"lease", effect.lease.id},
       {"job", effect.lease.job},
       {"trajectory", effect.lease.trajectory},
       {"slot", slot_of(effect.lease)},
       {"why", std::string(pool::to_string(effect.why))},
       {"detail", effect.message}});
}

void write(const pool::SlotChanged& effect) {
  const bool broken = effect.to == pool::SlotState::error;
  log(broken ? LogLevel::warning : LogLevel::debug, "slot",
      {{"slot", effect.container + ":" + pool::slot_name(effect.slot)},
       {"job", effect.job},
       {"from", std::string(pool::to_string(effect.from))},
       {"to", std::string(pool::to_string(effect.to))},
       {"lease", effect.lease},
       {"why", effect.why}});
}

void write(const pool::ContainerChanged& effect) {
  const bool sick = effect.to == pool::ContainerState::suspect ||
                    (effect.to == pool::ContainerState::gone && effect.from != pool::ContainerState::stopping);
  log(sick ? LogLevel::warning : LogLevel::info, "container",
      {{"container", effect.container},
       {"job", effect.job},
       {"from", std::string(pool::to_string(effect.from))},
       {"to", std::string(pool::to_string(effect.to))},
       {"draining", effect.draining ? "yes" : "no"},
       {"why", effect.why}});
}

void write(const pool::JobGone& effect) {
  log(LogLevel::info, "job gone", {{"job", effect.job}});
}

template <typename Other>
void write(const Other&) {}

}  // namespace

void log_effect(const pool::Effect& effect) {
  std::visit([](const auto& each) { write(each); }, effect);
}

}  // namespace berth::agent

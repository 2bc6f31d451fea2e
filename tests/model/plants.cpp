// SPDX-License-Identifier: Apache-2.0
#include "tests/model/plants.hpp"

#include <algorithm>
#include <memory>
#include <utility>

namespace berth::pool::model {
namespace {

template <typename Change>
Plant wrong_rule(const char* name, Change change) {
  Plant plant;
  plant.name = name;
  change(plant.rules);
  return plant;
}

Plant wrong_event(const char* name, std::function<void(Event&, const Pool&)> spoil) {
  Plant plant;
  plant.name = name;
  plant.spoil_event = std::move(spoil);
  return plant;
}

Plant wrong_effects(const char* name, std::function<void(std::vector<Effect>&)> spoil) {
  Plant plant;
  plant.name = name;
  plant.spoil_effects = std::move(spoil);
  return plant;
}

template <typename Unwanted>
void drop(std::vector<Effect>& effects) {
  std::erase_if(effects, [](const Effect& effect) { return std::holds_alternative<Unwanted>(effect); });
}

void answer_twice(std::vector<Effect>& effects) {
  const auto granted = std::find_if(effects.begin(), effects.end(),
                                    [](const Effect& effect) { return std::holds_alternative<Granted>(effect); });
  if (granted != effects.end()) effects.push_back(Effect(*granted));
}

void store_after_the_answer(std::vector<Effect>& effects) {
  std::stable_partition(effects.begin(), effects.end(),
                        [](const Effect& effect) { return !std::holds_alternative<Persist>(effect); });
}

// Two requests that are answered in one step are answered the wrong way round.
void serve_the_last_first(std::vector<Effect>& effects) {
  std::vector<Granted*> granted;
  for (Effect& effect : effects) {
    auto* one = std::get_if<Granted>(&effect);
    if (one != nullptr && !one->existing) granted.push_back(one);
  }
  if (granted.size() > 1) std::swap(*granted.front(), *granted.back());
}

void forget_the_owner(Event& event, const Pool&) {
  if (auto* wish = std::get_if<AcquireRequested>(&event)) wish->owner = "free", wish->max_slots.reset();
}

void take_suspect_for_lost(Event& event, const Pool&) {
  if (const auto* suspect = std::get_if<ContainerSuspect>(&event))
    event = ContainerLost{suspect->container, suspect->why};
}

void ignore_cancelling(Event& event, const Pool&) {
  if (std::holds_alternative<AcquireCancelled>(event)) event = Tick{};
}

// A second release frees whatever lease exists now.
void release_whoever_holds(Event& event, const Pool& pool) {
  auto* release = std::get_if<ReleaseRequested>(&event);
  if (release == nullptr || pool.find_lease(release->lease) != nullptr) return;
  const std::vector<Lease> leases = pool.leases();
  if (!leases.empty()) release->lease = leases.front().id;
}

std::vector<Plant> make_rules() {
  std::vector<Plant> all;
  all.push_back(wrong_rule("AnyAnswerFreesASlot", [](Rules& rules) {
    rules.reset_frees = [](Generation, Generation, bool ok) { return ok; };
  }));
  all.push_back(wrong_rule("FailedResetFreesASlot", [](Rules& rules) {
    rules.reset_frees = [](Generation awaited, Generation answered, bool) { return awaited == answered; };
  }));
  all.push_back(wrong_rule("GenerationStandsStill", [](Rules& rules) {
    rules.next_generation = [](Generation known, Generation floor) { return std::max({known, floor, Generation{1}}); };
  }));
  all.push_back(wrong_rule("FloorIsIgnored", [](Rules& rules) {
    rules.next_generation = [](Generation known, Generation) { return known + 1; };
  }));
  all.push_back(wrong_rule("SuspectContainerServes", [](Rules& rules) {
    rules.may_serve = [](const Berths& one) { return one.state != ContainerState::stopping && !one.draining; };
  }));
  all.push_back(wrong_rule("DrainingContainerServes", [](Rules& rules) {
    rules.may_serve = [](const Berths& one) { return one.state == ContainerState::up; };
  }));
  all.push_back(wrong_rule("ShrinksBelowMin", [](Rules& rules) {
    rules.may_shrink = [](const Census&, const Berths& one) { return one.leased == 0; };
  }));
  all.push_back(
      wrong_rule("StopsLeasedSlots", [](Rules& rules) { rules.may_stop = [](const Berths&) { return true; }; }));
  all.push_back(wrong_rule("GrowsBeyondMax", [](Rules& rules) {
    rules.to_start = [](const Census& true_job) {
      Census job = true_job;
      ++job.max;
      return default_rules().to_start(job);
    };
  }));
  all.push_back(wrong_rule("NeverGrows", [](Rules& rules) {
    rules.to_start = [](const Census& true_job) {
      Census job = true_job;
      job.waiting = 0;
      return default_rules().to_start(job);
    };
  }));
  all.push_back(wrong_rule("QueueWithoutBound",
                           [](Rules& rules) { rules.may_wait = [](std::size_t, std::size_t) { return true; }; }));
  all.push_back(wrong_rule("DeadlineMissedByOne", [](Rules& rules) {
    rules.is_over = [](TimePoint end, TimePoint now) { return end < now; };
  }));
  all.push_back(wrong_rule("NoPauseAfterFailure", [](Rules& rules) {
    rules.backoff = [](unsigned, Duration, Duration) { return Duration::zero(); };
  }));
  return all;
}

std::vector<Plant> make_plants() {
  std::vector<Plant> all = make_rules();
  all.push_back(wrong_event("OwnersShareTrajectories", forget_the_owner));
  all.push_back(wrong_event("SuspectIsTakenForLost", take_suspect_for_lost));
  all.push_back(wrong_event("CancelledRequestsWaitOn", ignore_cancelling));
  all.push_back(wrong_event("SecondReleaseFreesAnother", release_whoever_holds));
  all.push_back(wrong_effects("AnswersTwice", answer_twice));
  all.push_back(wrong_effects("AnswersNever", drop<Refused>));
  all.push_back(wrong_effects("StoresAfterTheAnswer", store_after_the_answer));
  all.push_back(wrong_effects("ServesTheLastFirst", serve_the_last_first));
  all.push_back(wrong_effects("LeaksLeases", drop<LeaseEnded>));
  all.push_back(wrong_effects("LeaksContainers", drop<StopContainer>));
  all.push_back(wrong_effects("ForgetsToReset", drop<ResetSlot>));
  return all;
}

}  // namespace

const std::vector<Plant>& plants() {
  static const std::vector<Plant> all = make_plants();
  return all;
}

}  // namespace berth::pool::model

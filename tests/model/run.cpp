// SPDX-License-Identifier: Apache-2.0
#include "tests/model/run.hpp"

#include <algorithm>
#include <limits>

#include "tests/model/world.hpp"

namespace berth::pool::model {
namespace {

constexpr std::size_t kAll = std::numeric_limits<std::size_t>::max();
constexpr int kRoundsToSettle = 40;

Options options_of_life(unsigned life) {
  Options options;
  options.prefix = "c" + std::to_string(life);
  options.max_waiters = 4;
  options.max_ended = 8;
  return options;
}

class Play {
 public:
  Play(const Plant& plant, Coverage* coverage)
      : plant_(plant), coverage_(coverage), reference_(options_of_life(0)), pool_(options_of_life(0), plant.rules) {}

  // From now on a second pool hears the same events, but no ticks before them.
  void compare_with_twin() { twin_.emplace(options_of_life(0)); }
  [[nodiscard]] bool twin_differs() const { return differs_; }

  void play(const Operation& operation) {
    if (operation.what == What::crash) return crash(operation);
    const std::optional<Event> event = world_.play(operation, pool_);
    if (event) step(*event, kAll);
  }

  void end() {
    for (const Event& event : world_.end_jobs()) step(event, kAll);
    for (int i = 0; i < kRoundsToSettle && !over(); ++i) {
      for (const Event& event : world_.settle()) step(event, kAll);
      step(Tick{}, kAll);
    }
    if (failed()) return;
    reference_.finished(pool_);
    if (!world_.empty()) own_ = Violation{8, "a container runs that the pool has forgotten"};
  }

  [[nodiscard]] std::optional<Violation> failed() const {
    if (own_) return own_;
    return reference_.violation() ? reference_.violation() : world_.violation();
  }

 private:
  [[nodiscard]] bool over() const { return failed() || (pool_.jobs().empty() && world_.empty()); }

  // What is due comes first by itself, so that the reference need not know in which order the pool does both.
  void step(const Event& event, std::size_t cut) {
    std::vector<std::size_t> kinds;
    if (pool_.next_tick() <= world_.now()) kinds = half_step(Tick{}, kAll);
    const std::vector<std::size_t> more = half_step(event, cut);
    if (!twin_) return;
    kinds.insert(kinds.end(), more.begin(), more.end());
    differs_ =
        differs_ || kinds_of(twin_->step(event, world_.now())) != kinds || twin_->next_tick() != pool_.next_tick();
  }

  static std::vector<std::size_t> kinds_of(const std::vector<Effect>& effects) {
    std::vector<std::size_t> kinds;
    for (const Effect& effect : effects) kinds.push_back(effect.index());
    return kinds;
  }

  // Only the first `cut` effects are carried out before the agent dies.
  std::vector<std::size_t> half_step(const Event& event, std::size_t cut) {
    world_.told(event);
    Event spoilt = event;
    if (plant_.spoil_event) plant_.spoil_event(spoilt, pool_);
    std::vector<Effect> effects = pool_.step(spoilt, world_.now());
    if (plant_.spoil_effects) plant_.spoil_effects(effects);
    if (coverage_ != nullptr && std::holds_alternative<AcquireCancelled>(event)) coverage_->cancelled();
    reference_.before(event, world_.now());
    for (std::size_t i = 0; i < std::min(cut, effects.size()); ++i) {
      reference_.effect(effects[i]);
      world_.carry_out(effects[i]);
      note(effects[i]);
    }
    if (cut == kAll) reference_.after(pool_);
    return kinds_of(effects);
  }

  void note(const Effect& effect) {
    if (coverage_ == nullptr) return;
    if (const auto illegal = coverage_->take(effect)) own_ = Violation{9, "an illegal transition: " + *illegal};
  }

  void crash(const Operation& operation) {
    constexpr What kLast[] = {What::acquire, What::release,    What::reset_done,
                              What::sleep,   What::start_done, What::apply};
    const Operation last{kLast[operation.b % std::size(kLast)], operation.a,
                         static_cast<std::uint16_t>(operation.b >> 3)};
    if (const std::optional<Event> event = world_.play(last, pool_)) step(*event, operation.a % 7);
    const Restored restored = world_.crash();
    reference_.killed(restored, world_.now());
    pool_ = Pool(options_of_life(++life_), plant_.rules);
    if (twin_) twin_.emplace(options_of_life(life_));
    step(restored, kAll);
    if (coverage_ != nullptr && !pool_.leases().empty()) coverage_->restored();
    for (const Event& event : world_.adoption()) step(event, kAll);
  }

  const Plant& plant_;
  Coverage* coverage_;
  std::optional<Violation> own_;
  unsigned life_ = 0;
  World world_;
  Reference reference_;
  Pool pool_;
  std::optional<Pool> twin_;
  bool differs_ = false;
};

}  // namespace

std::optional<Failure> run(const Operations& operations, const Plant& plant, Coverage* coverage) {
  Play play(plant, coverage);
  for (std::size_t i = 0; i < operations.size(); ++i) {
    play.play(operations[i]);
    if (const auto violation = play.failed()) return Failure{*violation, i};
  }
  play.end();
  if (const auto violation = play.failed()) return Failure{*violation, operations.size()};
  return std::nullopt;
}

bool same_with_and_without_ticks(const Operations& operations) {
  const Plant none;
  Play play(none, nullptr);
  play.compare_with_twin();
  for (const Operation& operation : operations) play.play(operation);
  return !play.twin_differs();
}

Operations shrink(Operations operations, const Failure& failure, const Plant& plant) {
  operations.resize(std::min(operations.size(), failure.step + 1));
  const auto still_fails = [&](const Operations& fewer) {
    const auto found = run(fewer, plant);
    return found && found->violation.invariant == failure.violation.invariant &&
           found->violation.what == failure.violation.what;
  };
  for (std::size_t chunk = operations.size() / 2; chunk > 0; chunk /= 2) {
    for (std::size_t at = 0; at + chunk <= operations.size();) {
      Operations fewer = operations;
      fewer.erase(fewer.begin() + static_cast<std::ptrdiff_t>(at),
                  fewer.begin() + static_cast<std::ptrdiff_t>(at + chunk));
      if (still_fails(fewer)) {
        operations = std::move(fewer);
      } else {
        at += chunk;
      }
    }
  }
  return operations;
}

}  // namespace berth::pool::model

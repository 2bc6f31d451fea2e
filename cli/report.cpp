// SPDX-License-Identifier: Apache-2.0
#include "cli/report.hpp"

#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <nlohmann/json.hpp>

#include "base/fd.hpp"
#include "base/json.hpp"
#include "base/text.hpp"
#include "cli/options.hpp"
#include "cli/terminal.hpp"

namespace berth::cli {
namespace {

constexpr std::chrono::milliseconds kProgressPause{50};
constexpr std::size_t kFirstLine = 200;

// Whoever read our output may be gone; the run's outcome is in the exit code all the same.
void print(const std::string& text) {
  static_cast<void>(write_all(STDOUT_FILENO, text));
}

std::string seconds(std::chrono::duration<double> time) {
  char text[32];
  std::snprintf(text, sizeof text, "%.2f s", time.count());
  return text;
}

std::string first_line(std::string_view text) {
  text = trim(text);
  return harmless_line(text.substr(0, text.find('\n')), kFirstLine);
}

std::string padded(const std::string& text, std::size_t width) {
  const std::size_t length = utf8_length(text);
  return length >= width ? text : text + std::string(width - length, ' ');
}

// What the last column of the table says.
std::string last_word(const TrajectoryOutcome& outcome) {
  if (outcome.error) return first_line(outcome.error->message);
  if (outcome.steps.empty()) return "";
  const StepOutcome& last = outcome.steps.back();
  const std::string output = first_line(last.result.output);
  if (last.success && outcome.missing.empty()) return output;
  if (last.success) return outcome.missing.front().message;
  return last.name + ": " + first_line(last.error) + (output.empty() ? "" : "; " + output);
}

std::string plural(std::size_t count, const std::string& what) {
  return std::to_string(count) + " " + what + (count == 1 ? "" : "s");
}

}  // namespace

Report::Report(const jobs::Job& job, std::size_t trajectories, bool json)
    : job_(job), planned_(trajectories), json_(json), progress_(!json && is_terminal(STDERR_FILENO)) {}

void Report::trajectory_started() {
  ++running_;
  show_progress();
}

void Report::step_done(const TrajectoryOutcome& so_far, const StepOutcome& step) {
  ++steps_;
  if (json_) print(json_line(so_far, &step, step.error));
  show_progress();
}

void Report::trajectory_done(TrajectoryOutcome outcome) {
  --running_;
  if (!outcome.succeeded()) ++failed_;
  print_errors(outcome);
  // Results are for reading at the end; the first line of the last step is all that is shown of them.
  for (StepOutcome& step : outcome.steps) {
    step.result.output.resize(std::min<std::size_t>(step.result.output.size(), 4 * kFirstLine));
    step.result.metadata.clear();
  }
  done_.push_back(std::move(outcome));
  show_progress();
}

void Report::print_errors(const TrajectoryOutcome& outcome) {
  clear_progress();
  for (const std::string& warning : outcome.warnings) print_warning(outcome.trajectory.name + ": " + warning);
  if (outcome.error && told_.insert(outcome.error->message).second) print_error(*outcome.error);
  for (const Error& error : outcome.missing) print_error(error.within(outcome.trajectory.name));
  if (!json_) return;
  if (outcome.error) print(json_line(outcome, nullptr, outcome.error->message));
  for (const Error& error : outcome.missing) print(json_line(outcome, nullptr, error.message));
}

std::string Report::json_line(const TrajectoryOutcome& outcome, const StepOutcome* step,
                              const std::string& error) const {
  const auto item = parse_json(outcome.trajectory.item);
  Json line{{"job", job_.name},
            {"trajectory", outcome.trajectory.name},
            {"index", outcome.trajectory.index},
            {"error", error}};
  line["item"] = item ? *item : Json();
  line["step"] = step == nullptr ? Json() : Json(step->name);
  line["success"] = step != nullptr && step->success;
  line["output"] = step == nullptr ? "" : step->result.output;
  const auto metadata = step == nullptr ? Expected<Json>(Json::object()) : parse_json(step->result.metadata);
  line["metadata"] = metadata && metadata->is_object() ? *metadata : Json::object();
  return dump_json(line) + "\n";
}

void Report::show_progress() {
  const auto now = berth::now();
  if (!progress_ || now - last_progress_ < kProgressPause) return;
  last_progress_ = now;
  shown_ = true;
  const std::string text = std::to_string(done_.size()) + " of " + std::to_string(planned_) + " trajectories done, " +
                           std::to_string(running_) + " running, " + std::to_string(failed_) + " failed, " +
                           plural(steps_, "step") + ", " + seconds(now - begin_);
  std::fprintf(stderr, "\r\x1b[K%s", text.c_str());
  std::fflush(stderr);
}

void Report::clear_progress() {
  if (!std::exchange(shown_, false)) return;
  std::fputs("\r\x1b[K", stderr);
  std::fflush(stderr);
}

void Report::finish(bool interrupted) {
  clear_progress();
  if (interrupted) {
    std::fprintf(stderr, "berth: interrupted after %zu of %zu trajectories\n", done_.size(), planned_);
    return;
  }
  if (json_) return;
  std::sort(done_.begin(), done_.end(),
            [](const auto& a, const auto& b) { return a.trajectory.index < b.trajectory.index; });
  print_table();
  print_summary();
}

void Report::print_table() const {
  const bool colours = colours_on(STDOUT_FILENO);
  std::size_t name_width = 10;
  std::size_t slot_width = 4;
  for (const TrajectoryOutcome& outcome : done_) {
    name_width = std::max(name_width, utf8_length(harmless_line(outcome.trajectory.name, 40)));
    slot_width = std::max(slot_width, outcome.slot.size());
  }
  const std::size_t used = name_width + slot_width + 7 + 10 + 8;
  const std::size_t width =
      is_terminal(STDOUT_FILENO) ? std::max<std::size_t>(terminal_width(STDOUT_FILENO), used + 20) - used : kFirstLine;
  std::string text =
      coloured(padded("trajectory", name_width) + "  " + padded("slot", slot_width) + "  steps    time      output",
               Colour::bold, colours) +
      "\n";
  for (const TrajectoryOutcome& outcome : done_) {
    const auto ok = static_cast<std::size_t>(
        std::count_if(outcome.steps.begin(), outcome.steps.end(), [](const auto& step) { return step.success; }));
    const Colour colour = outcome.succeeded() ? Colour::green : Colour::red;
    text +=
        padded(harmless_line(outcome.trajectory.name, 40), name_width) + "  " + padded(outcome.slot, slot_width) + "  ";
    text += coloured(padded(std::to_string(ok) + "/" + std::to_string(outcome.planned), 7), colour, colours) + "  ";
    text += padded(seconds(outcome.time), 8) + "  " + harmless_line(last_word(outcome), width) + "\n";
  }
  print(text);
}

void Report::print_summary() const {
  std::set<std::string> slots;
  std::set<std::string> containers;
  std::size_t ok = 0;
  for (const TrajectoryOutcome& outcome : done_) {
    if (outcome.succeeded()) ++ok;
    if (outcome.slot.empty()) continue;
    slots.insert(outcome.slot);
    containers.insert(outcome.slot.substr(0, outcome.slot.find(':')));
  }
  const bool colours = colours_on(STDOUT_FILENO);
  const std::string verdict = std::to_string(ok) + " succeeded, " + std::to_string(planned_ - ok) + " failed";
  print("\n" + std::string(planned_ == 1 ? "1 trajectory" : std::to_string(planned_) + " trajectories") + ": " +
        coloured(verdict, ok == planned_ ? Colour::green : Colour::red, colours) + "; " + plural(steps_, "step") +
        " on " + plural(slots.size(), "slot") + " of " + plural(containers.size(), "container") + " in " +
        seconds(now() - begin_) + "\n");
}

int Report::exit_code() const {
  const bool platform =
      std::any_of(done_.begin(), done_.end(), [](const auto& outcome) { return outcome.platform_failed(); });
  if (platform || done_.size() != planned_) return kPlatform;
  return failed_ == 0 ? kSuccess : kStepFailed;
}

}  // namespace berth::cli

// SPDX-License-Identifier: Apache-2.0
// One trajectory's steps, inputs and outputs with every template replaced.
#include <nlohmann/json.hpp>

#include "base/json.hpp"
#include "jobs/paths.hpp"
#include "jobs/template.hpp"
#include "jobs/trajectories.hpp"

namespace berth::jobs {
namespace {

// What build_job() makes of a file of at most 1 MiB with 4 MiB of text.
constexpr JsonBounds kArgsBounds{.max_bytes = std::size_t{64} << 20, .max_depth = 64, .max_values = 1'000'000};

class Expander {
 public:
  Expander(const Job& job, const Trajectory& trajectory, const Json& item)
      : job_(job), trajectory_(trajectory), values_(job, trajectory, item) {}

  ReadyWork all() {
    ReadyWork work;
    for (const Step& step : job_.steps) work.steps.push_back(ready(step));
    for (const Input& input : job_.inputs) {
      const auto to = replaced(input.to, input.at);
      work.inputs.push_back(
          Input{replaced(input.from, input.at), path(input_target(input.to, to), input.at), input.at});
    }
    for (const Output& output : job_.outputs) {
      const auto from = replaced(output.from, output.at);
      const auto to = replaced(output.to, output.at);
      work.outputs.push_back(Output{path(output_source(output.from, from), output.at),
                                    path(output_target(output.to, to), output.at), output.required, output.at});
    }
    return work;
  }

  [[nodiscard]] Diagnostics& complaints() { return complaints_; }

 private:
  ReadyStep ready(const Step& step) {
    ReadyStep out{step.name, step.tool, args(step), {}, step.timeout, step.expect, step.continue_after_failure};
    for (const auto& [name, value] : step.env) out.env[name] = replaced(value, step.at);
    if (!out.expect) return out;
    for (auto* text : {&out.expect->output, &out.expect->contains, &out.expect->matches}) {
      if (*text) *text = replaced(**text, step.at);
    }
    return out;
  }

  std::string args(const Step& step) {
    const auto parsed = parse_json(step.args, kArgsBounds);
    if (!parsed) return complain(step.at, "args: " + parsed.error().message);
    const auto filled = values_.everywhere(*parsed);
    return filled ? dump_json(*filled) : complain(step.at, filled.error());
  }

  std::string replaced(const std::string& text, Position at) {
    auto result = values_.text(text);
    return result ? std::move(*result) : complain(at, result.error());
  }

  std::string path(OrMessage<std::string> result, Position at) {
    return result ? std::move(*result) : complain(at, result.error());
  }

  std::string complain(Position at, const std::string& message) {
    complaints_.push_back(Diagnostic{job_.file, at, message + " (trajectory " + trajectory_.name + ')'});
    return {};
  }

  const Job& job_;
  const Trajectory& trajectory_;
  Values values_;
  Diagnostics complaints_;
};

}  // namespace

tl::expected<ReadyWork, Diagnostics> expand(const Job& job, const Trajectory& trajectory) {
  const auto item = parse_json(trajectory.item, kItemBounds);
  if (!item) return tl::unexpected(Diagnostics{Diagnostic{job.file, {}, "item: " + item.error().message}});
  Expander expander(job, trajectory, *item);
  ReadyWork work = expander.all();
  if (!expander.complaints().empty()) return tl::unexpected(std::move(expander.complaints()));
  return work;
}

}  // namespace berth::jobs

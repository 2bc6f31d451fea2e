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
    work.inputs = inputs();
    for (const Output& output : job_.outputs) {
      const auto from = replaced(output.from, output.at);
      const auto to = replaced(output.to, output.at);
      work.outputs.push_back(Output{path(output_source(output.from, from), output.at),
                                    path(output_target(output.to, to), output.at), output.required, output.at});
    }
    return work;
  }

  std::vector<Input> inputs() {
    std::vector<Input> ready;
    for (const Input& input : job_.inputs) {
      const auto to = replaced(input.to, input.at);
      ready.push_back(Input{replaced(input.from, input.at), path(input_target(input.to, to), input.at), input.at});
    }
    return ready;
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
    const std::string whose = trajectory_.name.empty() ? "" : " (trajectory " + trajectory_.name + ')';
    complaints_.push_back(Diagnostic{job_.file, at, message + whose});
    return {};
  }

  const Job& job_;
  const Trajectory& trajectory_;
  Values values_;
  Diagnostics complaints_;
};

// The first name in `text` that stands for something else in each trajectory; empty: there is none.
std::string name_of_a_trajectory(const std::string& text) {
  const auto parsed = Template::parse(text);
  if (!parsed) return {};
  for (const Template::Piece& piece : parsed->pieces())
    if (piece.is_name && var_name(piece.text).empty()) return piece.text;
  return {};
}

}  // namespace

tl::expected<std::vector<Input>, Diagnostics> pool_inputs(const Job& job) {
  Diagnostics complaints;
  for (const Input& input : job.inputs) {
    for (const std::string* text : {&input.from, &input.to}) {
      const std::string name = name_of_a_trajectory(*text);
      if (name.empty()) continue;
      complaints.push_back(Diagnostic{job.file, input.at,
                                      "{{" + name +
                                          "}} is each trajectory's own, and a pool's inputs are the same for "
                                          "all: berth run brings this one"});
    }
  }
  if (!complaints.empty()) return tl::unexpected(std::move(complaints));
  const Json no_item;
  const Trajectory nobody;
  Expander expander(job, nobody, no_item);
  auto inputs = expander.inputs();
  if (!expander.complaints().empty()) return tl::unexpected(std::move(expander.complaints()));
  return inputs;
}

tl::expected<ReadyWork, Diagnostics> expand(const Job& job, const Trajectory& trajectory) {
  const auto item = parse_json(trajectory.item, kItemBounds);
  if (!item) return tl::unexpected(Diagnostics{Diagnostic{job.file, {}, "item: " + item.error().message}});
  Expander expander(job, trajectory, *item);
  ReadyWork work = expander.all();
  if (!expander.complaints().empty()) return tl::unexpected(std::move(expander.complaints()));
  return work;
}

}  // namespace berth::jobs

// SPDX-License-Identifier: Apache-2.0
#include "jobs/uses.hpp"

#include "jobs/template.hpp"

namespace berth::jobs {
namespace {

class Collector {
 public:
  Collector(const Job& job, std::vector<Use>& uses, Complaints& complaints)
      : job_(job), uses_(uses), complaints_(complaints) {}

  // Every string at or below `node`.
  void everywhere(const Node* node) {
    if (node == nullptr || node->broken) return;
    if (node->kind == NodeKind::scalar) return (void)text(*node);
    for (const NodePtr& item : node->items) everywhere(item.get());
    for (const Entry& entry : node->entries) everywhere(entry.value.get());
  }

  void use(Use::Kind kind, const Node* node) {
    if (node == nullptr || node->kind != NodeKind::scalar || node->broken || !text(*node)) return;
    uses_.push_back(Use{kind, node->place, node->text, {}});
  }

 private:
  // False when its templates were complained about.
  bool text(const Node& node) {
    const auto parsed = Template::parse(node.text);
    if (!parsed) {
      complaints_.add(node.place, parsed.error());
      return false;
    }
    bool good = true;
    for (const Template::Piece& piece : parsed->pieces()) {
      if (!piece.is_name) continue;
      auto complaint = complaint_about_name(piece.text, job_);
      good = good && complaint.empty();
      if (!complaint.empty()) {
        complaints_.add(node.place, std::move(complaint));
      } else if (const auto field = item_field(piece.text); !field.empty()) {
        uses_.push_back(Use{Use::Kind::field, node.place, std::string(field), {}});
      }
    }
    return good;
  }

  const Job& job_;
  std::vector<Use>& uses_;
  Complaints& complaints_;
};

const std::vector<NodePtr>& list_of(const Node& root, std::string_view key) {
  static const std::vector<NodePtr> none;
  const Node* node = find(&root, key);
  return node == nullptr ? none : node->items;
}

}  // namespace

std::vector<Use> collect_uses(const Node& root, const Job& job, Complaints& complaints) {
  std::vector<Use> uses;
  Collector collector(job, uses, complaints);
  for (const NodePtr& step : list_of(root, "steps")) {
    const Node* expect = find(step.get(), "expect");
    collector.everywhere(find(step.get(), "args"));
    collector.everywhere(find(step.get(), "env"));
    collector.everywhere(find(expect, "output"));
    collector.everywhere(find(expect, "contains"));
    collector.use(Use::Kind::pattern, find(expect, "matches"));
  }
  for (const NodePtr& input : list_of(root, "inputs")) {
    collector.everywhere(find(input.get(), "from"));
    collector.use(Use::Kind::input_to, find(input.get(), "to"));
  }
  for (const NodePtr& output : list_of(root, "outputs")) {
    collector.use(Use::Kind::output_from, find(output.get(), "from"));
    collector.use(Use::Kind::output_to, find(output.get(), "to"));
  }
  check_tool_args(root, uses, complaints);
  return uses;
}

}  // namespace berth::jobs

// SPDX-License-Identifier: Apache-2.0
// Builds the tree of jobs/tree.hpp from the parser's events. Internal to jobs/tree.cpp.
#pragma once

#include <map>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>
#include <yaml-cpp/anchor.h>
#include <yaml-cpp/emitterstyle.h>
#include <yaml-cpp/eventhandler.h>
#include <yaml-cpp/mark.h>

#include "jobs/tree.hpp"

namespace berth::jobs {

// Thrown through the parser to end reading: there is nothing sensible after it.
struct Refusal {
  Position at;
  std::string message;
};

[[nodiscard]] inline Position position_of(const YAML::Mark& mark) {
  return Position{static_cast<std::size_t>(mark.line) + 1, static_cast<std::size_t>(mark.column) + 1};
}

class TreeBuilder final : public YAML::EventHandler {
 public:
  // `text` is what is being parsed, without a byte order mark.
  TreeBuilder(std::string_view text, unsigned source, Complaints& complaints, const TreeBounds& bounds)
      : text_(text), source_(source), complaints_(complaints), bounds_(bounds) {}

  [[nodiscard]] NodePtr root() const { return root_; }

  void OnDocumentStart(const YAML::Mark& mark) override;
  void OnDocumentEnd() override {}
  void OnNull(const YAML::Mark& mark, YAML::anchor_t anchor) override;
  void OnAlias(const YAML::Mark& mark, YAML::anchor_t anchor) override;
  void OnScalar(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor,
                const std::string& value) override;
  void OnSequenceStart(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor,
                       YAML::EmitterStyle::value style) override;
  void OnSequenceEnd() override { close(); }
  void OnMapStart(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor,
                  YAML::EmitterStyle::value style) override;
  void OnMapEnd() override { close(); }

 private:
  // A list or map that is still being read.
  struct Open {
    std::shared_ptr<Node> node;
    YAML::anchor_t anchor = 0;
    bool flow = false;
    bool awaits_value = false;
    bool drop_value = false;  // its key was refused
    Entry entry;
    std::unordered_map<std::string, std::size_t> lines;  // key -> line where it stood first
  };

  [[nodiscard]] Place place(const YAML::Mark& mark) const {
    return source_ == 0 ? Place{0, position_of(mark)} : Place{source_, {}};
  }
  void check_tag(const YAML::Mark& mark, const std::string& tag);
  void check_quotes(const YAML::Mark& mark) const;
  void count(Position at, std::size_t nodes, std::size_t text_bytes, std::size_t depth);
  void open(NodeKind kind, const YAML::Mark& mark, YAML::anchor_t anchor, YAML::EmitterStyle::value style);
  void close();
  void attach(NodePtr node);
  void take_key(Open& parent, const Node& node);
  void refuse_compound_key(Open& parent, const Node& node);
  void take_value(Open& parent, NodePtr node);

  std::string_view text_;
  unsigned source_;
  Complaints& complaints_;
  TreeBounds bounds_;
  std::vector<Open> open_;
  std::map<YAML::anchor_t, NodePtr> anchors_;
  NodePtr root_;
  bool document_seen_ = false;
  std::size_t nodes_ = 0;
  std::size_t text_bytes_ = 0;
};

}  // namespace berth::jobs

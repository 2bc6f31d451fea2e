// SPDX-License-Identifier: Apache-2.0
#include "base/allow_list.hpp"
#include "jobs/build.hpp"
#include "jobs/scalar.hpp"

namespace berth::jobs {
namespace {

class Rules {
 public:
  Rules(const Node& root, Job& job, Complaints& complaints) : root_(root), job_(job), complaints_(complaints) {}

  void check() {
    image();
    containers();
    network();
    allowed();
    settings_of_other_drivers();
  }

 private:
  // The place of the deepest key of the path that is there.
  [[nodiscard]] Place place(std::string_view key, std::string_view inner = {}) const {
    const Node* node = find(&root_, key);
    if (node == nullptr) return root_.place;
    const Node* deeper = inner.empty() ? nullptr : find(node, inner);
    return deeper == nullptr ? node->place : deeper->place;
  }

  void image() {
    const std::string driver(to_string(job_.driver));
    const bool local = job_.driver == DriverKind::local;
    const bool has_image = find(&root_, "image") != nullptr;
    if (!local && !has_image) complaints_.add(place("driver"), "driver " + driver + " needs image");
    if (local && has_image) job_.notes.push_back("image is not used by driver local, which shows this machine's /usr");
    if (!local && !job_.rootfs.empty()) job_.notes.push_back("rootfs is not used by driver " + driver);
  }

  void containers() {
    const Containers& wanted = job_.containers;
    if (wanted.min > wanted.max) {
      complaints_.add(place("containers", "min"), "containers.min is " + std::to_string(wanted.min) +
                                                      ", more than containers.max, which is " +
                                                      std::to_string(wanted.max));
    }
    const std::uint64_t slots = std::uint64_t{wanted.max} * job_.slots;
    if (wanted.spare > slots) {
      complaints_.add(place("containers", "spare"), "containers.spare is " + std::to_string(wanted.spare) +
                                                        ", more than the " + std::to_string(slots) +
                                                        " slots there can be");
    }
  }

  void allowed() {
    const Node* network = find(find(&root_, "slot"), "network");
    const Node* allow = find(network, "allow");
    if (allow == nullptr || allow->kind != NodeKind::list) return;
    if (allow->items.empty() || allow->items.size() > kMostAllowed) {
      complaints_.add(allow->place, "slot.network.allow: 1 to " + std::to_string(kMostAllowed) +
                                        " hosts are expected; for none at all write network: none");
    }
    for (std::size_t i = 0; i < allow->items.size(); ++i) {
      const Node& item = *allow->items[i];
      const auto text = item.broken ? std::nullopt : read_text(item);
      if (!text) continue;
      if (const auto pattern = parse_allow_pattern(*text); !pattern) {
        complaints_.add(item.place, "slot.network.allow." + std::to_string(i) + ": " + in_quotes(*text) + ": " +
                                        pattern.error().message);
      }
    }
    if (job_.isolation == IsolationLevel::none) {
      complaints_.add(network->place,
                      "slot.network: allow needs slots with a network of their own, which isolation: "
                      "none does not give; use isolation: strict");
    }
  }

  // The machine's network holds its loopback services, other tenants' among them (wire.md 1.8).
  void network() {
    if (job_.driver != DriverKind::local || job_.slot.network != NetworkMode::full) return;
    if (job_.isolation != IsolationLevel::strict) return;
    complaints_.add(place("slot", "network"),
                    "slot.network: full on driver local is this machine's own network, loopback "
                    "included, which isolation: strict refuses; use network: none, or isolation: "
                    "best-effort");
  }

  void settings_of_other_drivers() {
    const std::string driver(to_string(job_.driver));
    for (const DriverKind other : {DriverKind::docker, DriverKind::nomad}) {
      const std::string name(to_string(other));
      const Node* settings = find(&root_, name);
      if (other == job_.driver || settings == nullptr || settings->entries.empty()) continue;
      job_.notes.push_back("the keys under " + name + " are not used by driver " + driver);
    }
    if (job_.resources && job_.driver == DriverKind::local) {
      job_.notes.push_back("resources are not used by driver local; limit slots with slot");
    }
  }

  const Node& root_;
  Job& job_;
  Complaints& complaints_;
};

}  // namespace

void check_rules(const Node& root, Job& job, Complaints& complaints) {
  Rules(root, job, complaints).check();
}

}  // namespace berth::jobs

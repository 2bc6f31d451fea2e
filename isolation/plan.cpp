// SPDX-License-Identifier: Apache-2.0
#include "isolation/plan.hpp"

#include <algorithm>

namespace berth::isolation {
namespace {

using enum Measure;

struct Gap {
  std::optional<Measure> lost;  // none: in force, but not for everything
  std::string why;              // a sentence
  std::string hint;             // which command or setting allows it
  bool refused = false;         // strict does not run without it
};

// A measure is impossible without the one it rests on.
constexpr struct {
  Measure measure;
  Measure needs;
} kNeeds[] = {
    {private_root, mount_namespace}, {masked_proc, mount_namespace}, {fresh_proc, mount_namespace},
    {fresh_proc, pid_namespace},     {minimal_dev, private_root},    {private_tmp, private_root},
    {disk_limit, private_root},      {shifted_ids, user_namespace},
};

// What holds without any namespace (isolation: none).
constexpr Measure kAlways[] = {new_session, clean_env, closed_descriptors, oom_score};

constexpr std::string_view kBestEffort = "set `isolation: best-effort` to run with what there is";

MeasureSet set_of(std::initializer_list<Measure> measures) {
  MeasureSet set;
  for (auto measure : measures) set.set(static_cast<std::size_t>(measure));
  return set;
}

void put(MeasureSet& set, Measure measure, bool on) {
  set.set(static_cast<std::size_t>(measure), on);
}

MeasureSet limits_of(const SlotSpec& slot) {
  MeasureSet set = set_of({memory_limit, pids_limit});
  put(set, cpu_limit, slot.cpu.has_value());
  return set;
}

MeasureSet wanted_measures(const ContainerSpec& spec, const Abilities& abilities) {
  MeasureSet wanted = limits_of(spec.slot);
  for (auto measure : kAlways) put(wanted, measure, true);
  if (spec.isolation == IsolationLevel::none) return wanted;
  wanted |=
      set_of({user_namespace, mount_namespace, pid_namespace, ipc_namespace, uts_namespace, private_root, fresh_proc,
              masked_proc, minimal_dev, private_tmp, capabilities, no_new_privs, seccomp, hidden_keeper, disk_limit});
  put(wanted, network_namespace, spec.slot.network != NetworkMode::full);
  put(wanted, shifted_ids, abilities.is_root);
  return wanted;
}

void drop_dependents(MeasureSet& set) {
  // Twice, because private_root falls with mount_namespace and takes others along.
  for (int pass = 0; pass < 2; ++pass) {
    for (const auto& row : kNeeds) {
      if (!has(set, row.needs)) put(set, row.measure, false);
    }
  }
}

Expected<MeasureSet> switched_off(const ContainerSpec& spec) {
  if (!spec.measures_off.empty() && spec.isolation == IsolationLevel::strict) {
    return fail("isolation",
                "measures_off: " + spec.measures_off.front() + " cannot be switched off under isolation: strict",
                "remove measures_off, or set `isolation: best-effort`");
  }
  MeasureSet off;
  for (const auto& name : spec.measures_off) {
    const auto measure = measure_from_string(name);
    if (!measure) return fail("isolation", "measures_off: unknown measure " + name, "docs/protections.md lists them");
    put(off, *measure, true);
  }
  return off;
}

int choose_rung(const ContainerSpec& spec, const Abilities& abilities, const MeasureSet& wanted) {
  if (spec.isolation == IsolationLevel::none) return 3;
  const bool can_nest = abilities.user_namespaces && abilities.fresh_proc;
  if (can_nest && has(wanted, user_namespace)) return 1;
  return abilities.is_root ? 2 : 3;
}

std::string sentence_or(const std::string& given, std::string_view otherwise) {
  return given.empty() ? std::string(otherwise) : given;
}

std::string why_not_rung_one(const Abilities& abilities) {
  if (!abilities.user_namespaces)
    return sentence_or(abilities.why_no_user_namespaces, "user namespaces do not work here");
  return sentence_or(abilities.why_no_fresh_proc, "a new /proc cannot be mounted here");
}

Gap no_rung(const Abilities& abilities, const IsolationPlan& plan) {
  if (!has(plan.wanted, user_namespace)) {
    return {user_namespace, "without user namespaces only CAP_SYS_ADMIN can isolate slots, and it is missing", "",
            true};
  }
  const std::string_view hint =
      abilities.user_namespaces
          ? "start the container with its system paths unmasked (Docker: MaskedPaths and ReadonlyPaths empty) or with "
            "CAP_SYS_ADMIN"
          : "allow them (`sysctl -w user.max_user_namespaces=10000`; in Docker: Berth's seccomp profile) or run as "
            "root "
            "with CAP_SYS_ADMIN";
  return {user_namespace, "slots cannot be isolated: " + why_not_rung_one(abilities), std::string(hint), true};
}

// RLIMIT_NPROC does not bind the machine's real uid 0, and without a user namespace it counts the user's other
// processes.
bool process_rlimit_binds(const IsolationPlan& plan, const Abilities& abilities) {
  return plan.rung == 1 && (has(plan.in_force, shifted_ids) || !abilities.root_user);
}

bool is_named(const ContainerSpec& spec, std::string_view limit) {
  return std::find(spec.named_limits.begin(), spec.named_limits.end(), limit) != spec.named_limits.end();
}

void add_limit_gaps(const ContainerSpec& spec, const Abilities& abilities, const IsolationPlan& plan,
                    std::vector<Gap>& gaps) {
  const auto cgroup_hint =
      "give this process a control group that it may write (run as root, or "
      "`systemd-run --user --scope -p Delegate=yes ...`, in a container: bind one whose name is `slots` at "
      "/sys/fs/cgroup/CONTROLLER), or remove the limit from the file";
  const auto why = sentence_or(abilities.why_no_cgroup, "no control group can be used here");
  const auto missing = [&](Measure measure, std::string_view key, bool possible) {
    if (!has(plan.wanted, measure) || possible) return;
    gaps.push_back({measure, "the limit slot." + std::string(key) + " cannot be enforced: " + why, cgroup_hint,
                    is_named(spec, key)});
  };
  missing(memory_limit, "memory", abilities.cgroup_memory);
  missing(pids_limit, "pids", abilities.cgroup_pids || process_rlimit_binds(plan, abilities));
  missing(cpu_limit, "cpu", abilities.cgroup_cpu);
  if (plan.rung == 3 && is_named(spec, "disk")) {
    gaps.push_back({disk_limit, "the limit slot.disk cannot be enforced without a root of the slot's own",
                    "use `isolation: strict`, or remove the limit from the file", true});
  } else if (has(plan.wanted, disk_limit) && spec.slot.storage == StorageMode::host) {
    gaps.push_back({std::nullopt,
                    "slot.disk does not bound /workspace with storage: host (it bounds system files and /tmp)",
                    "use `storage: memory`, or remove the limit from the file", is_named(spec, "disk")});
  }
}

std::vector<Gap> find_gaps(const ContainerSpec& spec, const Abilities& abilities, const IsolationPlan& plan) {
  std::vector<Gap> gaps;
  add_limit_gaps(spec, abilities, plan, gaps);
  if (spec.isolation == IsolationLevel::none) return gaps;
  if (plan.rung == 3) {
    gaps.insert(gaps.begin(), no_rung(abilities, plan));
    return gaps;
  }
  if (plan.rung == 2 && has(plan.wanted, user_namespace)) {
    gaps.push_back(
        {user_namespace, "slots share the container's user ids (rung two): " + why_not_rung_one(abilities), {}});
  }
  if (plan.rung == 2 && has(plan.wanted, network_namespace) && !abilities.loopback) {
    gaps.push_back({network_namespace, "a slot's own network needs CAP_NET_ADMIN where user namespaces do not work",
                    "give the container CAP_NET_ADMIN beside CAP_SYS_ADMIN", true});
  }
  if (has(plan.wanted, seccomp) && !abilities.seccomp) {
    gaps.push_back(
        {seccomp, "the kernel does not accept seccomp filters", "run a kernel with CONFIG_SECCOMP_FILTER", true});
  }
  if (plan.rung == 1 && has(plan.wanted, shifted_ids) && !(abilities.idmapped_mounts && abilities.many_ids)) {
    gaps.push_back(
        {shifted_ids, "slots use the container's own user ids: its file system has no id-mapped mounts", {}});
  }
  return gaps;
}

void put_in_force(IsolationPlan& plan, const std::vector<Gap>& gaps) {
  plan.in_force = plan.wanted;
  if (plan.rung == 3) {
    MeasureSet possible = set_of({memory_limit, pids_limit, cpu_limit});
    for (auto measure : kAlways) put(possible, measure, true);
    plan.in_force &= possible;
  }
  for (const auto& gap : gaps) {
    if (gap.lost) put(plan.in_force, *gap.lost, false);
  }
  drop_dependents(plan.in_force);
}

bool root_is_writable(const IsolationPlan& plan, const Abilities& abilities) {
  if (!has(plan.in_force, private_root)) return false;
  if (plan.rung == 2) return true;
  return abilities.overlay_in_user_namespace && abilities.many_ids;
}

void add_root_notes(const Abilities& abilities, IsolationPlan& plan) {
  if (!has(plan.in_force, private_root)) return;
  if (!plan.writable_root) {
    plan.notes.emplace_back(abilities.overlay_in_user_namespace
                                ? "system files cannot be changed: an ordinary user's slots have one user id"
                                : "system files cannot be changed: overlay mounts do not work in user namespaces here");
  } else if (plan.rung == 1 && !abilities.removable_lower_dirs) {
    plan.notes.emplace_back(
        "directories of the image cannot be removed inside a slot (a limit of this kernel's tmpfs)");
  }
}

tl::unexpected<Error> refuse(const Gap& gap) {
  return fail("isolation", "isolation: strict cannot be had: " + gap.why,
              (gap.hint.empty() ? "" : gap.hint + ", or ") + std::string(kBestEffort));
}

tl::unexpected<Error> refuse_allow(const std::vector<Gap>& gaps) {
  std::string why = "slot.network: allow needs slots with a network of their own";
  if (!gaps.empty()) why += ": " + gaps.front().why;
  return fail("isolation", std::move(why), gaps.empty() ? "set `isolation: strict`" : gaps.front().hint);
}

}  // namespace

Expected<IsolationPlan> make_plan(const ContainerSpec& spec, const Abilities& abilities) {
  const auto off = switched_off(spec);
  if (!off) return tl::unexpected(off.error());
  IsolationPlan plan;
  plan.wanted = wanted_measures(spec, abilities) & ~*off;
  drop_dependents(plan.wanted);
  plan.rung = choose_rung(spec, abilities, plan.wanted);
  // Ids first: whether RLIMIT_NPROC binds depends on them.
  put(plan.in_force, shifted_ids,
      plan.rung == 1 && has(plan.wanted, shifted_ids) && abilities.idmapped_mounts && abilities.many_ids);

  const auto gaps = find_gaps(spec, abilities, plan);
  for (const auto& gap : gaps) {
    if (gap.refused && spec.isolation == IsolationLevel::strict) return refuse(gap);
    plan.notes.push_back(gap.why);
  }
  for (const auto& name : spec.measures_off) plan.notes.push_back(name + " is switched off (measures_off)");
  put_in_force(plan, gaps);
  // Not even best-effort: without a network of its own a slot would go past its proxy.
  if (spec.slot.network == NetworkMode::allow && !has(plan.in_force, network_namespace)) return refuse_allow(gaps);
  plan.writable_root = root_is_writable(plan, abilities);
  add_root_notes(abilities, plan);
  return plan;
}

}  // namespace berth::isolation

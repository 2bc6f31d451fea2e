// SPDX-License-Identifier: Apache-2.0
// The job file as a value (design section 3, wire.md section 2), after reading, --set and validation.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "berth/call.hpp"
#include "berth/container_spec.hpp"
#include "berth/error.hpp"

namespace berth::jobs {

// A place in a file, both from 1; 0 where there is none (a value that came from --set).
struct Position {
  std::size_t line = 0;
  std::size_t column = 0;
};

// One complaint. to_string(): "FILE:LINE:COLUMN: message"; the numbers that are 0 are left out. Columns count bytes.
struct Diagnostic {
  std::string file;  // or "--set a.b=V"
  Position at;
  std::string message;
};
[[nodiscard]] std::string to_string(const Diagnostic& diagnostic);
using Diagnostics = std::vector<Diagnostic>;

enum class DriverKind : std::uint8_t { local, docker, nomad };
[[nodiscard]] std::string_view to_string(DriverKind kind);

struct Containers {
  unsigned min = 1;
  unsigned max = 1;
  unsigned spare = 0;
};

struct Input {       // host files put into each slot when it is acquired
  std::string from;  // as written, relative to the job file
  std::string to;    // below /workspace; template
  Position at;
};
struct Output {      // slot files brought back when the trajectory's steps are done
  std::string from;  // relative to /workspace; template
  std::string to;    // relative to the job file; template; a trailing '/' means into that folder
  bool required = false;
  Position at;
};

struct Expectation {
  std::optional<std::string> output;  // equal after trimming both
  std::optional<std::string> contains;
  std::optional<std::string> matches;  // RE2, partial match
  std::optional<int> exit_code;
};

struct Step {
  std::string name;
  std::string tool;
  std::string args = "{}";  // JSON text of an object, templates not yet replaced
  std::map<std::string, std::string> env;
  Seconds timeout{30};
  std::optional<Expectation> expect;
  bool continue_after_failure = false;
  Position at;
};

// Limits of a whole container; drivers docker and nomad.
struct Resources {
  std::optional<double> cpu;  // cores
  std::optional<std::uint64_t> memory_bytes;
  std::optional<std::uint64_t> pids;
};

struct Lease {
  std::optional<Seconds> ttl;  // none: no fixed end
  Seconds idle{600};
};

struct Job {
  std::string name;
  std::string file;       // path as given, for messages
  std::string directory;  // absolute folder of the file: what inputs, outputs and trajectories.from are relative to
  DriverKind driver = DriverKind::local;
  std::string image;
  std::string rootfs;
  Containers containers;
  unsigned slots = 10;
  std::optional<Resources> resources;
  SlotSpec slot;
  std::vector<std::string> named_limits;  // which of cpu, memory, pids, disk the file names (wire.md 2.5)
  IsolationLevel isolation = IsolationLevel::strict;
  std::map<std::string, std::string> env;
  std::vector<std::string> setup;
  std::vector<Input> inputs;
  std::vector<Output> outputs;
  Lease lease;
  std::map<std::string, std::string> vars;
  std::size_t trajectory_count = 1;  // when trajectories_from is empty
  std::string trajectories_from;     // JSONL file, as written
  std::vector<Step> steps;
  std::string docker_network;      // the engine's network where slots have one; empty: its default
  bool insecure = false;           // slotd off the machine without TLS (wire.md 1.20)
  std::vector<std::string> notes;  // things worth saying that are no errors ("image is not used by driver local")
};

struct LoadOptions {
  std::vector<std::string> sets{};     // "a.b=VALUE", VALUE read as YAML
  std::optional<DriverKind> driver{};  // --driver
};

// Reads, applies sets and checks everything that can be checked without running, trajectories and templates included.
// All complaints at once. parse_job with an empty `directory` reads nothing from disk and leaves the trajectories file
// unchecked: what an agent wants, which must not read files that a caller names.
[[nodiscard]] tl::expected<Job, Diagnostics> load_job(const std::string& path, const LoadOptions& options = {});
[[nodiscard]] tl::expected<Job, Diagnostics> parse_job(std::string_view yaml, const std::string& file_name,
                                                       const std::string& directory, const LoadOptions& options = {});

// What an agent is sent of a job file: the keys of its pool, sets and driver applied, as a YAML map on one line. Steps,
// trajectories, vars and outputs are left out: the command that runs them sees to them. So are inputs, which are not
// packed yet; see with_inputs().
[[nodiscard]] tl::expected<std::string, Diagnostics> pool_yaml(const std::string& path,
                                                               const LoadOptions& options = {});

// The same text with these inputs: what `from` and `to` say is written down so that no template is found in it.
[[nodiscard]] std::string with_inputs(const std::string& pool_yaml, const std::vector<Input>& inputs);

// One line of work: its name, number and item (JSON text; "null" without a JSONL file).
struct Trajectory {
  std::string name;
  std::size_t index = 0;
  std::string item = "null";
  std::size_t line = 0;  // of the JSONL file, from 1; 0 without one
};
// Errors carry FILE:LINE. Names are unique (a repeated one is an error).
[[nodiscard]] tl::expected<std::vector<Trajectory>, Diagnostics> load_trajectories(const Job& job);

// A step, input or output of one trajectory with every template replaced.
struct ReadyStep {
  std::string name;
  std::string tool;
  std::string args;  // JSON text
  std::map<std::string, std::string> env;
  Seconds timeout{30};
  std::optional<Expectation> expect;
  bool continue_after_failure = false;
};
struct ReadyWork {
  std::vector<ReadyStep> steps;
  std::vector<Input> inputs;
  std::vector<Output> outputs;
};
[[nodiscard]] tl::expected<ReadyWork, Diagnostics> expand(const Job& job, const Trajectory& trajectory);

// The inputs that everybody gets who leases a slot of the job's pool, with no trajectory at hand: templates replaced,
// of which vars alone mean something then. One that differs from trajectory to trajectory is complained about.
[[nodiscard]] tl::expected<std::vector<Input>, Diagnostics> pool_inputs(const Job& job);

// Why a result does not meet an expectation; nothing when it does. `exit_code` is absent for tools that have none.
[[nodiscard]] std::optional<std::string> check_expectation(const std::optional<Expectation>& expectation, bool success,
                                                           std::string_view output, std::optional<int> exit_code);

// What a driver needs of the job.
[[nodiscard]] ContainerSpec container_spec(const Job& job, std::string container_id);

// JSON schema (draft 2020-12) of the job file, for editors; made from the same table of keys that validation uses.
[[nodiscard]] std::string job_schema();

}  // namespace berth::jobs

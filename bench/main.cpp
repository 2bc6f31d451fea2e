// SPDX-License-Identifier: Apache-2.0
// berth-bench: measures what the design budgets and says what is met.
#include <sys/utsname.h>

#include <CLI/CLI.hpp>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>
#include <thread>

#include "bench/contained.hpp"
#include "bench/measure.hpp"

namespace {

using namespace berth;
using namespace berth::bench;

struct Wishes {
  Setup setup;
  std::string engine;
  std::string json_file;
  std::vector<std::string> only;
};

std::string beside_this_program(const char* name) {
  std::error_code error;
  return std::filesystem::read_symlink("/proc/self/exe", error).parent_path() / name;
}

std::string environment_of(const Wishes& wishes) {
  utsname system{};
  ::uname(&system);
  nlohmann::ordered_json facts;
  facts["kernel"] = system.release;
  facts["cores"] = std::thread::hardware_concurrency();
  facts["rounds"] = wishes.setup.rounds;
  facts["scale"] = wishes.setup.scale;
  double load = 0;
  if (::getloadavg(&load, 1) == 1) facts["load_before"] = load;
  return facts.dump();
}

using Group = std::vector<Measurement> (*)();

std::vector<Measurement> all_measurements(const Setup& setup) {
  std::vector<Group> groups{latency_measurements, load_measurements,  size_measurements,
                            life_measurements,    agent_measurements, crowd_measurements};
  if (!setup.engine.empty()) groups = {docker_measurements, contained_measurements};
  std::vector<Measurement> all;
  for (const Group group : groups) {
    for (Measurement& one : group()) all.push_back(std::move(one));
  }
  return all;
}

// The agents that are started find the engine by the environment.
void use_engine(Setup& setup, const std::string& engine) {
  constexpr std::string_view kUnix = "unix://";
  if (engine.empty()) return;
  ::setenv("DOCKER_HOST", engine.c_str(), 1);
  setup.engine = engine.substr(kUnix.size());
}

bool is_wanted(const Wishes& wishes, const Row& row) {
  return wishes.only.empty() || std::find(wishes.only.begin(), wishes.only.end(), row.name) != wishes.only.end();
}

std::vector<Row> measure(const Wishes& wishes) {
  std::vector<Row> rows;
  for (Measurement& one : all_measurements(wishes.setup)) {
    if (!is_wanted(wishes, one.row)) continue;
    if (auto done = one.run(wishes.setup, one.row); !done) one.row.error = done.error();
    std::puts(table_line(one.row).c_str());
    std::fflush(stdout);
    rows.push_back(std::move(one.row));
  }
  return rows;
}

}  // namespace

int main(int argc, char** argv) {
  Wishes wishes;
  Setup& setup = wishes.setup;
  setup.slotd_binary = beside_this_program("berth-slotd");
  setup.berth_binary = beside_this_program("berth");
  setup.container_binary = beside_this_program("berth-bench-container");
  CLI::App app("Measures Berth against its budgets: medians of paired runs. Exit code 1 when a starred row is missed.");
  app.add_option("--slotd", setup.slotd_binary, "the berth-slotd to measure")->check(CLI::ExistingFile);
  app.add_option("--berth", setup.berth_binary, "the berth whose agent is measured")->check(CLI::ExistingFile);
  auto* engine = app.add_option("--engine", wishes.engine, "unix://PATH: measures in containers of this Docker engine")
                     ->check([](const std::string& text) {
                       return std::string(text.starts_with("unix://") ? "" : "must be unix://PATH");
                     });
  app.add_option("--image", setup.image, "an image with a shell that the engine has")->needs(engine);
  app.add_option("--json", wishes.json_file, "also write the figures to this file");
  app.add_option("--rounds", setup.rounds, "paired runs of each ratio")->check(CLI::Range(1, 100));
  app.add_option("--only", wishes.only, "names of the rows to measure");
  app.add_flag_callback(
      "--quick",
      [&] {
        setup.rounds = 1;
        setup.scale = 10;
      },
      "a rough look in seconds");
  CLI11_PARSE(app, argc, argv);
  if (!wishes.engine.empty() && setup.image.empty()) {
    std::fputs("--engine needs --image\n", stderr);
    return 2;
  }
  use_engine(setup, wishes.engine);

  const std::string environment = environment_of(wishes);
  std::printf("%s\n", environment.c_str());
  const std::vector<Row> rows = measure(wishes);
  if (!wishes.json_file.empty()) std::ofstream(wishes.json_file) << to_json(rows, environment);
  const bool missed = std::any_of(rows.begin(), rows.end(),
                                  [](const Row& row) { return row.hard && (row.error || !row.met().value_or(true)); });
  return missed ? 1 : 0;
}

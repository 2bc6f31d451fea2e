// SPDX-License-Identifier: Apache-2.0
// The agent's configuration: precedence, origins, complaints with their places, and what is printed.
#include "agent/config/config.hpp"

#include <algorithm>
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "base/fd.hpp"
#include "base/json.hpp"
#include "tests/support/temp_dir.hpp"

namespace berth::agent {
namespace {

class Configuration : public ::testing::Test {
 protected:
  std::string file(const std::string& text) {
    const std::string path = folder_.path() + "/agent.yaml";
    EXPECT_TRUE(write_file_atomically(path, text));
    return path;
  }
  ConfigSources sources(const std::string& text = {}) {
    ConfigSources from;
    if (!text.empty()) from.file = file(text);
    from.current_folder = "/somewhere";
    from.environment = [this](const char* name) -> const char* {
      const auto found = environment_.find(name);
      return found == environment_.end() ? nullptr : found->second.c_str();
    };
    return from;
  }
  static Setting at(const Config& config, const std::string& key) {
    const auto found = std::find_if(config.settings.begin(), config.settings.end(),
                                    [&](const Setting& each) { return each.key == key; });
    return found == config.settings.end() ? Setting{} : *found;
  }
  static std::string complaint(const ConfigSources& from) {
    const auto config = load_config(from);
    std::string all;
    if (!config)
      for (const jobs::Diagnostic& each : config.error()) all += jobs::to_string(each) + "\n";
    return all;
  }

  testing::TempDir folder_;
  std::map<std::string, std::string> environment_;
};

TEST_F(Configuration, HasADefaultForEveryKey) {
  const auto config = load_config(sources());
  ASSERT_TRUE(config);
  EXPECT_EQ(config->listen, "127.0.0.1:8780");
  EXPECT_EQ(config->max_batch, 200U);
  EXPECT_EQ(config->max_timeout.count(), 3600);
  EXPECT_EQ(config->drain.count(), 30'000);
  EXPECT_EQ(config->log_level, LogLevel::info);
  EXPECT_TRUE(config->tokens.empty());
  for (const Setting& each : config->settings) EXPECT_EQ(each.origin, "default") << each.key;
}

TEST_F(Configuration, OfCommentsAloneIsWhole) {
  EXPECT_EQ(complaint(sources("# nothing yet\n\n  # really\n")), "");
}

TEST_F(Configuration, PutsTheFlagBeforeTheEnvironmentBeforeTheFile) {
  const std::string text = "slotd: from-file\nlog: {level: error}\nlisten: 127.0.0.1:1\n";
  auto from = sources(text);
  auto config = load_config(from);
  ASSERT_TRUE(config);
  EXPECT_EQ(config->slotd, folder_.path() + "/from-file");
  EXPECT_EQ(at(*config, "slotd").origin, from.file + ":1:8");
  EXPECT_EQ(at(*config, "log.level").origin, from.file + ":2:14");

  environment_["BERTH_SLOTD"] = "/from/environment";
  config = load_config(from);
  ASSERT_TRUE(config);
  EXPECT_EQ(config->slotd, "/from/environment");
  EXPECT_EQ(at(*config, "slotd").origin, "BERTH_SLOTD");

  from.flags = {{"--slotd", "from-flag"}, {"--log-level", "debug"}};
  config = load_config(from);
  ASSERT_TRUE(config);
  EXPECT_EQ(config->slotd, "/somewhere/from-flag");
  EXPECT_EQ(at(*config, "slotd").origin, "--slotd");
  EXPECT_EQ(config->log_level, LogLevel::debug);
  EXPECT_EQ(config->listen, "127.0.0.1:1");
}

TEST_F(Configuration, TakesAnEmptyVariableForNone) {
  environment_["NOMAD_ADDR"] = "";
  const auto config = load_config(sources());
  ASSERT_TRUE(config);
  EXPECT_EQ(at(*config, "drivers.nomad.address").origin, "default");
}

TEST_F(Configuration, NamesAnUnknownKeyWithItsPlaceAndTheNearestOne) {
  const auto from = sources("listen: 127.0.0.1:1\nlog: {levle: info}\ntokenz: x\n");
  const std::string all = complaint(from);
  EXPECT_NE(all.find(from.file + ":2:7: unknown key \"levle\" in log; did you mean level?"), std::string::npos) << all;
  EXPECT_NE(all.find(from.file + ":3:1: unknown key \"tokenz\"; did you mean tokens?"), std::string::npos) << all;
}

TEST_F(Configuration, RefusesValuesOfTheWrongKindByTheirPlace) {
  const auto from = sources("drain: 30\nrelay: {max_batch: 0}\ntool_server: {url: \"http://me:secret@host\"}\n");
  const std::string all = complaint(from);
  EXPECT_NE(all.find(":1:8: drain: expected a duration"), std::string::npos) << all;
  EXPECT_NE(all.find(":2:20: relay.max_batch: expected a whole number from 1 to 1000"), std::string::npos) << all;
  EXPECT_NE(all.find(":3:20: tool_server.url"), std::string::npos) << all;
}

TEST_F(Configuration, RefusesABadFlagByItsName) {
  auto from = sources("log: {level: info}\n");
  from.flags = {{"--log-level", "loud"}};
  EXPECT_NE(complaint(from).find("--log-level: log.level: expected debug, info, warning or error"), std::string::npos);
}

TEST_F(Configuration, DoesNotBreakWhenAFlagMeetsAMapThatIsNone) {
  auto from = sources("log: 5\n");
  from.flags = {{"--log-level", "info"}};
  EXPECT_NE(complaint(from).find("--log-level"), std::string::npos);
}

TEST_F(Configuration, SaysWhichFileCannotBeRead) {
  auto from = sources();
  from.file = "/nowhere/agent.yaml";
  EXPECT_NE(complaint(from).find("/nowhere/agent.yaml"), std::string::npos);
}

TEST_F(Configuration, KeepsStateWhereTheUserMayWrite) {
  auto from = sources();
  environment_["HOME"] = "/home/user";
  EXPECT_EQ(load_config(from)->state_dir, "/home/user/.local/state/berth");
  environment_["XDG_STATE_HOME"] = "/state";
  EXPECT_EQ(load_config(from)->state_dir, "/state/berth");
  from.root = true;
  EXPECT_EQ(load_config(from)->state_dir, "/var/lib/berth");
}

TEST_F(Configuration, IsPrintedAsAFileThatMeansTheSame) {
  auto from = sources(
      "listen: unix:run/sock\njobs: jobs\nrelay: {max_batch: 7}\n"
      "drivers: {nomad: {datacenters: [dc1, \"2\"]}}\ndrain: 5s\n");
  const auto config = load_config(from);
  ASSERT_TRUE(config);
  EXPECT_EQ(config->listen, "unix:" + folder_.path() + "/run/sock");
  const std::string printed = print_config(*config);
  EXPECT_NE(printed.find("# " + from.file + ":3:20"), std::string::npos) << printed;
  const auto again = load_config(sources(printed));
  ASSERT_TRUE(again) << complaint(sources(printed));
  EXPECT_EQ(changed_keys(*config, *again), std::vector<std::string>{}) << printed;
}

TEST_F(Configuration, IsPrintedAsJsonWithOrigins) {
  const auto config = load_config(sources("drain: 5s\n"));
  ASSERT_TRUE(config);
  const auto all = parse_json(print_config_json(*config));
  ASSERT_TRUE(all);
  EXPECT_EQ(all->at("drain").at("value"), "5s");
  EXPECT_TRUE(all->at("tokens").at("value").is_null());
  EXPECT_EQ(all->at("tokens").at("origin"), "default");
}

TEST_F(Configuration, OfTheExamplesIsGood) {
  auto from = sources();
  from.file = BERTH_SOURCE_DIR "/examples/agent.yaml";
  const auto config = load_config(from);
  ASSERT_TRUE(config) << complaint(from);
  EXPECT_EQ(config->jobs, BERTH_SOURCE_DIR "/examples/agent-jobs");
  EXPECT_EQ(config->default_job, "pool");
}

TEST_F(Configuration, TellsWhichKeysChanged) {
  const auto before = load_config(sources("drain: 5s\nlog: {level: info}\n"));
  const auto after = load_config(sources("drain: 6s\nlog: {level: debug}\n"));
  ASSERT_TRUE(before && after);
  EXPECT_EQ(changed_keys(*before, *after), (std::vector<std::string>{"drain", "log.level"}));
}

}  // namespace
}  // namespace berth::agent

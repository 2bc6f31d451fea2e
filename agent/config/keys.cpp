// SPDX-License-Identifier: Apache-2.0
#include "agent/config/keys.hpp"

#include <array>

#include "jobs/limits.hpp"

namespace berth::agent {
namespace {

using jobs::KeyRule;
using jobs::ObjectRule;
using jobs::Shape;

constexpr double kMaxBatch = 1000;  // elements that a slot server takes (wire.md 1.11)
constexpr double kMaxWindow = 1.0;
constexpr double kMaxDrain = 3600;

// Text that may be left out: `none` stands for that.
KeyRule optional_text(std::string_view key, std::string_view about) {
  return {.key = key, .about = about, .none = true, .default_json = "\"none\""};
}

const ObjectRule& tls_rule() {
  static const ObjectRule rule{{
      optional_text("cert", "File with the certificate chain, PEM."),
      optional_text("key", "File with its private key, PEM."),
  }};
  return rule;
}

const ObjectRule& docker_rule() {
  static const ObjectRule rule{{optional_text("host", "The engine: unix:///var/run/docker.sock or tcp://HOST:PORT.")}};
  return rule;
}

const ObjectRule& nomad_rule() {
  static const ObjectRule rule{{
      optional_text("address", "The Nomad API: http://HOST:4646."),
      optional_text("token_file", "File with the ACL token."),
      optional_text("namespace", "Where jobs are registered."),
      optional_text("region", "The region, if not the server's own."),
      {.key = "datacenters", .shape = Shape::text_list, .about = "Where jobs may run.", .default_json = "[]"},
  }};
  return rule;
}

const ObjectRule& drivers_rule() {
  static const ObjectRule rule{{
      {.key = "docker", .shape = Shape::object, .about = "The Docker Engine.", .object = &docker_rule()},
      {.key = "nomad", .shape = Shape::object, .about = "The Nomad API.", .object = &nomad_rule()},
  }};
  return rule;
}

const ObjectRule& relay_rule() {
  static const ObjectRule rule{{
      {.key = "batch_window",
       .shape = Shape::duration,
       .about = "How long a call waits for others to travel with; 0ms sends at once.",
       .range = {0, kMaxWindow},
       .default_json = "\"0ms\""},
      {.key = "max_batch",
       .shape = Shape::integer,
       .about = "Calls that travel together at most.",
       .range = {1, kMaxBatch},
       .default_json = "200"},
  }};
  return rule;
}

const ObjectRule& tool_server_rule() {
  static const ObjectRule rule{{
      {.key = "url",
       .about = "Where tools that no slot has are executed.",
       .none = true,
       .pattern = "https?://[^@\\s]+",
       .pattern_in_words = "an address such as http://HOST:PORT, without a user name or password",
       .default_json = "\"none\""},
      optional_text("token_file", "File with the token that it expects."),
  }};
  return rule;
}

const ObjectRule& log_rule() {
  static const ObjectRule rule{{
      {.key = "level",
       .shape = Shape::word,
       .about = "What is logged at least.",
       .words = {"debug", "info", "warning", "error"},
       .default_json = "\"info\""},
      {.key = "format",
       .shape = Shape::word,
       .about = "text for people, json for programs.",
       .words = {"text", "json"},
       .default_json = "\"text\""},
  }};
  return rule;
}

constexpr std::array kSources{
    KeySource{"listen", "--listen", "", false},
    KeySource{"state_dir", "--state-dir", "", true},
    KeySource{"tokens", "--tokens", "", true},
    KeySource{"tls.cert", "", "", true},
    KeySource{"tls.key", "", "", true},
    KeySource{"slotd", "--slotd", "BERTH_SLOTD", true},
    KeySource{"jobs", "--jobs", "", true},
    KeySource{"default_job", "--default-job", "", false},
    KeySource{"drivers.docker.host", "", "DOCKER_HOST", false},
    KeySource{"drivers.nomad.address", "", "NOMAD_ADDR", false},
    KeySource{"drivers.nomad.token_file", "", "", true},
    KeySource{"drivers.nomad.namespace", "", "NOMAD_NAMESPACE", false},
    KeySource{"drivers.nomad.region", "", "NOMAD_REGION", false},
    KeySource{"tool_server.token_file", "", "", true},
    KeySource{"log.level", "--log-level", "", false},
    KeySource{"log.format", "--log-format", "", false},
};

}  // namespace

const ObjectRule& config_rule() {
  static const ObjectRule rule{{
      {.key = "listen", .about = "HOST:PORT or unix:PATH.", .default_json = "\"127.0.0.1:8780\""},
      optional_text("state_dir", "Private folder of this agent."),
      optional_text("tokens", "File of who may do what: NAME TOKEN [admin|use|read] a line."),
      {.key = "tls", .shape = Shape::object, .about = "Serve over TLS.", .object = &tls_rule()},
      optional_text("slotd", "The berth-slotd program to use; searched where none is named."),
      optional_text("jobs", "Folder of job files that are kept applied."),
      optional_text("default_job", "The job that the tool-executor routes use."),
      {.key = "drivers", .shape = Shape::object, .about = "Where containers run.", .object = &drivers_rule()},
      {.key = "relay", .shape = Shape::object, .about = "How calls travel.", .object = &relay_rule()},
      {.key = "max_timeout",
       .shape = Shape::duration,
       .about = "The longest time limit that a call may ask for.",
       .range = {1, jobs::kTimeoutRange.max},
       .default_json = "\"1h\""},
      {.key = "drain",
       .shape = Shape::duration,
       .about = "How long running calls may go on after SIGTERM.",
       .range = {0, kMaxDrain},
       .default_json = "\"30s\""},
      {.key = "tool_server",
       .shape = Shape::object,
       .about = "A service for tools that need no slot.",
       .object = &tool_server_rule()},
      {.key = "log", .shape = Shape::object, .about = "What is written to stderr.", .object = &log_rule()},
  }};
  return rule;
}

std::span<const KeySource> key_sources() {
  return kSources;
}

}  // namespace berth::agent

// SPDX-License-Identifier: Apache-2.0
#include "slotd/options.hpp"

#include <CLI/CLI.hpp>
#include <cstdlib>
#include <optional>

#include "base/fd.hpp"
#include "base/text.hpp"

namespace berth::slotd {
namespace {

// Flags as given: what is absent leaves the configuration file's word, or the default.
struct Flags {
  std::optional<unsigned> slots;
  std::optional<std::string> isolation;
  std::string config;
  std::string data_dir = "/data";
  std::string token_file;
};

// $NOMAD_ALLOC_DIR/data beats the flag, as the predecessors have it (facts/slot-protocol.md 2.11).
std::string effective_data_dir(const std::string& flag) {
  const char* alloc = std::getenv("NOMAD_ALLOC_DIR");
  return alloc != nullptr && *alloc != '\0' ? std::string(alloc) + "/data" : flag;
}

Expected<std::string> read_token(const std::string& file) {
  auto text = berth::read_file(file, 4096);
  if (!text) return tl::unexpected<Error>(text.error().within("--token-file"));
  const auto token = std::string(trim(*text));
  constexpr std::string_view kDigest = "sha256:";
  if (token.substr(0, kDigest.size()) != kDigest) {
    if (token.empty())
      return fail("usage", "--token-file " + file + " is empty", "write a token, or sha256:HEX of one, into it");
    return sha256_hex(token);
  }
  const auto hex = token.substr(kDigest.size());
  if (hex.size() != 64 || hex.find_first_not_of("0123456789abcdef") != std::string::npos) {
    return fail("usage", "--token-file: sha256: is followed by 64 lower-case hex digits");
  }
  return hex;
}

Expected<void> apply(const Flags& flags, Options& options) {
  // Its name keeps its control groups apart from those of every other server on the machine.
  options.spec.id = "slotd-" + random_hex(6);
  if (!flags.config.empty()) {
    auto text = berth::read_file(flags.config);
    if (!text) return tl::unexpected<Error>(text.error().within("--config"));
    auto spec = container_spec_from_json(*text);
    if (!spec) return tl::unexpected<Error>(spec.error().within("--config " + flags.config));
    options.spec = std::move(*spec);
  }
  if (flags.slots) options.spec.slots = *flags.slots;
  if (flags.isolation) {
    const auto level = isolation_level_from_string(*flags.isolation);
    if (!level) return fail("usage", "--isolation is strict, best-effort or none, not " + *flags.isolation);
    options.spec.isolation = *level;
  }
  if (!flags.token_file.empty()) {
    auto token = read_token(flags.token_file);
    if (!token) return tl::unexpected<Error>(token.error());
    options.token_sha256 = std::move(*token);
  }
  options.data_dir = effective_data_dir(flags.data_dir);
  return {};
}

// A slot with the container's network reaches slotd's own port: there only a token protects it.
Expected<void> check(const Options& options) {
  const bool tcp = options.listen.substr(0, 5) != "unix:";
  if (tcp && options.spec.slot.network == NetworkMode::full && options.token_sha256.empty()) {
    return fail("usage", "network full needs --token-file, or a unix socket: slots could call this server",
                "add --token-file FILE, or --listen unix:PATH");
  }
  return {};
}

}  // namespace

Expected<Options> parse_options(int argc, char** argv) {
  Options options;
  Flags flags;
  CLI::App app("Runs tool calls in isolated slots of this container.", "berth-slotd");
  app.add_option("--host,--listen", options.listen, "address to listen on, or unix:PATH")->capture_default_str();
  app.add_option("--port", options.port, "TCP port; 0 takes any free one")->capture_default_str();
  app.add_option("--slots", flags.slots, "how many slots (10)")->check(CLI::Range(1, 1000));
  app.add_option("--data-dir", flags.data_dir,
                 "private directory for workspaces and layers; NOMAD_ALLOC_DIR/data beats it")
      ->capture_default_str();
  app.add_option("--token-file", flags.token_file, "a token, or sha256:HEX of it; without one the server is open");
  app.add_option("--isolation", flags.isolation, "strict (default), best-effort or none");
  app.add_option("--config", flags.config, "container specification as JSON; flags win over it");
  app.add_option("--ready-fd", options.ready_fd,
                 "descriptor that gets one JSON line when the server listens, or cannot");
  app.add_option("--lifeline-fd", options.lifeline_fd, "the server ends when this descriptor reaches end of file");
  app.add_flag("--version", options.version, "print the version");
  try {
    app.parse(argc, argv);
  } catch (const CLI::CallForHelp&) {
    options.help = app.help();
    return options;
  } catch (const CLI::ParseError& error) {
    return fail("usage", error.what(), "see berth-slotd --help");
  }
  if (options.version) return options;
  if (auto done = apply(flags, options); !done) return tl::unexpected<Error>(done.error());
  if (auto done = check(options); !done) return tl::unexpected<Error>(done.error());
  return options;
}

}  // namespace berth::slotd

// SPDX-License-Identifier: Apache-2.0
#include "slotd/options.hpp"

#include <CLI/CLI.hpp>
#include <cstdlib>
#include <optional>

#include "base/fd.hpp"
#include "base/text.hpp"

namespace berth::slotd {
namespace {

constexpr int kLongestLonelyLimit = 365 * 24 * 3600;
constexpr int kLongestIdleLimit = 24 * 3600;

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
      return fail("config", "--token-file " + file + " is empty", "write a token, or sha256:HEX of one, into it");
    return sha256_hex(token);
  }
  const auto hex = token.substr(kDigest.size());
  if (hex.size() != 64 || hex.find_first_not_of("0123456789abcdef") != std::string::npos) {
    return fail("config", "--token-file: sha256: is followed by 64 lower-case hex digits");
  }
  return hex;
}

Expected<void> apply_files(Options& options) {
  // Its name keeps its control groups apart from those of every other server on the machine.
  options.spec.id = "slotd-" + random_hex(6);
  if (!options.config_file.empty()) {
    auto text = berth::read_file(options.config_file);
    if (!text) return tl::unexpected<Error>(text.error().within("--config"));
    auto spec = container_spec_from_json(*text);
    if (!spec) return tl::unexpected<Error>(spec.error().within("--config " + options.config_file));
    options.spec = std::move(*spec);
  }
  if (options.token_file.empty()) return {};
  auto token = read_token(options.token_file);
  if (!token) return tl::unexpected<Error>(token.error());
  options.token_sha256 = std::move(*token);
  return {};
}

Expected<void> apply_flags(Options& options) {
  if (options.slots) options.spec.slots = *options.slots;
  if (options.isolation) {
    const auto level = isolation_level_from_string(*options.isolation);
    if (!level) return fail("config", "--isolation is strict, best-effort or none, not " + *options.isolation);
    options.spec.isolation = *level;
  }
  options.data_dir = effective_data_dir(options.data_dir);
  return {};
}

// A slot with the container's network reaches slotd's own port: there only a token protects it.
Expected<void> check(const Options& options) {
  const bool tcp = options.listen.substr(0, 5) != "unix:";
  if (tcp && options.spec.slot.network == NetworkMode::full && options.token_sha256.empty()) {
    return fail("config", "network full needs --token-file, or a unix socket: slots could call this server",
                "add --token-file FILE, or --listen unix:PATH");
  }
  return {};
}

}  // namespace

Expected<Options> parse_options(int argc, char** argv) {
  Options options;
  int lonely_limit = 0;
  auto proxy_idle_limit = static_cast<int>(options.proxy_idle_limit.count());
  CLI::App app("Runs tool calls in isolated slots of this container.", "berth-slotd");
  app.add_option("--host,--listen", options.listen, "address to listen on, or unix:PATH")->capture_default_str();
  app.add_option("--port", options.port, "TCP port; 0 takes any free one")->capture_default_str();
  app.add_option("--slots", options.slots, "how many slots (10)")->check(CLI::Range(1, 1000));
  app.add_option("--data-dir", options.data_dir,
                 "private directory for workspaces and layers; NOMAD_ALLOC_DIR/data beats it")
      ->capture_default_str();
  app.add_option("--token-file", options.token_file, "a token, or sha256:HEX of it; without one the server is open");
  app.add_option("--isolation", options.isolation, "strict (default), best-effort or none");
  app.add_option("--config", options.config_file, "container specification as JSON; flags win over it");
  app.add_option("--ready-fd", options.ready_fd,
                 "descriptor that gets one JSON line when the server listens, or cannot");
  app.add_option("--ready-file", options.ready_file,
                 "file that gets the same line, written whole and then given this name");
  app.add_option("--lonely-limit", lonely_limit, "the server ends after so many seconds without a request; 0: never")
      ->check(CLI::Range(0, kLongestLonelyLimit));
  app.add_option("--lifeline-fd", options.lifeline_fd, "the server ends when this descriptor reaches end of file");
  app.add_option("--proxy-name-servers", options.proxy_name_servers,
                 "network allow: ADDRESS[:PORT],... to look names up, instead of those of /etc/resolv.conf");
  app.add_option("--proxy-idle-limit", proxy_idle_limit,
                 "network allow: a connection that carries nothing for so many seconds is cut")
      ->check(CLI::Range(1, kLongestIdleLimit))
      ->capture_default_str();
  app.add_option("--proxy-unsafe-allow", options.proxy_unsafe_ranges,
                 "network allow, UNSAFE: lets slots reach this range of addresses (CIDR) though it is not public");
  app.add_flag("--version", options.version, "print the version");
  try {
    app.parse(argc, argv);
  } catch (const CLI::CallForHelp&) {
    options.help = app.help();
  } catch (const CLI::ParseError& error) {
    return fail("usage", error.what(), "see berth-slotd --help");
  }
  options.lonely_limit = std::chrono::seconds(lonely_limit);
  options.proxy_idle_limit = std::chrono::seconds(proxy_idle_limit);
  return options;
}

Expected<void> complete_options(Options& options) {
  if (auto done = apply_files(options); !done) return done;
  if (auto done = apply_flags(options); !done) return done;
  return check(options);
}

}  // namespace berth::slotd

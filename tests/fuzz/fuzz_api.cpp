// SPDX-License-Identifier: Apache-2.0
// What comes to the agent's doors: a call, a tokens file, a path. Whatever is accepted is in its bounds, and comes out
// as it went in.
#include <nlohmann/json.hpp>

#include "agent/api/call_set.hpp"
#include "agent/api/routes.hpp"
#include "agent/api/tokens.hpp"
#include "base/call_wire.hpp"
#include "base/text.hpp"
#include "tests/fuzz/oracle.hpp"

using berth::fuzz::promise;
using namespace berth::agent;

namespace {

void calls(std::string_view text) {
  for (const bool batched : {false, true}) {
    const auto wanted = parse_wanted_call(text, batched);
    if (!wanted) {
      promise(!wanted.error().code.empty() && !wanted.error().message.empty(), "a refusal says why");
      continue;
    }
    const LeaseCall& call = wanted->call;
    promise(call.timeout.count() > 0 && call.timeout.count() <= kMaxTimeoutSeconds, "an accepted limit is in range");
    promise(!wanted->id_given || berth::is_execution_id(call.execution_id), "an accepted id is one");
    const auto args = berth::parse_json(call.args);
    promise(args.has_value() && args->is_object(), "accepted arguments are an object");
    for (const auto& [name, value] : call.env)
      promise(!name.empty() && name.find('=') == std::string::npos && value.find('\0') == std::string::npos,
              "accepted variables can be set");
    berth::Call sent;
    sent.tool = call.tool;
    sent.args = call.args;
    sent.env = call.env;
    promise(berth::parse_json(berth::encode_call(sent), {std::size_t{16} << 20, 70, 1'000'000}).has_value(),
            "what is sent on is JSON");
  }
}

void tokens(std::string_view text) {
  const auto parsed = Tokens::parse(text, "file");
  if (!parsed) return promise(parsed.error().code == "bad_tokens", "a bad file says so");
  promise(!parsed->all().empty(), "an accepted file has a token");
  for (const Token& token : parsed->all()) promise(token.sha256.size() == 64, "only digests are kept");
}

void paths(std::string_view text) {
  const auto params = match_path("/v1/leases/{lease}/files/{path...}", text);
  if (!params) return;
  promise(params->size() == 2 && !(*params)[0].empty(), "a match has its parameters");
  promise((*params)[1].find('\0') == std::string::npos, "no NUL comes through");
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  calls(text);
  tokens(text);
  paths(text);
  return 0;
}

// SPDX-License-Identifier: Apache-2.0
// A job's inputs as an agent keeps them: packed tars, sent once each, named by their digests (wire.md 2.3).
#pragma once

#include <boost/asio/awaitable.hpp>
#include <string>
#include <vector>

#include "cli/remote/pool_text.hpp"
#include "cli/remote/remote.hpp"
#include "cli/transfer.hpp"

namespace berth::cli {

struct SentInput {
  std::string name;    // "sha256:HEX"
  std::string tar;     // file of this machine, in a private folder
  std::string folder;  // "/workspace...": where it is unpacked
};

// `packed` has all of them.
[[nodiscard]] std::vector<SentInput> sent_inputs(const std::vector<jobs::Input>& inputs, const PackedInputs& packed);

// The pool as the agent is to have it.
[[nodiscard]] std::string text_with(const PoolText& pool, const std::vector<SentInput>& inputs);

// Sends those that the agent does not have.
[[nodiscard]] boost::asio::awaitable<Expected<void>> upload_missing(Remote& remote,
                                                                    const std::vector<SentInput>& inputs);

// PUT /v1/jobs/NAME; the plan that is answered.
[[nodiscard]] boost::asio::awaitable<Expected<std::string>> put_job(Remote& remote, std::string name, std::string yaml,
                                                                    bool plan_only);

}  // namespace berth::cli

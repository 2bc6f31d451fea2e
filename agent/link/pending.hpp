// SPDX-License-Identifier: Apache-2.0
// A call between its acceptance and its answer. Private to agent/link.
#pragma once

#include <map>
#include <optional>
#include <string>

#include "agent/link/link.hpp"
#include "base/http/promise.hpp"

namespace berth::agent {

struct ContainerLink::Pending {
  Pending(boost::asio::io_context& context, Call wanted, std::string text, OutputSink output)
      : call(std::move(wanted)), body(std::move(text)), sink(std::move(output)), answer(context) {}

  Call call;
  std::string body;  // the batch element
  OutputSink sink;
  std::function<void()> on_start;  // told once
  http::Promise<Result> answer;
  TimePoint answer_by{};  // own time limit and those of the calls before it in its slot
  bool answered = false;  // by whoever; a later line for it is dropped
  bool in_batch = false;
  bool sending = false;  // its batch is being written
  bool sent = false;     // bytes of it may have reached the server in an earlier or this try
  std::optional<TimePoint> first_break;
  std::map<std::string, std::uint64_t> next_offset;  // stream -> first byte not yet given to the sink
};

// How a batch ended.
struct ContainerLink::Outcome {
  enum class Kind {
    complete,  // the end line came; results that are missing are the server's lie
    cut,       // the connection broke: ask again
    refused,   // the server said no to the whole batch; nothing ran
    lost,      // another boot answered
    nonsense,  // not the protocol
  };
  Kind kind = Kind::complete;
  Error error;
};

}  // namespace berth::agent

// SPDX-License-Identifier: Apache-2.0
// A link and a fake server on one loop.
#pragma once

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <memory>
#include <nlohmann/json.hpp>
#include <string>

#include "agent/link/link.hpp"
#include "base/json.hpp"
#include "base/text.hpp"
#include "tests/support/fake_slotd.hpp"
#include "tests/support/loop.hpp"
#include "tests/support/temp_dir.hpp"

namespace berth::agent {

using testing::FakeOptions;
using testing::FakeSlotd;
using testing::Lie;
using Answer = std::shared_ptr<std::optional<Expected<Result>>>;

inline std::string cause_of(const Result& result) {
  const auto metadata = parse_json(result.metadata);
  return metadata && metadata->contains("cause") ? metadata->at("cause").get<std::string>() : "none";
}

inline std::string started_of(const Result& result) {
  const auto metadata = parse_json(result.metadata);
  return metadata && metadata->contains("started") ? metadata->at("started").dump() : "none";
}

class LinkFixture : public ::testing::Test {
 protected:
  void connect(FakeOptions fake = {}, LinkLimits limits = {}, unsigned link_slots = 0) {
    server = std::make_unique<FakeSlotd>(loop.context, fake);
    const std::string address = server->listen("unix:" + directory / "sock");
    LinkOptions options;
    options.address = *http::parse_address(address);
    options.boot_id = fake.boot_id;
    options.slots = link_slots > 0 ? link_slots : fake.slots;
    options.limits = limits;
    link = std::make_shared<ContainerLink>(loop.context, options);
  }

  static Call make_call(const std::string& slot, const std::string& id, const std::string& command,
                        double timeout = 10) {
    Call call;
    call.slot = slot;
    call.execution_id = id;
    call.tool = "bash";
    call.generation = 1;
    call.timeout = Seconds(timeout);
    std::string quoted;
    append_json_string(quoted, command);
    call.args = "{\"command\":" + quoted + "}";
    return call;
  }

  Answer start(const std::string& slot, const std::string& id, const std::string& command, double timeout = 10) {
    return loop.start(link->call(make_call(slot, id, command, timeout)));
  }

  Result run(const std::string& slot, const std::string& id, const std::string& command, double timeout = 10) {
    return wait(start(slot, id, command, timeout));
  }

  Result wait(const Answer& answer) {
    loop.until([&answer] { return answer->has_value(); });
    EXPECT_TRUE((*answer)->has_value());
    return ***answer;
  }

  testing::TempDir directory;
  testing::Loop loop;
  std::unique_ptr<FakeSlotd> server;
  std::shared_ptr<ContainerLink> link;
};

}  // namespace berth::agent

// SPDX-License-Identifier: Apache-2.0
// Reset, health, status and the three artifact requests (slot-protocol 4.3).
#include "tests/unit/client/fixture.hpp"

namespace berth {
namespace {

RawServer::Script always(RawReply reply) {
  return [reply](const RawRequest&, std::size_t) { return reply; };
}

TEST(ClientReset, TellsTheServersAnswer) {
  RawServer server(always(answer(200, R"({"success": true, "output": "Reset workspace for slot_1", "error": "",
                                         "execution_id": null, "metadata": {}})")));
  Client client(quick());
  const Result result = client.reset_slot(SlotPlace{server.address(), "slot_1", 5});
  EXPECT_TRUE(result.success);
  EXPECT_EQ(result.output, "Reset workspace for slot_1");
  EXPECT_TRUE(result.execution_id.empty());
  EXPECT_EQ(server.requests().at(0).target, "/reset");
  EXPECT_EQ(server.requests().at(0).body, R"({"generation":5,"slot_id":"slot_1"})");
}

TEST(ClientReset, AFailureOfItIsAValue) {
  RawServer server(always(answer(200, R"({"success": false, "output": "", "error": "Unknown slot: x"})")));
  RawServer stale(always(answer(409, R"({"success": false, "error": "stale", "code": "stale_generation"})")));
  Client client(quick());
  EXPECT_EQ(client.reset_slot(SlotPlace{server.address(), "x", {}}).error, "Unknown slot: x");
  EXPECT_THAT(client.reset_slot(SlotPlace{stale.address(), "x", 1}).error, HasSubstr("stale"));
  EXPECT_THAT(client.reset_slot(SlotPlace{kNobody, "x", {}}).error, HasSubstr("Connection refused"));
  EXPECT_FALSE(client.reset_slot(SlotPlace{"nonsense", "x", {}}).error.empty());
}

TEST(ClientReset, IsRepeatedOnlyWhereThatIsHarmless) {
  RawServer server(always(cut()));
  Client client(quick());
  EXPECT_FALSE(client.reset_slot(SlotPlace{server.address(), "slot_0", {}}).success);
  EXPECT_EQ(server.requests().size(), 1U);
  EXPECT_FALSE(client.reset_slot(SlotPlace{server.address(), "slot_0", 3}).success);
  EXPECT_EQ(server.requests().size(), 4U);
}

struct HealthCase {
  const char* name;
  RawReply reply;
  bool healthy;
  bool has_status;
};

void PrintTo(const HealthCase& each, std::ostream* out) {
  *out << each.name;
}

class ClientHealth : public ::testing::TestWithParam<HealthCase> {};

TEST_P(ClientHealth, IsTrueForOkAlone) {
  RawServer server(always(GetParam().reply));
  server.script_health();
  ClientOptions options = quick();
  options.health_timeout = Seconds(0.3);
  Client client(options);
  EXPECT_EQ(client.health_check(server.address()), GetParam().healthy);
  EXPECT_EQ(client.get_container_status(server.address()).has_value(), GetParam().has_status);
}

INSTANTIATE_TEST_SUITE_P(
    Every, ClientHealth,
    ::testing::Values(HealthCase{"Ok", answer(200, R"({"status": "ok", "slots": 3})"), true, true},
                      HealthCase{"Degraded", answer(200, R"({"status": "degraded"})"), false, true},
                      HealthCase{"NoStatus", answer(200, "{}"), false, true},
                      HealthCase{"NumberForStatus", answer(200, R"({"status": 5})"), false, true},
                      HealthCase{"Array", answer(200, "[]"), false, false},
                      HealthCase{"NotJson", answer(200, "ok"), false, false},
                      HealthCase{"OtherMediaType", answer(200, R"({"status": "ok"})", "text/plain"), false, false},
                      HealthCase{"OtherStatus", answer(503, R"({"status": "ok"})"), false, false},
                      HealthCase{"Cut", cut(), false, false}, HealthCase{"Silent", hang(), false, false}),
    [](const auto& each) { return std::string(each.param.name); });

TEST(ClientStatusOf, ADeadAddressIsAnErrorAndNoException) {
  Client client(quick());
  EXPECT_FALSE(client.health_check(kNobody));
  EXPECT_FALSE(client.health_check("nonsense"));
  EXPECT_EQ(client.get_container_status(kNobody).error().code, "connect");
  EXPECT_EQ(client.get_container_status("nonsense").error().code, "bad_address");
}

const char* const kFile = R"({"success": true, "content": "aGn/", "encoding": "base64", "truncated": false, "bytes": 3,
  "file_size": 3, "path": "a/b.bin", "mime": "application/octet-stream", "sha256": null})";

TEST(ClientArtifacts, AFileComesAsItsBytes) {
  RawServer server(always(answer(200, kFile)));
  Client client(quick());
  const FileAnswer file = client.read_artifact(SlotPlace{server.address(), "slot_0", 2}, "a/b.bin", {100, true});
  EXPECT_TRUE(file.success) << file.error;
  EXPECT_EQ(file.http_status, 200);
  EXPECT_EQ(file.content, "hi\xff");
  EXPECT_EQ(file.path, "a/b.bin");
  EXPECT_EQ(file.mime, "application/octet-stream");
  EXPECT_EQ(file.file_size, 3U);
  const auto body = parse_json(server.requests().at(0).body);
  EXPECT_EQ(*body, (Json{{"slot_id", "slot_0"},
                         {"path", "a/b.bin"},
                         {"encoding", "base64"},
                         {"include_sha256", true},
                         {"max_bytes", 100},
                         {"generation", 2}}));
}

TEST(ClientArtifacts, LimitsAreSentOnlyWhenGiven) {
  RawServer server(always(answer(404, R"({"success": false, "error": "Not found: x"})")));
  Client client(quick());
  const SlotPlace place{server.address(), "slot_0", {}};
  static_cast<void>(client.read_artifact(place, "x"));
  static_cast<void>(client.list_artifacts(place));
  static_cast<void>(client.archive_artifacts(place));
  for (const RawRequest& request : server.requests()) {
    const auto body = parse_json(request.body);
    EXPECT_FALSE(body->contains("max_bytes") || body->contains("max_entries") || body->contains("generation"));
  }
}

TEST(ClientArtifacts, AListingAndAnArchiveComeAsTheyAre) {
  RawServer server([](const RawRequest& request, std::size_t) {
    if (request.target == "/artifacts/list")
      return answer(200, R"({"success": true, "truncated": true,
                             "entries": [{"path": "a", "is_dir": false, "size": 12, "mtime": 1700000000.25}]})");
    return answer(200, R"({"success": true, "content": "aGk=", "encoding": "base64", "format": "tar.gz", "bytes": 2,
                           "entry_count": 4})");
  });
  Client client(quick());
  const SlotPlace place{server.address(), "slot_0", {}};
  const ListAnswer list = client.list_artifacts(place, "sub", {true, 10});
  ASSERT_TRUE(list.success) << list.error;
  ASSERT_EQ(list.entries.size(), 1U);
  EXPECT_EQ(list.entries[0].path, "a");
  EXPECT_EQ(list.entries[0].size, 12U);
  EXPECT_EQ(list.entries[0].mtime, 1700000000.25);
  EXPECT_TRUE(list.truncated);
  const ArchiveAnswer archive = client.archive_artifacts(place);
  EXPECT_TRUE(archive.success) << archive.error;
  EXPECT_EQ(archive.content, "hi");
  EXPECT_EQ(archive.entry_count, 4U);
}

struct ArtifactCase {
  const char* name;
  RawReply reply;
  int status;
  const char* text;
};

void PrintTo(const ArtifactCase& each, std::ostream* out) {
  *out << each.name;
}

class ClientArtifactFailure : public ::testing::TestWithParam<ArtifactCase> {};

TEST_P(ClientArtifactFailure, IsAValueWithATextAndTheStatus) {
  RawServer server(always(GetParam().reply));
  Client client(quick());
  const SlotPlace place{server.address(), "slot_0", {}};
  const std::vector<ArtifactAnswer> answers{client.read_artifact(place, "x"), client.list_artifacts(place),
                                            client.archive_artifacts(place)};
  for (const ArtifactAnswer& each : answers) {
    EXPECT_FALSE(each.success);
    EXPECT_EQ(each.http_status, GetParam().status);
    EXPECT_THAT(each.error, HasSubstr(GetParam().text));
  }
}

INSTANTIATE_TEST_SUITE_P(
    Every, ClientArtifactFailure,
    ::testing::Values(
        ArtifactCase{"NotFound", answer(404, R"({"success": false, "error": "Not found: x"})"), 404, "Not found: x"},
        ArtifactCase{"Outside", answer(403, R"({"success": false, "error": "Access denied"})"), 403, "Access denied"},
        ArtifactCase{"TooLarge", answer(413, R"({"success": false, "error": "Archive too large", "bytes": 225})"), 413,
                     "Archive too large"},
        ArtifactCase{"Plain500", answer(500, "500 Internal Server Error", "text/plain"), 500, "Internal Server Error"},
        ArtifactCase{"Empty500", answer(500, ""), 500, "answered 500"},
        ArtifactCase{"SuccessWithBadStatus", answer(500, kFile), 500, "success"},
        ArtifactCase{"Array", answer(200, "[]"), 200, "Unexpected response"},
        ArtifactCase{"NoSuccess", answer(200, "{}"), 200, "Unexpected response"},
        ArtifactCase{"NothingElse", answer(200, R"({"success": true})"), 200, "Unexpected response"},
        ArtifactCase{"LyingSize",
                     answer(200, R"({"success": true, "content": "aGk=", "encoding": "base64", "bytes": 3, "truncated":
                     false, "file_size": 2, "path": "x", "entry_count": 1, "entries": [{"path": "x"}]})"),
                     200, "Unexpected response"},
        ArtifactCase{"NotBase64",
                     answer(200, R"({"success": true, "content": "!!!!", "encoding": "base64", "bytes": 3, "truncated":
                     false, "file_size": 2, "path": "x", "entry_count": -1, "entries": [7]})"),
                     200, "Unexpected response"},
        ArtifactCase{"Cut", cut(), 0, "Failed after 3 attempts"}),
    [](const auto& each) { return std::string(each.param.name); });

TEST(ClientArtifacts, MoreThanWasAskedForIsNotTaken) {
  RawServer server(always(answer(200, kFile)));
  Client client(quick());
  EXPECT_FALSE(client.read_artifact(SlotPlace{server.address(), "slot_0", {}}, "x", {2, false}).success);
}

// W55: the peer waits for ever here.
TEST(ClientArtifacts, AServerThatDoesNotAnswerIsGivenUpWithAText) {
  RawServer server(always(hang()));
  ClientOptions options = quick();
  options.request_timeout = Seconds(0.2);
  Client client(options);
  const SlotPlace place{server.address(), "slot_0", {}};
  EXPECT_THAT(client.read_artifact(place, "x").error, StartsWith("Request timed out after 0.2s"));
  EXPECT_THAT(client.list_artifacts(place).error, StartsWith("Request timed out after 0.2s"));
  EXPECT_THAT(client.archive_artifacts(place).error, StartsWith("Request timed out after 0.2s"));
  EXPECT_THAT(client.reset_slot(place).error, StartsWith("Request timed out after 0.2s"));
}

TEST(ClientArtifacts, AnAddressOfNobodyIsAValueToo) {
  Client client(quick());
  EXPECT_THAT(client.read_artifact(SlotPlace{kNobody, "slot_0", {}}, "x").error, HasSubstr("refused"));
  EXPECT_FALSE(client.list_artifacts(SlotPlace{"nonsense", "slot_0", {}}).error.empty());
}

}  // namespace
}  // namespace berth

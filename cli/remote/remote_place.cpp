// SPDX-License-Identifier: Apache-2.0
#include "cli/remote/remote_place.hpp"

#include <nlohmann/json.hpp>

#include "base/call_wire.hpp"
#include "base/json.hpp"
#include "base/text.hpp"
#include "cli/notes.hpp"

namespace berth::cli {

namespace asio = boost::asio;

namespace {

constexpr std::size_t kFilePart = std::size_t{64} << 10;
constexpr std::size_t kMostError = std::size_t{64} << 10;

std::vector<std::string> texts_at(const Json& object, const char* key) {
  std::vector<std::string> texts;
  const auto found = object.find(key);
  if (found == object.end() || !found->is_array()) return texts;
  for (const Json& each : *found)
    if (each.is_string()) texts.push_back(each.get<std::string>());
  return texts;
}

Expected<Held> held_of(const std::string& body) {
  const auto lease = parse_json(body);
  if (!lease || !lease->is_object()) return tl::unexpected(not_the_protocol("a lease", body).value());
  const auto id = json_text_at(*lease, "lease");
  const auto container = json_text_at(*lease, "container");
  const auto slot = json_text_at(*lease, "slot");
  if (!id || !container || !slot) return tl::unexpected(not_the_protocol("a lease", body).value());
  return Held{*id, *container + ":" + *slot};
}

}  // namespace

std::string files_target(const std::string& lease, const std::string& path, bool tar) {
  return "/v1/leases/" + percent_encode(lease) + "/files/" + percent_encode_path(path) + (tar ? "?tar=1" : "");
}

// As patient as the command: it waits until it is interrupted.
asio::awaitable<Expected<Held>> RemotePlace::acquire(std::string job, std::string trajectory) {
  Json wish{{"job", job}, {"wait", "1h"}};
  if (!trajectory.empty()) wish["trajectory"] = trajectory;
  const std::string text = dump_json(wish);
  auto body = co_await remote_.ask("POST", "/v1/leases", text);
  while (!body && body.error().code == "no_slot" && !interrupted())
    body = co_await remote_.ask("POST", "/v1/leases", text);
  if (!body) co_return tl::unexpected(remote_.explain(body.error()));
  co_return held_of(*body);
}

asio::awaitable<Expected<std::string>> RemotePlace::lease_of(std::string name) {
  const std::size_t colon = name.find(':');
  if (colon == std::string::npos) co_return name;
  const auto body = co_await remote_.ask("GET", "/v1/leases");
  if (!body) co_return tl::unexpected(remote_.explain(body.error()));
  const auto parsed = parse_json(*body, kListBounds);
  const bool listed = parsed && parsed->is_object() && parsed->contains("leases");
  for (const Json& each : listed ? parsed->at("leases") : Json::array()) {
    if (!each.is_object()) continue;
    const std::string slot = each.value("container", "") + ":" + each.value("slot", "");
    if (slot == name) co_return each.value("lease", "");
  }
  co_return fail("no_lease", "nobody holds the slot " + name,
                 "berth slots shows who holds what; berth acquire takes one");
}

asio::awaitable<Expected<void>> RemotePlace::put_tar(std::string lease, std::string path, std::string tar,
                                                     Deadline deadline) {
  http::ClientRequest request = remote_.request("PUT", files_target(lease, path, true));
  request.content_type = "application/x-tar";
  request.body = std::move(tar);
  const auto body = co_await remote_.ask(std::move(request), deadline);
  if (!body) co_return tl::unexpected(remote_.explain(body.error()));
  co_return Expected<void>{};
}

asio::awaitable<Expected<void>> RemotePlace::get_file(std::string lease, std::string path, bool as_tar, BytesSink sink,
                                                      Deadline deadline) {
  const http::ClientRequest request = remote_.request("GET", files_target(lease, path, as_tar));
  auto loan = co_await remote_.borrow();
  const auto head = co_await loan->send(request, deadline);
  if (!head) co_return tl::unexpected(remote_.explain(head.error()));
  if (head->status != 200) {
    const auto body = co_await loan->read_body(kMostError, deadline);
    co_return tl::unexpected(error_of_answer(head->status, body.value_or("")));
  }
  while (true) {
    const auto part = co_await loan->read_some(kFilePart, deadline);
    if (!part) co_return tl::unexpected(remote_.explain(part.error()));
    if (part->empty()) co_return Expected<void>{};
    if (auto taken = sink(*part); !taken) {
      loan->close();
      co_return taken;
    }
  }
}

asio::awaitable<void> RemotePlace::release(std::string lease) {
  static_cast<void>(co_await remote_.ask("DELETE", "/v1/leases/" + percent_encode(lease)));
}

asio::awaitable<std::vector<std::string>> RemotePlace::missing_isolation(std::string job) {
  std::vector<IsolationReport> reports;
  const auto body = co_await remote_.ask("GET", "/v1/containers?job=" + percent_encode(job));
  const auto parsed = body ? parse_json(*body) : tl::unexpected(body.error());
  const bool listed = parsed && parsed->is_object() && parsed->contains("containers");
  for (const Json& each : listed ? parsed->at("containers") : Json::array()) {
    const auto isolation = each.is_object() ? each.find("isolation") : each.end();
    if (!each.is_object() || isolation == each.end() || !isolation->is_object()) continue;
    reports.push_back({json_text_at(*isolation, "level").value_or(""), texts_at(*isolation, "missing"),
                       texts_at(*isolation, "notes")});
  }
  co_return sentences_of(reports);
}

}  // namespace berth::cli

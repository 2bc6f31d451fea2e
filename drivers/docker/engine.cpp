// SPDX-License-Identifier: Apache-2.0
#include "drivers/docker/engine.hpp"

#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <nlohmann/json.hpp>

#include "base/json.hpp"
#include "base/text.hpp"

namespace berth::drivers::docker {
namespace {

constexpr unsigned kOldestApi = 40;  // Docker 19.03
constexpr unsigned kNewestApi = 47;
constexpr std::size_t kMostBody = std::size_t{16} << 20;
constexpr std::size_t kMostRefusalBody = std::size_t{64} << 10;
constexpr std::size_t kMostLine = std::size_t{256} << 10;
constexpr std::string_view kAwayHint =
    "start it (systemctl start docker), or name another one by DOCKER_HOST or drivers.docker.host";
constexpr std::string_view kUnknownHint =
    "does it run, and know the authority of the certificate in DOCKER_CERT_PATH? Its log says why it cut the "
    "connection";
constexpr std::string_view kNoDockerHint = "is it Docker that listens there?";
constexpr std::string_view kWantsTlsHint = "it wants TLS: set DOCKER_TLS_VERIFY and DOCKER_CERT_PATH";

http::ClientRequest request_of(std::string method, std::string target, std::string body = {}) {
  http::ClientRequest request;
  request.method = std::move(method);
  request.target = std::move(target);
  request.body = std::move(body);
  request.content_type = "application/json";
  return request;
}

std::string path_of(const std::string& container, std::string_view rest) {
  return "/containers/" + percent_encode(container) + std::string(rest);
}

Json with_label(const std::string& agent) {
  return Json{{"label", Json::array({std::string(kAgentLabel) + "=" + agent})}};
}

std::string query_of(const Json& filters) {
  return "filters=" + percent_encode(dump_json(filters));
}

std::string_view code_of_status(int status) {
  if (status == 404) return "engine_missing";
  return status == 409 ? "engine_conflict" : "engine_refused";
}

}  // namespace

Engine::Engine(asio::io_context& context, Endpoint endpoint) : context_(context), endpoint_(std::move(endpoint)) {}

// --- one request ----------------------------------------------------------------------------------------------------

Error Engine::lost(const Error& error) {
  const std::string who = "the Docker Engine at " + endpoint_.text;
  version_.reset();
  facts_.reset();
  if (error.code == "timeout") return Error{"engine_timeout", who + ": " + error.message, "look into the engine's log"};
  if (error.code == "protocol")
    return Error{"engine_protocol", who + " does not speak HTTP: " + error.message, std::string(kNoDockerHint)};
  const std::string& path = endpoint_.address.unix_path;
  if (!path.empty() && ::access(path.c_str(), W_OK) != 0 && errno == EACCES)
    return Error{"engine_away", who + " is not open to this user",
                 "add the user to the group docker, or run berth as root"};
  const bool cut_behind_tls = endpoint_.address.layer && error.code == "transport";
  return Error{"engine_away", who + " does not answer: " + error.message,
               std::string(cut_behind_tls ? kUnknownHint : kAwayHint)};
}

asio::awaitable<Expected<std::string>> Engine::told_version(Deadline deadline) {
  http::ClientRequest version = request_of("GET", "/version");
  const auto answer = co_await http::fetch(context_, endpoint_.address, std::move(version), kMostRefusalBody, deadline);
  if (!answer) co_return tl::unexpected(lost(answer.error()));
  if (answer->head.status != 200) co_return std::string();
  co_return read_version(answer->body);
}

asio::awaitable<Expected<void>> Engine::agree(Deadline deadline) {
  if (version_) co_return Expected<void>();
  http::ClientRequest ping = request_of("GET", "/_ping");
  const auto answer = co_await http::fetch(context_, endpoint_.address, std::move(ping), kMostRefusalBody, deadline);
  if (!answer) co_return tl::unexpected(lost(answer.error()));
  std::string text(answer->head.field("api-version").value_or(""));
  if (answer->head.status == 200 && text.empty()) {
    auto told = co_await told_version(deadline);
    if (!told) co_return tl::unexpected(told.error());
    text = std::move(*told);
  }
  const auto theirs = read_api_version(text);
  // What Go's servers answer to those who speak plainly to a port of TLS.
  const bool wants_tls = answer->head.status == 400 && answer->body.find("HTTPS server") != std::string::npos;
  if (answer->head.status != 200 || !theirs)
    co_return fail("engine_protocol", "what answers at " + endpoint_.text + " names no version of the Engine API",
                   std::string(wants_tls ? kWantsTlsHint : kNoDockerHint));
  if (*theirs < kOldestApi)
    co_return fail("engine_refused",
                   "the Docker Engine at " + endpoint_.text + " speaks version " + text + " of its API, 1." +
                       std::to_string(kOldestApi) + " is needed",
                   "Docker 19.03 or newer has it");
  version_ = std::min(*theirs, kNewestApi);
  co_return Expected<void>();
}

asio::awaitable<Expected<void>> Engine::check(Stream stream, int status, Deadline deadline) const {
  if (status < 400) co_return Expected<void>();
  const auto body = co_await stream->read_body(kMostRefusalBody, deadline);
  std::string words = read_refusal(status, body ? std::string_view(*body) : std::string_view());
  std::string hint = way_out_of(words);
  co_return fail(code_of_status(status), "the Docker Engine refuses: " + words, std::move(hint));
}

asio::awaitable<Expected<http::ResponseHead>> Engine::send(Stream stream, http::ClientRequest request,
                                                           Deadline deadline) {
  auto agreed = co_await agree(deadline);
  if (!agreed) co_return tl::unexpected(agreed.error());
  request.target = "/v1." + std::to_string(*version_) + request.target;
  auto head = co_await stream->send(request, deadline);
  if (!head) co_return tl::unexpected(lost(head.error()));
  auto fine = co_await check(stream, head->status, deadline);
  if (!fine) co_return tl::unexpected(fine.error());
  co_return head;
}

asio::awaitable<Expected<void>> Engine::open_stream(Stream stream, http::ClientRequest request, Deadline deadline) {
  const auto head = co_await send(std::move(stream), std::move(request), deadline);
  if (!head) co_return tl::unexpected(head.error());
  co_return Expected<void>();
}

asio::awaitable<Expected<std::string>> Engine::ask(http::ClientRequest request, Deadline deadline) {
  const Stream connection = new_stream();
  const auto sent = co_await send(connection, std::move(request), deadline);
  if (!sent) co_return tl::unexpected(sent.error());
  auto body = co_await connection->read_body(kMostBody, deadline);
  if (!body) co_return tl::unexpected(lost(body.error()));
  co_return body;
}

asio::awaitable<Expected<void>> Engine::tell(http::ClientRequest request, Deadline deadline) {
  const auto answer = co_await ask(std::move(request), deadline);
  if (!answer) co_return tl::unexpected(answer.error());
  co_return Expected<void>();
}

// --- what it can do -------------------------------------------------------------------------------------------------

asio::awaitable<Expected<EngineFacts>> Engine::facts(Deadline deadline) {
  if (facts_) co_return *facts_;
  http::ClientRequest request = request_of("GET", "/info");
  const auto body = co_await ask(std::move(request), deadline);
  if (!body) co_return tl::unexpected(body.error());
  auto read = read_info(*body);
  if (read) facts_ = *read;
  co_return read;
}

asio::awaitable<Expected<ImageFacts>> Engine::image(std::string name, Deadline deadline) {
  http::ClientRequest request = request_of("GET", "/images/" + percent_encode_path(name) + "/json");
  const auto body = co_await ask(std::move(request), deadline);
  if (!body) co_return tl::unexpected(body.error());
  co_return read_image(*body);
}

asio::awaitable<Expected<std::string>> Engine::create(std::string name, std::string body, Deadline deadline) {
  http::ClientRequest request = request_of("POST", "/containers/create?name=" + percent_encode(name), std::move(body));
  const auto answer = co_await ask(std::move(request), deadline);
  if (!answer) co_return tl::unexpected(answer.error());
  co_return read_created_id(*answer);
}

asio::awaitable<Expected<void>> Engine::start(const std::string& container, Deadline deadline) {
  http::ClientRequest request = request_of("POST", path_of(container, "/start"));
  return tell(std::move(request), deadline);
}

asio::awaitable<Expected<void>> Engine::stop(const std::string& container, unsigned seconds, Deadline deadline) {
  http::ClientRequest request = request_of("POST", path_of(container, "/stop?t=" + std::to_string(seconds)));
  return tell(std::move(request), deadline);
}

asio::awaitable<Expected<void>> Engine::kill(const std::string& container, const std::string& signal,
                                             Deadline deadline) {
  http::ClientRequest request = request_of("POST", path_of(container, "/kill?signal=" + percent_encode(signal)));
  return tell(std::move(request), deadline);
}

asio::awaitable<Expected<void>> Engine::remove(std::string container, Deadline deadline) {
  http::ClientRequest request = request_of("DELETE", path_of(container, "?force=1&v=1"));
  auto removed = co_await tell(std::move(request), deadline);
  if (!removed && removed.error().code == "engine_missing") co_return Expected<void>();
  co_return removed;
}

asio::awaitable<Expected<void>> Engine::remove_volumes(std::string agent, std::string container, Deadline deadline) {
  Json filters = with_label(agent);
  if (!container.empty()) filters["label"].push_back(std::string(kContainerLabel) + "=" + container);
  http::ClientRequest request = request_of("GET", "/volumes?" + query_of(filters));
  const auto body = co_await ask(std::move(request), deadline);
  if (!body) co_return tl::unexpected(body.error());
  const auto names = read_volumes(*body);
  if (!names) co_return tl::unexpected(names.error());
  Expected<void> result;
  for (const std::string& name : *names) {
    http::ClientRequest removal = request_of("DELETE", "/volumes/" + percent_encode(name));
    auto removed = co_await tell(std::move(removal), deadline);
    if (!removed && removed.error().code != "engine_missing") result = std::move(removed);
  }
  co_return result;
}

asio::awaitable<Expected<ContainerEnd>> Engine::inspect_end(std::string container, Deadline deadline) {
  http::ClientRequest request = request_of("GET", path_of(container, "/json"));
  const auto body = co_await ask(std::move(request), deadline);
  if (!body) co_return tl::unexpected(body.error());
  co_return read_end(*body);
}

asio::awaitable<Expected<std::string>> Engine::last_lines(std::string container, unsigned lines, Deadline deadline) {
  http::ClientRequest request =
      request_of("GET", path_of(container, "/logs?stdout=1&stderr=1&tail=" + std::to_string(lines)));
  const auto frames = co_await ask(std::move(request), deadline);
  if (!frames) co_return tl::unexpected(frames.error());
  co_return read_log(*frames);
}

asio::awaitable<Expected<std::string>> Engine::stamped_log(std::string container, std::string since,
                                                           Deadline deadline) {
  std::string query = "/logs?stdout=1&stderr=1&timestamps=1";
  if (!since.empty()) query += "&since=" + percent_encode(since);
  http::ClientRequest request = request_of("GET", path_of(container, query));
  const auto frames = co_await ask(std::move(request), deadline);
  if (!frames) co_return tl::unexpected(frames.error());
  co_return read_log(*frames);
}

asio::awaitable<Expected<Usage>> Engine::usage(std::string container, Deadline deadline) {
  // Without one-shot the engine waits a second for numbers to compare with.
  http::ClientRequest request = request_of("GET", path_of(container, "/stats?stream=0&one-shot=1"));
  const auto body = co_await ask(std::move(request), deadline);
  if (!body) co_return tl::unexpected(body.error());
  co_return read_usage(*body);
}

asio::awaitable<Expected<std::vector<ListedContainer>>> Engine::list(std::string agent, Deadline deadline) {
  http::ClientRequest request = request_of("GET", "/containers/json?all=1&" + query_of(with_label(agent)));
  const auto body = co_await ask(std::move(request), deadline);
  if (!body) co_return tl::unexpected(body.error());
  co_return read_list(*body);
}

Engine::Stream Engine::new_stream() const {
  return std::make_shared<http::ClientConnection>(context_, endpoint_.address);
}

asio::awaitable<Expected<void>> Engine::follow(Stream stream, const std::string& agent, Deadline deadline) {
  Json filters = with_label(agent);
  filters["type"] = Json::array({"container"});
  http::ClientRequest request = request_of("GET", "/events?" + query_of(filters));
  return open_stream(std::move(stream), std::move(request), deadline);
}

asio::awaitable<Expected<void>> Engine::pull(Stream stream, Reference image, std::string credentials,
                                             Deadline deadline) {
  const std::string& version = image.digest.empty() ? image.tag : image.digest;
  http::ClientRequest request =
      request_of("POST", "/images/create?fromImage=" + percent_encode(image.name) + "&tag=" + percent_encode(version));
  if (!credentials.empty()) request.fields.emplace_back("X-Registry-Auth", std::move(credentials));
  return open_stream(std::move(stream), std::move(request), deadline);
}

asio::awaitable<Expected<std::optional<std::string>>> Engine::next_line(Stream stream, Deadline deadline) {
  auto line = co_await stream->read_line(kMostLine, deadline);
  if (!line) co_return tl::unexpected(lost(line.error()));
  co_return line;
}

}  // namespace berth::drivers::docker

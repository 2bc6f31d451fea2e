// SPDX-License-Identifier: Apache-2.0
#include "tests/support/fake_engine.hpp"

#include <algorithm>
#include <boost/asio/as_tuple.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <nlohmann/json.hpp>

#include "base/fd.hpp"
#include "base/json.hpp"
#include "base/text.hpp"

namespace berth::testing {
namespace {

constexpr auto kAwaitEngine = asio::as_tuple(asio::use_awaitable);
constexpr std::size_t kMostEngineBody = std::size_t{64} << 20;

asio::awaitable<void> answer_engine(http::Exchange& exchange, int status, std::string body) {
  http::Response answer;
  answer.status = status;
  answer.body = std::move(body);
  static_cast<void>(co_await exchange.respond(std::move(answer)));
}

std::string message_json(const std::string& text) {
  return dump_json(Json{{"message", text}});
}

// Where the container's folder of this machine is, as its creation asked for.
std::string run_folder(const Json& creation) {
  for (const Json& mount : creation["HostConfig"]["Mounts"])
    if (mount["Target"] == "/.berth/run") return mount["Source"].get<std::string>();
  return {};
}

std::string frame(const std::string& text) {
  std::string header{2, 0, 0, 0};
  for (int shift = 24; shift >= 0; shift -= 8) header += static_cast<char>(text.size() >> shift & 255);
  return header + text;
}

}  // namespace

struct FakeEngine::Stream {
  explicit Stream(asio::io_context& context) : more(context, asio::steady_timer::time_point::max()) {}
  asio::steady_timer more;
  std::deque<std::string> lines;
  bool cut = false;
};

FakeEngine::FakeEngine(asio::io_context& context) : context_(context) {}
FakeEngine::~FakeEngine() = default;

void FakeEngine::listen(const std::string& path) {
  server_ = std::make_unique<http::Server>(context_, [this](http::Exchange& each) { return handle(each); });
  static_cast<void>(server_->listen("unix:" + path, 0));
}

void FakeEngine::away() {
  server_.reset();
  streams_.clear();
}

// --- behind the driver's back
// -----------------------------------------------------------------------------------------

std::string FakeEngine::id_of(const std::string& name) const {
  for (const auto& [id, each] : containers)
    if (each.name == name || id == name) return id;
  return {};
}

EngineContainer* FakeEngine::find(const std::string& name) {
  const auto found = containers.find(id_of(name));
  return found == containers.end() ? nullptr : &found->second;
}

void FakeEngine::emit(const std::string& id, const std::string& action, const std::string& exit_code) {
  Json attributes = containers.at(id).labels;
  if (!exit_code.empty()) attributes["exitCode"] = exit_code;
  const Json event{
      {"Type", "container"}, {"Action", action}, {"Actor", {{"ID", id}, {"Attributes", std::move(attributes)}}}};
  for (const auto& stream : streams_) {
    stream->lines.push_back(dump_json(event) + "\n");
    stream->more.cancel();
  }
}

void FakeEngine::end(const std::string& id, int code, bool tell) {
  if (containers.at(id).state != "running") return;
  containers.at(id).state = "exited";
  containers.at(id).exit_code = code;
  if (tell) emit(id, "die", std::to_string(code));
}

void FakeEngine::die(const std::string& name, int code, bool tell) {
  end(id_of(name), code, tell);
}
void FakeEngine::pause(const std::string& name) {
  containers.at(id_of(name)).state = "paused";
  emit(id_of(name), "pause");
}
void FakeEngine::out_of_memory(const std::string& name) {
  emit(id_of(name), "oom");
  end(id_of(name), 137, true);
}
void FakeEngine::remove(const std::string& name, bool tell) {
  const std::string id = id_of(name);
  if (tell) emit(id, "destroy");
  containers.erase(id);
}
void FakeEngine::put_foreign(const std::string& id, EngineContainer container) {
  containers.insert_or_assign(id, std::move(container));
}

void FakeEngine::cut_events() {
  for (const auto& stream : streams_) {
    stream->cut = true;
    stream->more.cancel();
  }
  streams_.clear();
}

// --- routes
// -----------------------------------------------------------------------------------------------------------

asio::awaitable<void> FakeEngine::wait_for_end(http::Exchange& exchange) {
  asio::steady_timer never(context_, asio::steady_timer::time_point::max());
  exchange.on_disconnect([&never] { never.cancel(); });
  co_await never.async_wait(kAwaitEngine);
}

asio::awaitable<void> FakeEngine::handle(http::Exchange& exchange) {
  const http::RequestHead& head = exchange.head();
  requests.push_back(head.method + " " + head.path + (head.query.empty() ? "" : "?" + head.query));
  if (head.path == "/_ping") {
    http::Response pong;
    pong.content_type = http::kTextType;
    pong.body = "OK";
    if (!api_version.empty()) pong.fields.emplace_back("Api-Version", api_version);
    static_cast<void>(co_await exchange.respond(std::move(pong)));
    co_return;
  }
  if (head.path == "/version") co_return co_await answer_engine(exchange, version.empty() ? 404 : 200, version);
  const std::size_t slash = head.path.find('/', 1);
  std::string path = slash == std::string::npos ? head.path : head.path.substr(slash);
  for (const auto& [key, refusal] : refusals) {
    if (!(head.method + " " + path).starts_with(key)) continue;
    std::string body = message_json(refusal.message);
    const int status = refusal.status;
    co_return co_await answer_engine(exchange, status, std::move(body));
  }
  co_await route(exchange, std::move(path));
}

asio::awaitable<void> FakeEngine::route(http::Exchange& exchange, std::string path) {
  if (path == "/info") co_return co_await answer_engine(exchange, 200, info);
  if (path == "/events") co_return co_await events(exchange);
  if (path == "/images/create") co_return co_await pull(exchange);
  if (path == "/containers/json") co_return co_await list(exchange);
  if (path == "/containers/create") co_return co_await create(exchange);
  if (path.starts_with("/volumes")) co_return co_await volume_route(exchange, std::move(path));
  if (path.starts_with("/containers/")) co_return co_await container_route(exchange, std::move(path));
  const std::string name = percent_decode(path).value_or("");
  const auto image = images.find(name.size() < 13 ? "" : name.substr(8, name.size() - 13));
  std::string missing = message_json("No such image: " + name);
  if (image == images.end()) co_return co_await answer_engine(exchange, 404, std::move(missing));
  co_await answer_engine(exchange, 200, image->second);
}

asio::awaitable<void> FakeEngine::volume_route(http::Exchange& exchange, std::string path) {
  if (exchange.head().method == "DELETE" && volumes_in_use > 0) {
    --volumes_in_use;
    std::string refusal = message_json("remove: volume is in use");
    co_return co_await answer_engine(exchange, 409, std::move(refusal));
  }
  if (exchange.head().method == "DELETE") {
    volumes.erase(path.substr(std::string_view("/volumes/").size()));
    co_return co_await answer_engine(exchange, 204, {});
  }
  const auto filters = parse_json(exchange.head().query_value("filters").value_or("{}"));
  Json all = Json::array();
  for (const auto& [name, labels] : volumes) {
    const auto has = [&labels](const Json& wanted) {
      return std::any_of(labels.begin(), labels.end(),
                         [&wanted](const auto& each) { return wanted == each.first + "=" + each.second; });
    };
    const Json& wanted = (*filters)["label"];
    if (std::all_of(wanted.begin(), wanted.end(), has)) all.push_back({{"Name", name}});
  }
  std::string body = dump_json(Json{{"Volumes", std::move(all)}});
  co_await answer_engine(exchange, 200, std::move(body));
}

asio::awaitable<void> FakeEngine::list(http::Exchange& exchange) {
  const auto filters = parse_json(exchange.head().query_value("filters").value_or("{}"));
  const std::string wanted = (*filters)["label"][0].get<std::string>();
  Json all = Json::array();
  for (const auto& [id, each] : containers) {
    const auto label = each.labels.find("io.berth.agent");
    if (label == each.labels.end() || "io.berth.agent=" + label->second != wanted) continue;
    all.push_back({{"Id", id}, {"Labels", each.labels}, {"State", each.state}});
  }
  std::string body = dump_json(all);
  co_await answer_engine(exchange, 200, std::move(body));
}

asio::awaitable<void> FakeEngine::create(http::Exchange& exchange) {
  const std::string name = exchange.head().query_value("name").value_or("");
  auto body = co_await exchange.read_body(kMostEngineBody);
  if (!body) co_return;
  std::string conflict = message_json("Conflict. The container name \"/" + name + "\" is already in use");
  if (find(name) != nullptr) co_return co_await answer_engine(exchange, 409, std::move(conflict));
  const auto creation = parse_json(*body);
  if (!unseen.empty() && body->find("\"Source\":\"" + unseen + "\"") != std::string::npos) {
    std::string lacking =
        message_json("invalid mount config for type \"bind\": bind source path does not exist: " + unseen);
    co_return co_await answer_engine(exchange, 400, std::move(lacking));
  }
  EngineContainer container;
  container.name = name;
  container.labels = (*creation)["Labels"].get<std::map<std::string, std::string>>();
  container.body = std::move(*body);
  const std::string id = sha256_hex(name + std::to_string(next_id_++));
  volumes[id] = container.labels;
  if (!refuse_late.empty()) {
    std::string refusal = message_json(refuse_late);
    co_return co_await answer_engine(exchange, 400, std::move(refusal));
  }
  containers.insert_or_assign(id, std::move(container));
  if (silent.contains("POST /containers/create")) co_return co_await wait_for_end(exchange);
  std::string answer = dump_json(Json{{"Id", id}, {"Warnings", Json::array()}});
  co_await answer_engine(exchange, 201, std::move(answer));
}

asio::awaitable<void> FakeEngine::container_route(http::Exchange& exchange, std::string path) {
  const std::size_t begin = std::string_view("/containers/").size();
  const std::size_t slash = path.find('/', begin);
  const std::string name = percent_decode(path.substr(begin, slash - begin)).value_or("");
  const std::string action = slash == std::string::npos ? exchange.head().method : path.substr(slash + 1);
  const std::string id = id_of(name);
  std::string missing = message_json("No such container: " + name);
  if (id.empty()) co_return co_await answer_engine(exchange, 404, std::move(missing));
  if (action == "start") co_return co_await start(exchange, id);
  if (action == "logs") co_return co_await log_of(exchange, id);
  if (action == "json") co_return co_await inspect(exchange, id);
  if (action == "archive" && exchange.head().method == "GET") co_return co_await archive_of(exchange, id);
  if (action == "archive") {
    auto tar = co_await exchange.read_body(kMostEngineBody);
    if (tar) containers.at(id).files = std::move(*tar);
  }
  if (action == "kill") {
    const std::string signal = exchange.head().query_value("signal").value_or("");
    signals.push_back(signal);
    if (signal == "SIGKILL" || !stubborn) end(id, signal == "SIGKILL" ? 137 : 0, true);
  }
  if (action == "stop") {
    signals.push_back("stop " + exchange.head().query_value("t").value_or(""));
    if (stubborn) co_return co_await wait_for_end(exchange);
    end(id, 0, true);
  }
  if (action == "DELETE") {
    end(id, 137, true);
    if (exchange.head().query_value("v") == "1") volumes.erase(id);
    remove(id);
  }
  co_await answer_engine(exchange, action == "archive" ? 200 : 204, {});
}

asio::awaitable<void> FakeEngine::start(http::Exchange& exchange, std::string id) {
  if (!refuse_start.empty()) {
    remove(id);
    std::string refusal = message_json(refuse_start);
    co_return co_await answer_engine(exchange, 404, std::move(refusal));
  }
  EngineContainer& container = containers.at(id);
  container.state = "running";
  emit(id, "start");
  const auto creation = parse_json(container.body);
  if (!ready_line.empty())
    static_cast<void>(write_file_atomically(run_folder(*creation) + "/ready.json", ready_line + "\n"));
  if (die_at_start) end(id, 1, true);
  co_await answer_engine(exchange, 204, {});
}

asio::awaitable<void> FakeEngine::inspect(http::Exchange& exchange, std::string id) {
  const EngineContainer& container = containers.at(id);
  const Json state{{"Status", container.state},
                   {"ExitCode", container.exit_code},
                   {"OOMKilled", container.out_of_memory},
                   {"Error", container.error}};
  std::string body = dump_json(Json{{"Id", id}, {"State", state}});
  co_await answer_engine(exchange, 200, std::move(body));
}

asio::awaitable<void> FakeEngine::archive_of(http::Exchange& exchange, std::string id) {
  const EngineContainer& container = containers.at(id);
  http::Response head;
  head.content_type = "application/x-tar";
  head.fields.emplace_back("X-Docker-Container-Path-Stat", base64_encode(container.facts));
  head.body = container.files;
  static_cast<void>(co_await exchange.respond(std::move(head)));
}

asio::awaitable<void> FakeEngine::log_of(http::Exchange& exchange, std::string id) {
  http::Response head;
  head.content_type = "application/vnd.docker.raw-stream";
  head.body = frame(containers.at(id).log);
  static_cast<void>(co_await exchange.respond(std::move(head)));
}

asio::awaitable<void> FakeEngine::pull(http::Exchange& exchange) {
  credentials.emplace_back(exchange.head().field("x-registry-auth").value_or(""));
  const std::string tag = exchange.head().query_value("tag").value_or("");
  const std::string name = exchange.head().query_value("fromImage").value_or("") + ":" + tag;
  http::Response head;
  if (!co_await exchange.begin_stream(std::move(head))) co_return;
  bool failed = false;
  for (const std::string& line : pull_lines) {
    failed = failed || line.find("\"error\"") != std::string::npos;
    static_cast<void>(co_await exchange.write(line + "\n"));
  }
  if (endless_pull) {
    co_await wait_for_end(exchange);
    ++pulls_cut;
    co_return;
  }
  if (!failed) images[name] = R"({"Id":"sha256:)" + sha256_hex(name) + R"(","Config":{}})";
  static_cast<void>(co_await exchange.end_stream());
}

asio::awaitable<void> FakeEngine::events(http::Exchange& exchange) {
  http::Response head;
  if (!co_await exchange.begin_stream(std::move(head))) co_return;
  ++event_streams;
  const auto stream = std::make_shared<Stream>(context_);
  streams_.push_back(stream);
  exchange.on_disconnect([stream] {
    stream->cut = true;
    stream->more.cancel();
  });
  while (!stream->cut) {
    if (stream->lines.empty()) {
      stream->more.expires_at(asio::steady_timer::time_point::max());
      co_await stream->more.async_wait(kAwaitEngine);
      continue;
    }
    const std::string line = std::move(stream->lines.front());
    stream->lines.pop_front();
    const auto written = co_await exchange.write(line);
    if (!written) break;
  }
  std::erase(streams_, stream);
  static_cast<void>(co_await exchange.end_stream());
}

}  // namespace berth::testing

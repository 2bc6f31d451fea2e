// SPDX-License-Identifier: Apache-2.0
#include "drivers/docker/create_request.hpp"

#include <cmath>
#include <nlohmann/json.hpp>

#include "base/json.hpp"

namespace berth::drivers::docker {
namespace {

std::string in_home(const std::string& name) {
  return std::string(kHome) + "/" + name;
}

Json arguments(const CreateRequest& request) {
  return Json{"--listen",       "unix:" + in_home("run/sock"),
              "--config",       in_home("run/config.json"),
              "--data-dir",     in_home("data"),
              "--ready-file",   in_home("run/ready.json"),
              "--lonely-limit", std::to_string(request.lonely_limit.count())};
}

Json bind_mount(const std::string& source, const std::string& target, bool read_only = false) {
  return Json{{"Type", "bind"}, {"Source", source}, {"Target", target}, {"ReadOnly", read_only}};
}

Json labels(const CreateRequest& request) {
  const Wanted& wanted = request.wanted;
  return Json{{kAgentLabel, request.agent_id},
              {kJobLabel, wanted.job},
              {kContainerLabel, wanted.spec.id},
              {kImageLabel, wanted.image}};
}

Json mounts(const CreateRequest& request) {
  // A volume, so that there is a place for slotd's data in an image whose root cannot be written.
  Json all = Json::array();
  const Json options{{"Labels", labels(request)}, {"NoCopy", true}};
  all.push_back(Json{{"Type", "volume"}, {"Target", kHome}, {"VolumeOptions", options}});
  all.push_back(bind_mount(request.state, in_home("run")));
  if (!request.program.empty()) all.push_back(bind_mount(request.program, in_home("slotd"), true));
  for (const HostMount& each : request.groups) all.push_back(bind_mount(each.source, each.target));
  return all;
}

// Programs of slots reach a network only where slots have one; setup steps always do.
std::string network_mode(const Wanted& wanted) {
  if (wanted.spec.slot.network == NetworkMode::none && wanted.spec.setup.empty()) return "none";
  return wanted.network.empty() ? "bridge" : wanted.network;
}

Json security(const CreateRequest& request) {
  Json options = Json::array();
  if (request.engine.seccomp) options.push_back("seccomp=" + request.seccomp);
  // Its default profile forbids every mount.
  if (request.engine.apparmor) options.push_back("apparmor=unconfined");
  return options;
}

Json host_config(const CreateRequest& request) {
  const Wanted& wanted = request.wanted;
  Json host{{"SecurityOpt", security(request)},
            {"MaskedPaths", Json::array()},
            {"ReadonlyPaths", Json::array()},
            {"Privileged", false},
            {"NetworkMode", network_mode(wanted)},
            {"AutoRemove", request.engine_removes},
            {"RestartPolicy", Json{{"Name", "no"}}},
            {"LogConfig", Json{{"Type", "json-file"}, {"Config", Json{{"max-size", "1m"}, {"max-file", "2"}}}}},
            {"Mounts", mounts(request)}};
  if (!request.group_parent.empty()) host["CgroupParent"] = request.group_parent;
  if (wanted.cpu) host["NanoCpus"] = static_cast<std::int64_t>(std::llround(*wanted.cpu * 1e9));
  if (wanted.memory_bytes) host["Memory"] = *wanted.memory_bytes;
  // Without it as much swap again may be used.
  if (wanted.memory_bytes) host["MemorySwap"] = *wanted.memory_bytes;
  if (wanted.pids) host["PidsLimit"] = *wanted.pids;
  return host;
}

}  // namespace

std::string container_name(const std::string& id) {
  return "berth-" + id;
}

std::string create_body(const CreateRequest& request) {
  return dump_json(Json{{"Image", request.image.id},
                        {"Entrypoint", Json::array({in_home("slotd")})},
                        {"Cmd", arguments(request)},
                        {"User", "0:0"},
                        {"WorkingDir", "/"},
                        {"Healthcheck", Json{{"Test", Json::array({"NONE"})}}},
                        {"StopSignal", "SIGTERM"},
                        {"Tty", false},
                        {"OpenStdin", false},
                        {"Labels", labels(request)},
                        {"HostConfig", host_config(request)}});
}

ContainerSpec inside_spec(const Wanted& wanted, const ImageFacts& image) {
  ContainerSpec spec = wanted.spec;
  spec.root = RootMode::container;
  spec.rootfs.clear();
  spec.user = image.user;
  spec.image_env = image.env;
  return spec;
}

}  // namespace berth::drivers::docker

// SPDX-License-Identifier: Apache-2.0
// Slots of an agent elsewhere, as run and exec see them. Ids are drawn here, so that a call whose connection broke is
// asked for again and runs once.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "cli/place.hpp"
#include "cli/remote/remote.hpp"
#include "cli/state_dir.hpp"

namespace berth::cli {

class RemotePlace final : public Place {
 public:
  // `inputs`: the agent puts the job's inputs into the slots.
  RemotePlace(Remote& remote, PrivateStateDir state_dir, bool inputs)
      : remote_(remote), state_dir_(std::move(state_dir)), inputs_(inputs) {}

  [[nodiscard]] boost::asio::awaitable<Expected<Held>> acquire(std::string job, std::string trajectory) override;
  [[nodiscard]] boost::asio::awaitable<Expected<std::string>> lease_of(std::string name) override;
  [[nodiscard]] boost::asio::awaitable<Expected<Result>> call(std::string lease, agent::LeaseCall call,
                                                              agent::OutputSink sink) override;
  [[nodiscard]] boost::asio::awaitable<Expected<void>> put_tar(std::string lease, std::string path, std::string tar,
                                                               Deadline deadline) override;
  [[nodiscard]] boost::asio::awaitable<Expected<void>> get_file(std::string lease, std::string path, bool as_tar,
                                                                BytesSink sink, Deadline deadline) override;
  [[nodiscard]] boost::asio::awaitable<void> release(std::string lease) override;
  [[nodiscard]] bool brings_inputs() const override { return inputs_; }
  [[nodiscard]] boost::asio::awaitable<std::vector<std::string>> missing_isolation(std::string job) override;
  [[nodiscard]] boost::asio::io_context& context() override { return remote_.context(); }
  [[nodiscard]] const std::string& state_dir() const override { return state_dir_.path(); }
  [[nodiscard]] bool interrupted() const override { return remote_.interrupted(); }
  [[nodiscard]] std::string address() const override { return remote_.name(); }

 private:
  // What has been given to the sink of one call, by stream.
  using Given = std::map<std::string, std::uint64_t>;
  [[nodiscard]] boost::asio::awaitable<Expected<Result>> call_once(const http::ClientRequest& request,
                                                                   const std::string& execution,
                                                                   const agent::OutputSink& sink, Given& given);

  Remote& remote_;
  PrivateStateDir state_dir_;
  const bool inputs_;
};

// "/v1/leases/LEASE/files/PATH?tar=1", PATH relative to the workspace.
[[nodiscard]] std::string files_target(const std::string& lease, const std::string& path, bool tar);

}  // namespace berth::cli

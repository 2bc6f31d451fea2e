// SPDX-License-Identifier: Apache-2.0
// A job's inputs into a slot and its outputs back (wire.md 2.3).
#pragma once

#include <boost/asio/awaitable.hpp>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "cli/place.hpp"
#include "jobs/job.hpp"

namespace berth::cli {

// Every distinct input of the job as a tar in the state directory, made before anything starts.
class PackedInputs {
 public:
  // Packs what `works` need. Error: code, and a message that names the input with its place in the job file.
  [[nodiscard]] Expected<void> prepare(const jobs::Job& job, const std::vector<jobs::ReadyWork>& works,
                                       const std::string& state_dir);
  // The tar file of an input that was prepared, and the folder of the workspace that it goes to.
  [[nodiscard]] std::pair<std::string, std::string> find(const jobs::Input& input) const;

 private:
  std::map<std::pair<std::string, std::string>, std::string> tars_;  // (from, file name) -> tar file
};

struct FetchedOutput {
  std::vector<std::string> warnings;
  std::optional<Error> error;
};

// Puts the inputs into the lease's slot, unless they are there.
[[nodiscard]] boost::asio::awaitable<Expected<void>> bring_inputs(Place& place, std::string lease,
                                                                  const std::vector<jobs::Input>& inputs,
                                                                  const PackedInputs& packed);
// Brings one output back below the job file's folder. Missing: an error only where it is required, else a warning.
[[nodiscard]] boost::asio::awaitable<FetchedOutput> fetch_output(Place& place, std::string lease, const jobs::Job& job,
                                                                 jobs::Output output);

}  // namespace berth::cli

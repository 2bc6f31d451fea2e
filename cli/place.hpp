// SPDX-License-Identifier: Apache-2.0
// Where a command's slots are: in an agent inside the command, or in one that it talks to. Everything runs on one
// io_context.
#pragma once

#include <boost/asio/awaitable.hpp>
#include <boost/asio/io_context.hpp>
#include <string>
#include <vector>

#include "agent/runtime/runtime.hpp"

namespace berth::cli {

struct Held {
  std::string lease;
  std::string slot;  // "CONTAINER:slot_N"
};

class Place {
 public:
  using BytesSink = agent::ContainerLink::BytesSink;

  virtual ~Place() = default;

  // Waits until there is a slot. Errors: those of Runtime::acquire, and of the connection.
  [[nodiscard]] virtual boost::asio::awaitable<Expected<Held>> acquire(std::string job, std::string trajectory) = 0;
  // The lease that a user names: its id, or the slot CONTAINER:slot_N that it holds.
  [[nodiscard]] virtual boost::asio::awaitable<Expected<std::string>> lease_of(std::string name) = 0;
  // Errors mean that nothing ran.
  [[nodiscard]] virtual boost::asio::awaitable<Expected<Result>> call(std::string lease, agent::LeaseCall call,
                                                                      agent::OutputSink sink) = 0;
  [[nodiscard]] virtual boost::asio::awaitable<Expected<void>> put_tar(std::string lease, std::string path,
                                                                       std::string tar, Deadline deadline) = 0;
  // Errors: "not_found", "not_a_file" (a directory asked for as a file), the sink's, the connection's.
  [[nodiscard]] virtual boost::asio::awaitable<Expected<void>> get_file(std::string lease, std::string path,
                                                                        bool as_tar, BytesSink sink,
                                                                        Deadline deadline) = 0;
  [[nodiscard]] virtual boost::asio::awaitable<void> release(std::string lease) = 0;
  // The job's inputs are in each slot that acquire() gives.
  [[nodiscard]] virtual bool brings_inputs() const { return false; }
  // What isolation the job's containers say is not in force; a sentence each, none twice.
  [[nodiscard]] virtual boost::asio::awaitable<std::vector<std::string>> missing_isolation(std::string job) = 0;

  [[nodiscard]] virtual boost::asio::io_context& context() = 0;
  [[nodiscard]] virtual const std::string& state_dir() const = 0;  // private to this command
  [[nodiscard]] virtual bool interrupted() const = 0;
  // What BERTH_ADDR has to be for other commands to reach the same slots; empty: they cannot.
  [[nodiscard]] virtual std::string address() const = 0;
};

}  // namespace berth::cli

// SPDX-License-Identifier: Apache-2.0
// One name, asked for once: the hosts file, then the name servers of resolv.conf, read anew each time. Search domains
// do not apply, so that the name asked for is the name that was allowed. Single-threaded.
#pragma once

#include <boost/asio/awaitable.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/posix/stream_descriptor.hpp>
#include <boost/asio/steady_timer.hpp>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/deadline.hpp"
#include "slotd/proxy/address_rules.hpp"

struct ares_channeldata;
struct ares_addrinfo;

namespace berth::slotd::proxy {

class Lookup : public std::enable_shared_from_this<Lookup> {
 public:
  // `servers`: "ADDRESS[:PORT]", comma-separated, instead of those of resolv.conf; or empty.
  Lookup(asio::io_context& context, std::string servers)
      : context_(context), servers_(std::move(servers)), timer_(context) {}
  ~Lookup();
  Lookup(const Lookup&) = delete;
  Lookup& operator=(const Lookup&) = delete;

  // Every address of both families, at least one. Once, on an object made by make_shared. Errors: "name", "timeout".
  [[nodiscard]] static asio::awaitable<Expected<std::vector<Address>>> run(std::shared_ptr<Lookup> self,
                                                                           std::string name, Deadline deadline);
  // Makes run() fail soon.
  void cancel();

 private:
  [[nodiscard]] Expected<void> open();
  void watch();
  void process();
  [[nodiscard]] Deadline next_look(Deadline deadline) const;
  static void answered(void* self, int status, int timeouts, ares_addrinfo* found);
  void take(const ares_addrinfo& found);

  asio::io_context& context_;
  const std::string servers_;
  asio::steady_timer timer_;
  ares_channeldata* channel_ = nullptr;
  std::vector<asio::posix::stream_descriptor> watched_;  // duplicates: the channel closes its own as it likes
  std::optional<int> status_;                            // once there is an answer
  std::vector<Address> found_;
  bool cancelled_ = false;
};

}  // namespace berth::slotd::proxy

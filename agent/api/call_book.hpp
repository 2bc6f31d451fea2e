// SPDX-License-Identifier: Apache-2.0
// Calls under way over /v1: how many and how large, all together and of each token; and what became of those that
// nobody waits for. Private to agent/api. Single-threaded.
#pragma once

#include <cstddef>
#include <deque>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include "agent/api/tokens.hpp"
#include "base/clock.hpp"
#include "berth/call.hpp"
#include "berth/error.hpp"

namespace berth::agent {

struct CallBookLimits {
  std::size_t bytes = std::size_t{256} << 20;      // texts of calls under way
  std::size_t calls = 65'536;                      // calls under way
  std::size_t kept_bytes = std::size_t{64} << 20;  // results kept, oldest go first
  Duration kept_for = std::chrono::minutes(10);
};

class CallBook {
 public:
  explicit CallBook(CallBookLimits limits = {}) : limits_(limits) {}

  // Held as long as the call is under way.
  class Admission {
   public:
    Admission(CallBook& book, std::string owner, std::size_t bytes);
    ~Admission();
    Admission(Admission&& other) noexcept;
    Admission& operator=(Admission&&) = delete;

   private:
    CallBook* book_;
    std::string owner_;
    std::size_t bytes_;
  };
  // Errors "too_many_calls" (the token's own limit), "busy" (everybody's).
  [[nodiscard]] Expected<Admission> admit(const Caller& caller, std::size_t bytes);

  struct Record {
    std::string lease;
    std::string id;
    std::optional<Result> result;  // once it has ended
    TimePoint ended{};
  };
  // A call that begins. The same id again while the first runs shares its record.
  [[nodiscard]] std::shared_ptr<Record> open(const std::string& lease, const std::string& id);
  // The call ended; without a result it was not accepted and the record goes.
  void close(const std::shared_ptr<Record>& record, std::optional<Result> result, bool keep, TimePoint now);
  [[nodiscard]] std::shared_ptr<Record> find(const std::string& lease, const std::string& id, TimePoint now);

  [[nodiscard]] std::size_t under_way() const { return under_way_; }
  [[nodiscard]] std::size_t bytes() const { return bytes_; }
  [[nodiscard]] std::size_t kept_bytes() const { return kept_bytes_; }

 private:
  using Key = std::pair<std::string, std::string>;
  void forget(const Record& record);
  void expire(TimePoint now);

  const CallBookLimits limits_;
  std::size_t under_way_ = 0;
  std::size_t bytes_ = 0;
  std::size_t kept_bytes_ = 0;
  std::map<std::string, unsigned, std::less<>> by_owner_;
  std::map<Key, std::shared_ptr<Record>> records_;
  std::deque<std::shared_ptr<Record>> kept_;  // in the order of their ends
};

}  // namespace berth::agent

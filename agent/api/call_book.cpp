// SPDX-License-Identifier: Apache-2.0
#include "agent/api/call_book.hpp"

namespace berth::agent {
namespace {

std::size_t size_of(const CallBook::Record& record) {
  const std::size_t own = sizeof(CallBook::Record) + record.lease.size() + record.id.size();
  if (!record.result) return own;
  return own + record.result->output.size() + record.result->error.size() + record.result->metadata.size();
}

}  // namespace

CallBook::Admission::Admission(CallBook& book, std::string owner, std::size_t bytes)
    : book_(&book), owner_(std::move(owner)), bytes_(bytes) {
  ++book.under_way_;
  book.bytes_ += bytes;
  ++book.by_owner_[owner_];
}

CallBook::Admission::Admission(Admission&& other) noexcept
    : book_(std::exchange(other.book_, nullptr)), owner_(std::move(other.owner_)), bytes_(other.bytes_) {}

CallBook::Admission::~Admission() {
  if (book_ == nullptr) return;
  --book_->under_way_;
  book_->bytes_ -= bytes_;
  const auto owner = book_->by_owner_.find(owner_);
  if (--owner->second == 0) book_->by_owner_.erase(owner);
}

Expected<CallBook::Admission> CallBook::admit(const Caller& caller, std::size_t bytes) {
  const auto own = by_owner_.find(caller.name);
  if (caller.calls && own != by_owner_.end() && own->second >= *caller.calls)
    return fail("too_many_calls", "the token's " + std::to_string(*caller.calls) + " calls are under way",
                "wait for some of their results");
  if (under_way_ >= limits_.calls || bytes_ + bytes > limits_.bytes)
    return fail("busy", "the calls that are under way fill the memory for them", "try again");
  return Admission(*this, caller.name, bytes);
}

std::shared_ptr<CallBook::Record> CallBook::open(const std::string& lease, const std::string& id) {
  auto& record = records_[Key{lease, id}];
  if (record && !record->result) return record;
  if (record) {
    kept_bytes_ -= size_of(*record);
    std::erase(kept_, record);
  }
  record = std::make_shared<Record>(Record{lease, id, std::nullopt, {}});
  return record;
}

void CallBook::close(const std::shared_ptr<Record>& record, std::optional<Result> result, bool keep, TimePoint now) {
  if (record->result) return;
  if (!result || !keep) return forget(*record);
  record->result = std::move(result);
  record->ended = now;
  kept_.push_back(record);
  kept_bytes_ += size_of(*record);
  expire(now);
}

std::shared_ptr<CallBook::Record> CallBook::find(const std::string& lease, const std::string& id, TimePoint now) {
  expire(now);
  const auto found = records_.find(Key{lease, id});
  return found == records_.end() ? nullptr : found->second;
}

void CallBook::forget(const Record& record) {
  const auto found = records_.find(Key{record.lease, record.id});
  if (found != records_.end() && found->second.get() == &record) records_.erase(found);
}

void CallBook::expire(TimePoint now) {
  while (!kept_.empty() && (kept_bytes_ > limits_.kept_bytes || now - kept_.front()->ended > limits_.kept_for)) {
    const auto oldest = std::move(kept_.front());
    kept_.pop_front();
    kept_bytes_ -= size_of(*oldest);
    forget(*oldest);
  }
}

}  // namespace berth::agent

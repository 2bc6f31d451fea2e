// SPDX-License-Identifier: Apache-2.0
#include "agent/executor/keyed_calls.hpp"

#include <algorithm>

namespace berth::agent {
namespace {

std::size_t result_bytes(const Result& result) {
  return sizeof(Result) + result.output.size() + result.error.size() + result.metadata.size();
}

void tell(KeyedCalls::Call& call, Result result, TimePoint now) {
  call.over = true;
  call.result = std::move(result);
  call.ended = now;
  call.news.cancel();
}

}  // namespace

KeyedCalls::CallPtr KeyedCalls::find(const Key& key, TimePoint now) {
  expire(now);
  const auto found = calls_.find(key);
  return found == calls_.end() ? nullptr : found->second;
}

KeyedCalls::CallPtr KeyedCalls::begin(Key key, std::string content) {
  auto call = std::make_shared<Call>(context_, key, std::move(content));
  calls_.insert_or_assign(std::move(key), call);
  return call;
}

void KeyedCalls::end(const CallPtr& call, Result result, TimePoint now) {
  tell(*call, std::move(result), now);
  const auto known = calls_.find(call->key);
  if (known == calls_.end() || known->second != call) return;
  bytes_ += result_bytes(*call->result);
  with_result_.push_back(call);
  ended_.push_back(call);
  expire(now);
}

void KeyedCalls::end_unmade(const CallPtr& call, Result result, TimePoint now) {
  tell(*call, std::move(result), now);
  const auto known = calls_.find(call->key);
  if (known != calls_.end() && known->second == call) calls_.erase(known);
}

void KeyedCalls::forget(const Trajectories::Key& trajectory) {
  auto each = calls_.lower_bound(Key{trajectory, {}});
  while (each != calls_.end() && each->first.first == trajectory) {
    const CallPtr call = each->second;
    each = calls_.erase(each);
    if (!call->over) continue;
    drop_result(*call);
    std::erase(with_result_, call);
    std::erase(ended_, call);
  }
}

void KeyedCalls::drop_result(Call& call) {
  if (!call.result) return;
  bytes_ -= result_bytes(*call.result);
  call.result.reset();
}

void KeyedCalls::expire(TimePoint now) {
  while (!with_result_.empty() && (bytes_ > limits_.bytes || now - with_result_.front()->ended > limits_.kept_for)) {
    drop_result(*with_result_.front());
    with_result_.pop_front();
  }
  while (calls_.size() > limits_.calls && !ended_.empty()) {
    const CallPtr oldest = std::move(ended_.front());
    ended_.pop_front();
    drop_result(*oldest);
    if (!with_result_.empty() && with_result_.front() == oldest) with_result_.pop_front();
    calls_.erase(oldest->key);
  }
}

}  // namespace berth::agent

// SPDX-License-Identifier: Apache-2.0
#include "agent/events/event_log.hpp"

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <charconv>
#include <nlohmann/json.hpp>

#include "base/json.hpp"
#include "base/text.hpp"

namespace berth::agent {

namespace asio = boost::asio;

namespace {

// No token has this name: until a lease's owner is known, only those who see everything see what is about it.
constexpr std::string_view kNobody = "?";

Json lease_json(const pool::Lease& lease, std::string_view change) {
  return Json{{"lease", lease.id},
              {"change", change},
              {"job", lease.job},
              {"trajectory", lease.trajectory},
              {"container", lease.container},
              {"slot", pool::slot_name(lease.slot)},
              {"generation", lease.generation}};
}

}  // namespace

EventLog::EventLog(asio::io_context& context, std::size_t most_events)
    : most_events_(most_events),
      life_(random_hex(6)),
      news_(std::make_shared<asio::steady_timer>(context, TimePoint::max())) {}

EventLog::~EventLog() = default;

void EventLog::observe(const pool::Effect& effect) {
  std::visit([this](const auto& each) { on(each); }, effect);
}

void EventLog::job_changed(std::string_view job, std::string_view change) {
  add("job", dump_json(Json{{"job", job}, {"change", change}}), {});
}

void EventLog::on(const pool::Granted& effect) {
  if (effect.existing) return;
  add("lease", dump_json(lease_json(effect.lease, "granted")), effect.lease.owner);
}

void EventLog::on(const pool::LeaseEnded& effect) {
  Json data = lease_json(effect.lease, "ended");
  data["why"] = pool::to_string(effect.why);
  if (!effect.message.empty()) data["message"] = effect.message;
  owners_.erase(effect.lease.id);
  unowned_.erase(effect.lease.id);
  add("lease", dump_json(data), effect.lease.owner);
}

void EventLog::on(const pool::Persist& effect) {
  const auto* saved = std::get_if<pool::LeaseSaved>(&effect.change);
  if (saved == nullptr) return;
  owners_.insert_or_assign(saved->lease.id, saved->lease.owner);
  const auto early = unowned_.find(saved->lease.id);
  if (early == unowned_.end()) return;
  if (early->second >= oldest()) events_[early->second - oldest()].owner = saved->lease.owner;
  unowned_.erase(early);
}

void EventLog::on(const pool::SlotChanged& effect) {
  Json data{{"container", effect.container},
            {"slot", pool::slot_name(effect.slot)},
            {"job", effect.job},
            {"from", pool::to_string(effect.from)},
            {"to", pool::to_string(effect.to)},
            {"generation", effect.generation}};
  if (!effect.lease.empty()) data["lease"] = effect.lease;
  if (!effect.why.empty()) data["why"] = effect.why;
  const auto owner = owners_.find(effect.lease);
  const bool unowned = !effect.lease.empty() && owner == owners_.end();
  add("slot", dump_json(data), owner == owners_.end() ? std::string(unowned ? kNobody : "") : owner->second);
  if (unowned) unowned_.insert_or_assign(effect.lease, newest_);
}

void EventLog::on(const pool::ContainerChanged& effect) {
  Json data{{"container", effect.container},
            {"job", effect.job},
            {"from", pool::to_string(effect.from)},
            {"to", pool::to_string(effect.to)},
            {"draining", effect.draining}};
  if (!effect.why.empty()) data["why"] = effect.why;
  add("container", dump_json(data), {});
}

void EventLog::on(const pool::JobGone& effect) {
  job_changed(effect.job, "gone");
}

void EventLog::add(std::string type, std::string data, std::string owner) {
  events_.push_back(Event{++newest_, std::move(type), std::move(data), std::move(owner)});
  if (events_.size() > most_events_) events_.pop_front();
  news_->cancel();
}

std::string EventLog::id_of(std::uint64_t number) const {
  return life_ + "-" + std::to_string(number);
}

std::optional<std::uint64_t> EventLog::number_of(std::string_view id) const {
  const std::string prefix = life_ + "-";
  if (id.substr(0, prefix.size()) != prefix) return std::nullopt;
  id.remove_prefix(prefix.size());
  std::uint64_t number = 0;
  const auto read = std::from_chars(id.data(), id.data() + id.size(), number);
  const bool good = read.ec == std::errc() && read.ptr == id.data() + id.size() && number <= newest_;
  return good ? std::optional(number) : std::nullopt;
}

std::uint64_t EventLog::oldest() const {
  return events_.empty() ? newest_ + 1 : events_.front().number;
}

std::vector<Event> EventLog::after(std::uint64_t number, std::size_t most) const {
  std::vector<Event> found;
  if (events_.empty() || number >= newest_) return found;
  const auto first = number < oldest() ? 0 : number - oldest() + 1;
  for (auto i = first; i < events_.size() && found.size() < most; ++i) found.push_back(events_[i]);
  return found;
}

asio::awaitable<void> EventLog::wait(std::uint64_t number, Deadline until) {
  if (newest_ > number) co_return;
  // Its own timer for the deadline would be one more to cancel: a second one that wakes everybody does no harm.
  const auto news = news_;
  asio::steady_timer limit(news->get_executor());
  limit.expires_at(until.at());
  limit.async_wait([news](boost::system::error_code error) {
    if (!error) news->cancel();
  });
  co_await news->async_wait(asio::as_tuple(asio::use_awaitable));
}

void EventLog::wake() {
  news_->cancel();
}

}  // namespace berth::agent

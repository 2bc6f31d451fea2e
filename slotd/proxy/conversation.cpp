// SPDX-License-Identifier: Apache-2.0
#include "slotd/proxy/conversation.hpp"

#include <algorithm>

#include "base/http/gate.hpp"
#include "base/http/syntax.hpp"

namespace berth::slotd::proxy {
namespace {

constexpr std::size_t kMostInput = std::size_t{32} << 10;
constexpr std::size_t kMostHead = http::HeadLimits().max_bytes;
// What a client still sends after a refusal is read for so long, so that the refusal reaches it.
constexpr auto kLinger = std::chrono::seconds(2);
constexpr std::size_t kMostLingering = std::size_t{256} << 10;

std::string not_listed_words(const HostPort& destination) {
  const std::string name = to_string(destination);
  return name +
         " is not among the hosts that this slot may reach; slot.network of the job file would need: {allow: [\"" +
         name + "\"]}";
}

std::string bad_address_words(const HostPort& destination, const Error& error) {
  return to_string(destination) + " is at " + error.message + ", which no slot may reach, whatever the job file lists";
}

}  // namespace

Conversation::Conversation(std::shared_ptr<Gate> gate, std::shared_ptr<TrafficBook> book)
    : gate_(std::move(gate)),
      book_(std::move(book)),
      client_(std::make_shared<http::Wire>(gate_->context())),
      input_(kMostInput),
      idle_timer_(gate_->context()) {
  counted_in_ = gate_->enter();
}

Conversation::~Conversation() {
  cut();
}

bool Conversation::adopt(UniqueFd client) {
  return client_->adopt(std::move(client), AF_INET);
}

void Conversation::cut() {
  cut_ = true;
  client_->close();
  if (far_) far_->close();
  if (lookup_) lookup_->cancel();
  if (dial_) dial_->cancel();
  idle_timer_.cancel();
  if (std::exchange(counted_in_, false)) gate_->leave();
  if (const auto over = std::exchange(over_, nullptr)) over();
}

asio::awaitable<void> Conversation::run(std::shared_ptr<Conversation> self) {
  if (!self->counted_in_) {
    Refusal full{503, "connections", "this container has too many connections open; try again when some have ended"};
    co_await self->refuse(std::move(full), {});
    self->cut();
  }
  bool first = true;
  while (!self->cut_) {
    auto head = co_await self->read_head(std::exchange(first, false));
    if (!head) {
      if (head.error().status != 0) co_await self->refuse(std::move(head.error()), {});
      break;
    }
    const bool goes_on = co_await self->serve_one(*std::move(head));
    if (!goes_on) break;
  }
  self->cut();
}

// Status 0: the client went away, or was silent for too long.
asio::awaitable<Conversation::OrRefusal<std::string>> Conversation::read_head(bool first) {
  const auto gone = tl::unexpected(Refusal{0, {}, {}});
  http::HeadScan scan;
  Deadline deadline(now() + (first ? gate_->limits().head : gate_->limits().between));
  bool waiting_for_more = !first && input_.empty();
  while (true) {
    const auto end = scan.find_end(input_.view(), kMostHead);
    if (!end) co_return tl::unexpected(Refusal{http::gate_status(end.error()), "malformed", end.error().message});
    if (*end) {
      std::string head(input_.view().substr(0, **end));
      input_.consume(**end);
      co_return head;
    }
    const auto got = co_await client_->read(input_.prepare(), deadline);
    if (cut_ || got.status != http::IoStatus::done) co_return gone;
    input_.commit(got.bytes);
    if (std::exchange(waiting_for_more, false)) deadline = Deadline(now() + gate_->limits().head);
  }
}

asio::awaitable<bool> Conversation::serve_one(std::string head) {
  auto request = parse_proxy_request(head);
  if (!request) {
    Refusal refusal{http::gate_status(request.error()), "malformed", request.error().message};
    co_await refuse(std::move(refusal), {});
    co_return false;
  }
  destination_ = to_string(request->destination);
  const auto pattern = gate_->pattern_for(request->destination);
  if (!pattern) {
    Refusal refusal{403, "not_listed", not_listed_words(request->destination)};
    co_await refuse(std::move(refusal), destination_);
    co_return false;
  }
  pattern_ = *pattern;
  auto reached = co_await reach(request->destination);
  if (!reached) {
    co_await refuse(std::move(reached.error()), destination_);
    co_return false;
  }
  if (cut_) co_return false;
  Traffic one;
  one.connections = 1;
  count(one);
  if (!request->connect) co_return co_await exchange(*std::move(request));
  co_await tunnel();
  co_return false;
}

asio::awaitable<void> Conversation::refuse(Refusal refusal, std::string destination) {
  if (cut_) co_return;
  gate_->count_refused(refusal.reason);
  if (!destination.empty()) {
    Traffic one;
    one.refused = 1;
    book_->note(destination, one);
  }
  const std::string text = refusal_text(refusal.status, refusal.reason, refusal.words);
  iovec part = http::part_of(text);
  const Deadline deadline(now() + kLinger);
  const auto written = co_await client_->write(std::span(&part, 1), deadline);
  if (written.status == http::IoStatus::done) co_await linger();
}

// A socket that is closed with bytes unread takes what was sent last from the client.
asio::awaitable<void> Conversation::linger() {
  const Deadline deadline(now() + kLinger);
  if (!cut_) co_await client_->end_sending(deadline);
  std::vector<char> scrap(4096);
  for (std::size_t read = 0; !cut_ && read < kMostLingering;) {
    const auto got = co_await client_->read(scrap, deadline);
    if (got.status != http::IoStatus::done) co_return;
    read += got.bytes;
  }
}

asio::awaitable<Conversation::OrRefusal<std::vector<Address>>> Conversation::find(const HostPort& destination) {
  if (destination.literal) {
    std::vector<Address> one(1, asio::ip::make_address(destination.host));
    co_return one;
  }
  lookup_ = std::make_shared<Lookup>(gate_->context(), gate_->name_servers());
  auto found = co_await Lookup::run(lookup_, destination.host, Deadline(now() + gate_->limits().lookup));
  lookup_.reset();
  if (found) co_return *std::move(found);
  const bool late = found.error().code == "timeout";
  co_return tl::unexpected(Refusal{late ? 504 : 502, late ? "timeout" : "name", found.error().message});
}

// The connection goes to an address that was judged, never to a name: between the two nobody can change its meaning.
asio::awaitable<Conversation::OrRefusal<void>> Conversation::reach(const HostPort& destination) {
  auto addresses = co_await find(destination);
  if (!addresses) co_return tl::unexpected(std::move(addresses.error()));
  if (const auto judged = gate_->judge(*addresses); !judged) {
    const bool bad = judged.error().code == "address";
    co_return tl::unexpected(Refusal{bad ? 403 : 502, bad ? "address" : "connect",
                                     bad ? bad_address_words(destination, judged.error()) : judged.error().message});
  }
  const bool connected = co_await connect_to(*addresses, *destination.port);
  if (!connected) {
    co_return tl::unexpected(Refusal{502, "connect", "no connection to " + to_string(destination)});
  }
  co_return OrRefusal<void>();
}

asio::awaitable<bool> Conversation::connect_to(const std::vector<Address>& addresses, std::uint16_t port) {
  const Deadline deadline(now() + gate_->limits().connect);
  for (std::size_t i = 0; i < addresses.size() && !cut_; ++i) {
    dial_ = std::make_shared<http::Dial>(gate_->context());
    http::Address address;
    address.host = addresses[i].to_string();
    address.port = port;
    // One that swallows packets leaves time for the next.
    const auto left = deadline.remaining(now()) / static_cast<int>(std::min<std::size_t>(addresses.size() - i, 3));
    auto wire = co_await http::Dial::run(dial_, std::move(address), Deadline(now() + left));
    dial_.reset();
    if (!wire) continue;
    far_ = *std::move(wire);
    if (cut_) far_->close();
    co_return !cut_;
  }
  co_return false;
}

}  // namespace berth::slotd::proxy

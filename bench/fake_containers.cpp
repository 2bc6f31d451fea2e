// SPDX-License-Identifier: Apache-2.0
#include "bench/fake_containers.hpp"

#include <sys/socket.h>
#include <system_error>
#include <unistd.h>

#include <array>
#include <boost/asio/as_tuple.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/local/stream_protocol.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <deque>
#include <filesystem>
#include <thread>

#include "base/fd.hpp"
#include "base/text.hpp"
#include "tests/support/fake_slotd.hpp"

namespace berth::bench {
namespace {

namespace asio = boost::asio;
using asio::local::stream_protocol;
constexpr auto kAwait = asio::as_tuple(asio::use_awaitable);

struct Handed {
  std::string address;  // as slotd's --listen
  UniqueFd ready;
};

Handed receive(int from) {
  std::array<char, 256> text;
  iovec place{text.data(), text.size()};
  alignas(cmsghdr) std::array<char, CMSG_SPACE(sizeof(int))> room{};
  msghdr message{};
  message.msg_iov = &place;
  message.msg_iovlen = 1;
  message.msg_control = room.data();
  message.msg_controllen = room.size();
  const ssize_t size = ::recvmsg(from, &message, MSG_CMSG_CLOEXEC);
  Handed handed;
  if (size > 0) handed.address.assign(text.data(), static_cast<std::size_t>(size));
  const cmsghdr* const rights = CMSG_FIRSTHDR(&message);
  int fd = -1;
  if (rights != nullptr && rights->cmsg_type == SCM_RIGHTS) std::memcpy(&fd, CMSG_DATA(rights), sizeof fd);
  handed.ready.reset(fd);
  return handed;
}

}  // namespace

class FakeContainers::Hub {
 public:
  explicit Hub(const std::string& path) : acceptor_(context_, stream_protocol::endpoint(path)) {
    asio::co_spawn(context_, accept(), asio::detached);
    thread_ = std::thread([this] { context_.run(); });
  }
  ~Hub() {
    context_.stop();
    thread_.join();
    // What still runs on the loop refers to the containers.
    context_.restart();
    for (const auto& container : containers_) container->die();
    context_.poll();
  }
  Hub(const Hub&) = delete;
  Hub& operator=(const Hub&) = delete;

 private:
  asio::awaitable<void> accept() {
    while (true) {
      auto launcher = std::make_shared<stream_protocol::socket>(context_);
      const auto [error] = co_await acceptor_.async_accept(*launcher, kAwait);
      if (error) co_return;
      asio::co_spawn(context_, welcome(std::move(launcher)), asio::detached);
    }
  }

  // The launcher's connection stays open as long as this process lives.
  asio::awaitable<void> welcome(std::shared_ptr<stream_protocol::socket> launcher) {
    const auto [error] = co_await launcher->async_wait(stream_protocol::socket::wait_read, kAwait);
    if (error) co_return;
    const Handed handed = receive(launcher->native_handle());
    testing::FakeOptions options;
    options.slots = kFakeSlots;
    options.boot_id = random_hex(8);
    const std::string line = R"({"ok":true,"boot_id":")" + options.boot_id + "\",\"port\":0}\n";
    containers_.push_back(std::make_unique<testing::FakeSlotd>(context_, std::move(options)));
    if (containers_.back()->listen(handed.address).empty()) co_return;
    static_cast<void>(write_all(handed.ready.get(), line));
    launchers_.push_back(std::move(launcher));
  }

  asio::io_context context_{1};
  stream_protocol::acceptor acceptor_;
  std::deque<std::unique_ptr<testing::FakeSlotd>> containers_;
  std::deque<std::shared_ptr<stream_protocol::socket>> launchers_;
  std::thread thread_;
};

Expected<std::unique_ptr<FakeContainers>> FakeContainers::start(const std::string& launcher) {
  std::string folder = (std::filesystem::temp_directory_path() / "bf-XXXXXX").string();
  if (::mkdtemp(folder.data()) == nullptr) return fail_errno("mkdtemp", errno);
  std::unique_ptr<FakeContainers> all(new FakeContainers());
  all->folder_ = folder;
  if (::symlink(launcher.c_str(), all->program().c_str()) != 0) return fail_errno("linking " + launcher, errno);
  all->hub_ = std::make_unique<Hub>(folder + "/hub");
  return all;
}

FakeContainers::~FakeContainers() {
  hub_.reset();
  std::error_code ignored;
  if (!folder_.empty()) std::filesystem::remove_all(folder_, ignored);
}

}  // namespace berth::bench

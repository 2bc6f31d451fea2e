// SPDX-License-Identifier: Apache-2.0
// Two slots that want to talk: row 8 of the threat table. The first keeps a process that offers a secret by every means
// and then the second tries each of them.
#include <unistd.h>

#include <algorithm>
#include <gtest/gtest.h>

#include "fault_support.hpp"

namespace berth::isolation::test {
namespace {

// Names and numbers both sides know.
constexpr const char* kShared = R"py(
import fcntl, socket, struct
SECRET = b'sixteen secret b'
KEY = 0x73656372
PATHS = ['/tmp/s', '/workspace/s', '/dev/shm/s', '/var/tmp/s', '/run/s', '/usr/s', '/etc/s']
def mq_open(flags, attr): return libc.syscall(ctypes.c_long(240), b'secret', ctypes.c_long(flags), ctypes.c_long(0o666), attr)
)py";

constexpr const char* kOffer = R"py(
offered = []
def offer(how, f):
    try:
        f()
        offered.append(how)
    except OSError: pass
keep = []
def listen(address):
    s = socket.socket(socket.AF_UNIX); s.bind(address); s.listen(1); keep.append(s)
def listen_ip():
    s = socket.socket(); s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1); s.bind(('127.0.0.1', 45454)); s.listen(1); keep.append(s)
def put(path):
    with open(path, 'wb') as f: f.write(SECRET)
def shm():
    id = libc.shmget(KEY, 4096, 0o1666)
    if id < 0: raise OSError
def message_queue():
    if libc.msgget(KEY, 0o1666) < 0: raise OSError
def semaphore():
    if libc.semget(KEY, 1, 0o1666) < 0: raise OSError
def posix_queue():
    attr = (ctypes.c_long * 8)(0, 2, 16, 0)
    if mq_open(0o102, ctypes.byref(attr)) < 0: raise OSError
def lock(path):
    fcntl.flock(os.open(path, os.O_RDONLY), fcntl.LOCK_EX | fcntl.LOCK_NB)
def terminal():
    master, slave = os.openpty(); keep.append((master, slave))
offer('abstract socket', lambda: listen('\0secret'))
offer('loopback', listen_ip)
for path in PATHS: offer(path, lambda: put(path))
for path in PATHS[:5]: offer('socket ' + path, lambda: listen(path + 'ock'))
offer('shm', shm); offer('msg', message_queue); offer('sem', semaphore); offer('mq', posix_queue)
for path in ('/usr/bin/env', '/etc/passwd', '/usr', '/dev/null'): offer('lock ' + path, lambda: lock(path))
offer('terminal', terminal)
if os.fork() > 0:
    print(len(offered), flush=True)
    os._exit(0)
for n in (0, 1, 2): os.close(n)
import signal
signal.pause()
)py";

constexpr const char* kReceive = R"py(
got = []
def reach(how, f):
    try: f()
    except OSError: return
    got.append(how)
def connect(address): socket.socket(socket.AF_UNIX).connect(address)
def shm_get():
    if libc.shmget(KEY, 0, 0) < 0: raise OSError
def msg_get():
    if libc.msgget(KEY, 0) < 0: raise OSError
def sem_get():
    if libc.semget(KEY, 0, 0) < 0: raise OSError
def queue_get():
    if mq_open(0, None) < 0: raise OSError
def find_lock(path):
    try: fcntl.flock(os.open(path, os.O_RDONLY), fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError: return
    raise OSError
reach('abstract socket', lambda: connect('\0secret'))
reach('loopback', lambda: socket.create_connection(('127.0.0.1', 45454)))
for path in PATHS: reach(path, lambda: open(path).close())
for path in PATHS[:5]: reach('socket ' + path, lambda: connect(path + 'ock'))
reach('shm', shm_get); reach('msg', msg_get); reach('sem', sem_get); reach('mq', queue_get)
for path in ('/usr/bin/env', '/etc/passwd', '/usr', '/dev/null'): reach('lock ' + path, lambda: find_lock(path))
reach('terminal', lambda: os.close(os.open('/dev/pts/0', os.O_RDWR | os.O_NOCTTY)))
reach('vsock', lambda: socket.socket(40, socket.SOCK_STREAM))
if call(250, 0, -3, 1) == 'ok': got.append('keyring')
print(got)
)py";

class Neighbours : public FaultTest {};

// The accepted residue (docs/security.md): one bit by a lock on the machine's /dev/null.
constexpr const char* kResidue = "['lock /dev/null']";

TEST_F(Neighbours, ShareNoChannel) {
  auto sender = make_room(0);
  auto receiver = make_room(1);
  ASSERT_TRUE(sender && receiver);
  const auto offered = printed(*sender, std::string(kShared) + kOffer);
  ASSERT_FALSE(offered.empty());
  EXPECT_GE(std::stoi(offered), 18) << "the sender can do all this in its own slot";
  EXPECT_EQ(printed(*receiver, std::string(kShared) + kReceive), kResidue);
}

// The same script finds nearly everything when it runs beside the sender: so it looks in the right places.
TEST_F(Neighbours, TheSearchFindsWhatIsOfferedInItsOwnSlot) {
  auto room = make_room(0);
  ASSERT_TRUE(room);
  const auto offered = printed(*room, std::string(kShared) + kOffer);
  const auto found = printed(*room, std::string(kShared) + kReceive);
  EXPECT_GE(std::count(found.begin(), found.end(), ',') + 1, std::stoi(offered)) << found;
}

TEST_F(Neighbours, OfAnOrdinaryUserShareNoChannelEither) {
  if (::geteuid() != 0) GTEST_SKIP() << "the test above ran as an ordinary user already";
  const TemporaryDirectory directory;
  as_ordinary_user(directory.path(), [](const std::string& path) {
    attack_as_this_user(path, [](Harness& sender) {
      ASSERT_NE(printed(sender, std::string(kShared) + kOffer), "");
      const TemporaryDirectory other;
      static Harness* offering;
      offering = &sender;
      attack_as_this_user(other.path(), [](Harness& receiver) {
        EXPECT_EQ(offering->sh("echo alive").out, "alive\n");
        // Both see the same bound files of the system here; their locks are shared and named in docs/security.md.
        const auto found = printed(receiver, std::string(kShared) + kReceive);
        EXPECT_EQ(found, "['lock /usr/bin/env', 'lock /usr', 'lock /dev/null']");
      });
    });
  });
}

}  // namespace
}  // namespace berth::isolation::test

# SPDX-License-Identifier: Apache-2.0
"""Slow peers are cut, each within its limit (wire.md 1.11, 1.12): a file of its own, since it waits for half a minute."""
import contextlib
import os
import socket
import time

from harness import Slot, allowed, patient, wait_until
from wire import statuses

HEAD_LIMIT = 10
BODY_GRACE = 10
READER_LIMIT = 30
MANY = 40_000_000


def test_slow_peers_are_cut_and_starve_nobody(new_slotd):
    """All kinds of slowness at once, from 150 peers; good callers never notice; each is cut within its limit."""
    server = new_slotd(user=os.geteuid(), slots=2).connect()
    try:
        slot = Slot(server, "slot_0")
        slot.put("big", b"x" * MANY)
        peers = Slow(server, 50)
        begin = time.monotonic()
        while time.monotonic() - begin < READER_LIMIT * 2 and peers.open():
            called = time.monotonic()
            assert slot.output("sleep 0.05; echo x") == "x"
            assert time.monotonic() - called < patient(5)
            peers.drip()
        assert not peers.open(), peers.open()
        assert all(status in ([408], []) for status in peers.answers("head") + peers.answers("body"))
        assert server.rss_bytes() < allowed(100 << 20)
        wait_until(lambda: len(os.listdir(f"/proc/{server.process.pid}/fd")) < 60, 30, "descriptors came back")
    finally:
        server.stop()


class Slow:
    """Peers that drip a head or a body below the least rate, and readers that take nothing of a large answer."""

    def __init__(self, server, count):
        body = b"POST /execute HTTP/1.1\r\nHost: h\r\nContent-Length: 100000\r\n\r\n{"
        wants = b"GET /slots/slot_0/files/big HTTP/1.1\r\nHost: h\r\n\r\n"
        self.peers = {kind: [server.wire.socket() for _ in range(count)] for kind in ["head", "body", "reader"]}
        self.since = time.monotonic()
        for kind, first in [("head", b"GET /health HTTP/1.1\r\nX: "), ("body", body), ("reader", wants)]:
            for plain in self.peers[kind]:
                plain.sendall(first)
        self.said = {"head": {}, "body": {}}
        self.limits = {"head": HEAD_LIMIT * 2.5, "body": BODY_GRACE * 2.5, "reader": READER_LIMIT * 2}

    def drip(self):
        for kind in ["head", "body"]:
            for plain in list(self.peers[kind]):
                with contextlib.suppress(ConnectionError, BlockingIOError):
                    plain.send(b"a", socket.MSG_DONTWAIT)
                self.listen(kind, plain)
        self.watch_readers()
        for kind, limit in self.limits.items():
            assert not self.peers[kind] or time.monotonic() - self.since < limit, f"slow {kind} not cut in time"

    def listen(self, kind, plain):
        try:
            part = plain.recv(65536, socket.MSG_DONTWAIT)
        except BlockingIOError:
            return
        except ConnectionError:
            part = b""
        self.said[kind][plain] = self.said[kind].get(plain, b"") + part
        if not part:
            self.peers[kind].remove(plain)
            plain.close()

    def watch_readers(self):
        """A reader that was cut finds fewer bytes than were promised; it is asked only when its time is up."""
        if time.monotonic() - self.since < READER_LIMIT * 1.2:
            return
        for plain in list(self.peers["reader"]):
            size = 0
            plain.settimeout(20)
            with contextlib.suppress(ConnectionError):
                while part := plain.recv(1 << 20):
                    size += len(part)
            assert size < MANY, "a reader that took nothing for its whole limit was served to the end"
            self.peers["reader"].remove(plain)
            plain.close()

    def open(self):
        return {kind: len(peers) for kind, peers in self.peers.items() if peers}

    def answers(self, kind):
        return [statuses(said) for said in self.said[kind].values()]

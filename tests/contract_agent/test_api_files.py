# SPDX-License-Identifier: Apache-2.0
"""Files of a leased slot: any size, ranges, trees; never whole in the agent's memory."""
import hashlib
import io
import os
import socket
import tarfile
import threading
import time

import pytest

from agent_harness import SIGHT, SLOWER, Lease, allowed, bearer, refused, wait_until

LARGE = 96 << 20
SOON = min(1 * 5 * SLOWER, 20)  # a call beside them; they are cut after 30 s
GROWTH = 5 * (8 << 20)  # of the agent's memory while a large file passes, five times what its pieces take


def rss(agent):
    for line in open(f"/proc/{agent.process.pid}/status"):
        if line.startswith("VmRSS:"):
            return int(line.split()[1]) * 1024
    raise AssertionError("no VmRSS")


def put(lease, path, content, query=""):
    return lease.wire.request("PUT", f"{lease.path}/files/{path}{query}", content)


def get(lease, path, query="", **headers):
    return lease.wire.get(f"{lease.path}/files/{path}{query}", headers=headers)


@pytest.mark.parametrize("content", [b"", b"x", b"\0\xff" * 1000, os.urandom(300_000)])
def test_bytes_come_back_as_they_went(lease, content):
    assert put(lease, "a/b/file", content).json()["bytes"] == len(content)
    reply = get(lease, "a/b/file")
    assert (reply.status, reply.body, reply.headers["content-length"]) == (200, content, str(len(content)))


def test_names_of_any_kind(lease):
    for name in ("with%20space", "%C3%A9", "percent%2525", "plus+plus", "q%3Fx"):
        assert put(lease, name, name.encode()).status == 200
        assert get(lease, name).body == name.encode()
    assert lease.output("ls | wc -l") == "5"


def test_ranges(lease):
    put(lease, "digits", b"0123456789")
    for asked, expected in [("bytes=2-4", b"234"), ("bytes=7-", b"789"), ("bytes=-2", b"89"), ("bytes=0-99", b"0123456789")]:
        reply = get(lease, "digits", Range=asked)
        assert (reply.status, reply.body) == (206, expected)
        assert reply.headers["content-range"].endswith("/10")
    refused(get(lease, "digits", Range="bytes=10-"), 416, "bad_range")
    assert get(lease, "digits", Range="lines=1-2").status == 200


def test_head_tells_the_length_alone(lease):
    put(lease, "digits", b"0123456789")
    reply = lease.wire.request("HEAD", f"{lease.path}/files/digits")
    assert (reply.status, reply.headers["content-length"], reply.body) == (200, "10", b"")
    assert get(lease, "digits").body == b"0123456789"


def test_a_tree_goes_in_and_out_as_tar(lease):
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w") as tar:
        for name in ("one.txt", "deep/two.txt"):
            entry = tarfile.TarInfo(name)
            entry.size = len(name)
            tar.addfile(entry, io.BytesIO(name.encode()))
    assert put(lease, "tree", packed.getvalue(), "?tar=1").status == 200
    assert lease.output("cat tree/deep/two.txt") == "deep/two.txt"
    with tarfile.open(fileobj=io.BytesIO(get(lease, "tree", "?tar=1").body)) as tar:
        assert {"one.txt", "deep/two.txt"} <= {name.removeprefix("./") for name in tar.getnames()}


def test_a_body_in_chunks_is_passed_on(lease):
    connection = lease.wire.connection()
    connection.request("PUT", f"{lease.path}/files/chunks", iter([b"one ", b"two ", b"three"]), lease.wire.headers, encode_chunked=True)
    assert connection.getresponse().status == 200
    connection.close()
    assert get(lease, "chunks").body == b"one two three"


def test_deleting(lease):
    put(lease, "dir/file", b"x")
    assert lease.wire.request("DELETE", f"{lease.path}/files/dir/file").status == 200
    refused(get(lease, "dir/file"), 404, "not_found")
    refused(lease.wire.request("DELETE", f"{lease.path}/files/dir"), 400, "not_a_file")
    assert lease.wire.request("DELETE", f"{lease.path}/files/dir?recursive=1").status == 200
    assert lease.output("ls") == ""


@pytest.mark.parametrize("path", ["..%2f..%2fetc%2fpasswd", "%2fetc%2fpasswd", "../x", "a/../../x", "x" * 5000, "%00", "%ff%fe%2f..%2f.."])
def test_no_path_leads_out(lease, path):
    for method in ("GET", "PUT", "DELETE"):
        reply = lease.wire.request(method, f"{lease.path}/files/{path}", b"x" if method == "PUT" else None)
        assert 400 <= reply.status < 500, (method, reply.status, reply.body)
        assert b"root:" not in reply.body


def test_a_large_file_passes_through_little_memory(agent):
    lease = Lease(agent)
    lease.output("true")
    block = os.urandom(1 << 20)
    before = rss(agent)
    peaks = []
    done = threading.Event()

    def watch():
        while not done.wait(0.02):
            peaks.append(rss(agent))

    watcher = threading.Thread(target=watch)
    watcher.start()
    connection = lease.wire.connection()
    connection.request("PUT", f"{lease.path}/files/large", (block for _ in range(LARGE >> 20)),
                       {**lease.wire.headers, "Content-Length": str(LARGE)})
    assert connection.getresponse().status == 200
    connection.close()
    connection = lease.wire.connection()
    connection.request("GET", f"{lease.path}/files/large", headers=lease.wire.headers)
    reply, seen = connection.getresponse(), 0
    digest = hashlib.sha256()
    while part := reply.read(1 << 20):
        seen += len(part)
        digest.update(part)
    done.set()
    watcher.join()
    assert seen == LARGE and digest.hexdigest() == hashlib.sha256(block * (LARGE >> 20)).hexdigest()
    assert max(peaks) - before < allowed(GROWTH), f"{before} -> {max(peaks)}"
    lease.release()


def test_an_upload_that_is_cut_leaves_nothing(agent, lease):
    with socket.create_connection(("127.0.0.1", agent.port), timeout=SIGHT) as peer:
        peer.sendall(f"PUT {lease.path}/files/half HTTP/1.1\r\nHost: x\r\nAuthorization: {bearer('alice')['Authorization']}\r\n"
                     "Content-Length: 1000000\r\n\r\n".encode() + b"x" * 500_000)
    wait_until(lambda: lease.wire.get(lease.path).json()["calls"] == 0, SIGHT, "the transfer has ended")
    refused(get(lease, "half"), 404, "not_found")
    assert lease.output("ls -A") == ""


def test_readers_that_take_nothing_keep_nobody_from_calls(agent):
    """Half of a container's connections, at most, are for files."""
    lease, other = Lease(agent), Lease(agent)
    lease.output("head -c 50000000 /dev/zero > zeros")
    stuck = []
    for _ in range(8):
        peer = socket.create_connection(("127.0.0.1", agent.port), timeout=SIGHT)
        peer.sendall(f"GET {lease.path}/files/zeros HTTP/1.1\r\nHost: x\r\nAuthorization: {bearer('alice')['Authorization']}\r\n\r\n".encode())
        stuck.append(peer)
    assert stuck[0].recv(100).startswith(b"HTTP/1.1 200")
    begin = time.monotonic()
    assert other.output("echo served") == "served"
    assert time.monotonic() - begin < SOON
    for peer in stuck:
        peer.close()
    lease.release(), other.release()

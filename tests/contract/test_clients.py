# SPDX-License-Identifier: Apache-2.0
"""Whole clients against the real server: one written from section 4 of the protocol (points 62 to 64), and examples/client."""
import contextlib
import os
import pathlib
import socket
import subprocess
import threading

import pytest

from peer_client import PeerExecutor, PeerSlot

EXAMPLE = pathlib.Path(os.environ["BERTH_BIN_DIR"]) / "example-client"
EXAMPLE_LIMIT = 60
NOBODY = "http://127.0.0.1:1"
# What two runs of one command need not have in common.
MEASURED = {"queued_ms", "setup_ms", "wall_ms", "cpu_ms", "memory_peak_bytes", "usage_source", "request_bytes",
            "response_bytes", "execution"}


@pytest.fixture
def peer():
    return PeerExecutor(retry_delay=0.05)


def place(slot):
    return PeerSlot(slot.name, f"http://127.0.0.1:{slot.server.tcp_port()}")


def comparable(result):
    metadata = {key: value for key, value in result.metadata.items() if key not in MEASURED}
    return result.success, result.output, result.error, result.slot_id, metadata


CALLS = [("bash", {"command": "echo hi; echo err >&2"}), ("bash", {"command": "exit 3"}),
         ("write_file", {"path": "a/b", "content": "x"}), ("read_file", {"path": "nothing-here"}),
         ("bash", {"command": "sleep 9"}), ("no_such_tool", {}), ("bash", {"command": ["not text"]})]


@pytest.mark.parametrize("tool, args", CALLS, ids=str)
def test_p62_execute_and_a_batch_of_one_give_equal_results(slot, peer, tool, args):
    limit = 1 if args == {"command": "sleep 9"} else 20
    single = peer.execute(place(slot), tool, args, limit)
    (batched,) = peer.execute_batch([(place(slot), tool, args)], limit)
    assert comparable(single) == comparable(batched)
    assert single.execution_id and batched.execution_id and single.execution_id != batched.execution_id
    assert single.success or single.error


def test_p62_a_dead_container_fails_only_its_own(slots, peer):
    echo = {"command": "echo hi"}
    dead = PeerSlot("slot_0", NOBODY)
    results = peer.execute_batch([(place(slots[0]), "bash", echo), (dead, "bash", echo), (place(slots[1]), "bash", echo)])
    assert [result.success for result in results] == [True, False, True]
    assert results[1].error


def test_p63_health_is_true_for_a_live_server_and_false_for_a_dead_address(slot, peer):
    assert peer.health_check(place(slot).container_addr) is True
    assert peer.health_check(NOBODY) is False
    status = peer.get_container_status(place(slot).container_addr)
    assert status.items() >= {"status": "ok", "slots": status["available"] + status["executing"]}.items()
    assert peer.get_container_status(NOBODY) is None


def test_p64_the_artifact_helpers_return_the_servers_object_and_the_status(slot, peer):
    slot.write("a.txt", "hello")
    read = peer.read_artifact(place(slot), "a.txt", include_sha256=True)
    assert read.pop("http_status") == 200
    assert read == slot.wire.post("/artifacts/read", {"slot_id": slot.name, "path": "a.txt", "include_sha256": True}).json()
    listing = peer.list_artifacts(place(slot))
    assert listing["http_status"] == 200 and [entry["path"] for entry in listing["entries"]] == ["a.txt"]
    archive = peer.archive_artifacts(place(slot))
    assert archive["http_status"] == 200 and archive["entry_count"] == 1
    for failed in (peer.read_artifact(place(slot), "none"), peer.list_artifacts(place(slot), "none"),
                   peer.archive_artifacts(place(slot), "none")):
        assert failed["success"] is False and failed["http_status"] == 404 and failed["error"].startswith("Not found")


def test_p64_a_reset_by_that_client_works(slot, peer):
    slot.write("a.txt", "hello")
    result = peer.reset_slot(place(slot))
    assert result.success and result.output == f"Reset workspace for {slot.name}"
    assert peer.reset_slot(PeerSlot("slot_0", NOBODY)).success is False


def pass_on(source, target):
    """All of a request: its head and its body may come apart."""
    with source, target, contextlib.suppress(OSError):
        while part := source.recv(1 << 20):
            target.sendall(part)


class LossyProxy:
    """Passes connections on; the answers of the first `lost` are thrown away and the connection is cut."""

    def __init__(self, port, lost):
        self.port, self.lost = port, lost
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.address = f"http://127.0.0.1:{self.listener.getsockname()[1]}"
        threading.Thread(target=self.serve, daemon=True).start()

    def serve(self):
        while True:
            try:
                client, _ = self.listener.accept()
            except OSError:
                return
            with client, socket.create_connection(("127.0.0.1", self.port)) as server:
                threading.Thread(target=pass_on, args=(client.dup(), server.dup()), daemon=True).start()
                answer = server.recv(1 << 20)
                if self.lost:
                    self.lost -= 1
                    answer = b""
                while answer:
                    client.sendall(answer)
                    answer = server.recv(1 << 20)
                for end in (client, server):  # for the other thread as well
                    with contextlib.suppress(OSError):
                        end.shutdown(socket.SHUT_RDWR)


def test_an_answer_that_was_lost_twice_comes_at_the_third_try_and_the_command_ran_once(slot, peer):
    proxy = LossyProxy(slot.server.tcp_port(), 2)
    try:
        result = peer.execute(PeerSlot(slot.name, proxy.address), "bash", {"command": "echo run >> log; echo done"})
    finally:
        proxy.listener.close()
    assert result.success and result.output == "done" and proxy.lost == 0
    assert slot.output("cat log") == "run"


def run_example(*arguments):
    return subprocess.run([EXAMPLE, *arguments], capture_output=True, text=True, timeout=EXAMPLE_LIMIT, check=False)


EXAMPLE_SAYS = """slot_0: ok: 
slot_0: ok: a note of slot_0
slot_1: ok: 
slot_1: ok: a note of slot_1
note.txt: a note of slot_0
"""


def test_the_example_runs_its_batch_in_two_slots(start):
    server = start(slots=2)
    done = run_example(f"http://127.0.0.1:{server.tcp_port()}")
    assert (done.returncode, done.stdout, done.stderr) == (0, EXAMPLE_SAYS, "")


def test_the_example_speaks_to_unix_sockets(start, tmp_path_factory):
    folder = tmp_path_factory.mktemp("sock")
    folder.chmod(0o777)
    for parent in folder.parents[:2]:
        parent.chmod(0o755)
    server = start(slots=2, listen=f"unix:{folder}/s")
    done = run_example(server.listen)
    assert (done.returncode, done.stdout, done.stderr) == (0, EXAMPLE_SAYS, "")


def test_the_example_says_so_where_nobody_is():
    assert run_example().returncode == 2
    done = run_example(NOBODY)
    assert done.returncode == 1 and "no healthy slot server" in done.stderr

# SPDX-License-Identifier: Apache-2.0
"""What breaks under a caller of /v1: slot servers that die or stop in the middle of a call, queues that are full, bodies
that never end. Every call ends once, with a true cause."""
import json
import os
import pathlib
import signal
import socket
import threading
import time

from agent_harness import SIGHT, SLOWER, Lease, bearer, descendants, refused, wait_until

POOL = "job: pool\nslots: 2\ncontainers: {min: 1, max: 1}\nisolation: best-effort\n"
QUEUE = 4096


def slot_servers(agent):
    found = []
    for pid, _ in descendants(agent.process.pid):
        try:
            if pathlib.Path(f"/proc/{pid}/comm").read_text().strip() == "berth-slotd":
                found.append(pid)
        except (FileNotFoundError, ProcessLookupError):
            continue
    return found


def begin(start):
    agent = start()
    agent.put_job(POOL)
    return agent, Lease(agent)


def test_a_call_in_a_container_that_dies_ends_as_container_lost(start):
    agent, lease = begin(start)
    answers = []
    caller = threading.Thread(target=lambda: answers.append(lease.bash("sleep 300", execution_id="dies", timeout=600)))
    caller.start()
    wait_until(lambda: lease.execution("dies").status == 200 and lease.execution("dies").json()["state"] == "running", SIGHT, "it runs")
    lease.bash("sleep 300", "?wait=0", execution_id="waits", timeout=600)
    for pid in slot_servers(agent):
        os.kill(pid, signal.SIGKILL)
    caller.join(SIGHT)
    metadata = answers[0].json()["metadata"]
    assert answers[0].status == 200 and metadata["cause"] == "container_lost" and metadata["started"] in (True, "unknown")
    assert "container_lost" in refused(lease.bash("true"), 410, "lease_ended")["message"]
    told = lease.execution("waits").json()
    assert (told["state"], told["result"]["metadata"]["cause"]) == ("finished", "container_lost")
    again = Lease(agent)
    assert again.facts["container"] != lease.facts["container"] and again.output("echo anew") == "anew"


def test_a_stopped_slot_server_cannot_hold_a_call_beyond_its_limit(start):
    """Row 41 at the API: the caller is answered, whatever the container does."""
    agent, lease = begin(start)
    lease.output("true")
    servers = slot_servers(agent)
    for pid in servers:
        os.kill(pid, signal.SIGSTOP)
    try:
        before = time.monotonic()
        result = lease.bash("true", timeout=1).json()
        assert result["metadata"]["cause"] == "transport" and time.monotonic() - before < 5 * 1.4 * SLOWER
    finally:
        for pid in servers:
            os.kill(pid, signal.SIGCONT)
    wait_until(lambda: lease.bash("echo back").json()["output"] == "back", SIGHT, "it serves again")


def test_a_full_queue_is_429_and_empties_again(start):
    agent, lease = begin(start)
    lease.bash("sleep 300", "?wait=0", execution_id="first", timeout=600)
    connection = lease.wire.connection()
    body = json.dumps({"tool": "bash", "args": {"command": "true"}, "timeout": 600})
    statuses = []
    for _ in range(QUEUE + 4):
        connection.request("POST", f"{lease.path}/executions?wait=0", body, lease.wire.headers)
        reply = connection.getresponse()
        text = reply.read()
        statuses.append(reply.status)
    assert statuses == [202] * (QUEUE - 1) + [429] * 5
    assert json.loads(text)["error"]["code"] == "queue_full" and int(reply.getheader("Retry-After")) >= 1
    connection.close()
    lease.release()
    assert Lease(agent, "bob").output("echo free") == "free"


def test_a_body_that_stops_coming_takes_nothing_with_it(agent):
    peers = []
    for _ in range(20):
        peer = socket.create_connection(("127.0.0.1", agent.port), timeout=SIGHT)
        peer.sendall(f"POST /v1/batch HTTP/1.1\r\nHost: x\r\nAuthorization: {bearer('alice')['Authorization']}\r\n"
                     "Content-Length: 60000000\r\n\r\n[".encode())
        peers.append(peer)
    lease = Lease(agent)
    assert lease.output("echo served") == "served"
    lease.release()
    for peer in peers:
        peer.close()


def test_callers_that_vanish_leave_nothing_behind(agent):
    lease = Lease(agent)
    for number in range(50):
        peer = agent.as_("alice").connection()
        peer.request("POST", f"{lease.path}/executions", json.dumps({"tool": "bash", "args": {"command": f"echo {number} >> ran"}}),
                     lease.wire.headers)
        peer.close()

    def count():
        return int(lease.output("cat ran 2>/dev/null | wc -l"))

    wait_until(lambda: count() == 50, SIGHT, "each ran")
    text = agent.as_("eye").get("/metrics").body.decode()
    assert "\nberth_api_calls 0\n" in text and "\nberth_api_call_bytes 0\n" in text
    assert lease.output("sort ran | uniq -d") == ""
    lease.release()

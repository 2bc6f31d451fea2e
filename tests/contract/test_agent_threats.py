# SPDX-License-Identifier: Apache-2.0
"""Rows 33, 36, 40 and 44 of the threat table, for the agent."""
import contextlib
import os
import pathlib
import re
import resource
import socket
import subprocess
import threading
import time

import pytest

from agent_fixtures import fresh_machine as machine  # noqa: F401
from agent_harness import POOL, Agent
from harness import descendants, wait_until

SPIN_SHARE = 0.1           # row 33: less than a tenth of a core while descriptors are exhausted; load does not add to it
NORMAL_AGAIN = 5 * 1       # row 33: within 1 s of their release
GOOD_CLIENT = 5 * 0.2      # row 40: what a request may take beside those who only sit there
FIRST_CLIENT = 5 * 4       # the one behind 1,000 idle connections more than there may be: 33 go each 100 ms
WATCHED = 2.0
CANARY = "canary-0f8e1d3b5a79"


def descriptors(agent):
    return len(os.listdir(f"/proc/{agent.process.pid}/fd"))


def descriptor_limit(agent):
    line = next(line for line in pathlib.Path(f"/proc/{agent.process.pid}/limits").read_text().splitlines() if "open files" in line)
    return int(line.split()[3])


def set_descriptor_limit(agent, soft):
    """By a process of the agent's own user: another one may not."""
    user = agent.machine.user
    identity = {"user": user, "group": user, "extra_groups": []} if user != os.geteuid() else {}
    subprocess.run(["/usr/bin/prlimit", "--pid", str(agent.process.pid), f"--nofile={soft}:"], check=True, timeout=30, **identity)


def cpu_seconds(pid):
    fields = pathlib.Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


@contextlib.contextmanager
def many_descriptors_here():
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def dial(agent):
    return socket.create_connection(("127.0.0.1", agent.wire.address), timeout=30)


def test_r33_without_descriptors_it_does_not_spin_and_serves_on(machine):
    agent = Agent(machine).ready()
    lease = agent.acquire()
    results = []
    thread = threading.Thread(target=lambda: results.append(agent.wire.post(
        f"/v1/leases/{lease}/executions",
        {"tool": "bash", "args": {"command": f"sleep {2 * WATCHED}; echo done"}, "timeout": 600}).json()))
    thread.start()
    wait_until(lambda: agent.wire.get(f"/v1/leases/{lease}").json()["calls"] == 1, 30, "the call runs")
    helper = agent.wire.connection()  # made before, so that it can be used while nobody gets in
    helper.request("GET", "/healthz")
    helper.getresponse().read()
    pid = agent.process.pid
    before = descriptor_limit(agent)
    set_descriptor_limit(agent, descriptors(agent))
    waiting = [dial(agent) for _ in range(20)]
    begin, used = time.monotonic(), cpu_seconds(pid)
    time.sleep(WATCHED)
    share = (cpu_seconds(pid) - used) / (time.monotonic() - begin)
    assert share < SPIN_SHARE, f"it spins: {share:.0%} of a core"
    helper.request("GET", "/v1/jobs")
    assert helper.getresponse().status == 200
    thread.join(60)
    assert results and results[0]["output"] == "done", results
    set_descriptor_limit(agent, before)
    begin = time.monotonic()
    assert agent.wire.get("/readyz").status == 200
    assert time.monotonic() - begin < NORMAL_AGAIN
    for one in waiting:
        one.close()
    agent.stop()


def test_r33_a_container_that_cannot_start_for_want_of_descriptors_is_tried_again(machine):
    agent = Agent(machine).ready()
    before = descriptor_limit(agent)
    helper = agent.wire.connection()
    helper.request("GET", "/healthz")
    helper.getresponse().read()
    # Some are left: enough to begin with a container, too few to end with it.
    set_descriptor_limit(agent, descriptors(agent) + 3)
    helper.request("PUT", "/v1/jobs/late", b"job: late\nslots: 1\nisolation: best-effort\n")
    assert helper.getresponse().read()
    agent.wait_for_log(r"container container=\S+ job=late .*to=gone")
    set_descriptor_limit(agent, before)
    wait_until(lambda: agent.wire.get("/readyz").status == 200, 120, "it has come up")
    agent.stop()


def few_descriptors():
    """More would let the idle clients of the test below all in."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (1024, hard))


def test_r40_idle_and_slow_clients_keep_nobody_out(machine):
    agent = Agent(machine, before_exec=few_descriptors).ready()
    with many_descriptors_here(), contextlib.ExitStack() as open_ones:
        for i in range(1500):
            one = open_ones.enter_context(dial(agent))
            if i % 10 == 1:
                one.sendall(b"GET /v1/jobs HTTP/1.1\r\nHos")
            if i % 10 == 2:
                one.sendall(b"POST /v1/leases HTTP/1.1\r\nHost: h\r\nContent-Length: 100\r\n\r\n{")
            if i == 1000:
                time.sleep(1.1)  # what is younger than a second is not taken for idle
        begin = time.monotonic()
        assert agent.wire.get("/healthz").status == 200  # behind all of them in the queue
        assert time.monotonic() - begin < FIRST_CLIENT
        took = []
        for _ in range(50):
            begin = time.monotonic()
            assert agent.wire.get("/v1/jobs").status == 200
            took.append(time.monotonic() - begin)
        assert max(took) < GOOD_CLIENT, sorted(took)[-5:]
        lease = agent.acquire()
        assert agent.wire.post(f"/v1/leases/{lease}/executions", {"tool": "bash", "args": {"command": "echo x"}}).json()["output"] == "x"
    agent.stop()


FAKE = "2030-01-01T00:00:00.000Z error everything is lost"


@pytest.mark.parametrize("style", ["text", "json"])
def test_r36_nothing_that_callers_write_makes_a_record_of_its_own(machine, style):
    agent = Agent(machine, "--log-format", style, "--log-level", "debug").ready()
    for ending in ("\n", "\r\n", "\r", "\u2028", "\x1b[2K\x1b[1G", "\x85"):
        name = f"t{ending}{FAKE}{ending}"
        lease = agent.acquire(trajectory=name, labels={"a": name})
        agent.wire.post(f"/v1/leases/{lease}/executions", {"tool": name, "args": {"command": name}})
        agent.wire.post(f"/v1/leases/{lease}/executions", {"tool": "bash", "args": {"command": "echo x"}, "env": {name.replace("=", ""): name}})
        agent.wire.post("/v1/leases", {"job": name})
        agent.wire.request("PUT", "/v1/jobs/other", f"job: other\nx: \"{FAKE}\"\n".encode())
        agent.wire.request("DELETE", f"/v1/leases/{lease}")
    machine.write("jobs/odd\n" + FAKE + ".yaml", "job: odd\nslotz: 1\n")
    agent.hang_up()
    agent.stop()
    records = agent.log_path.read_bytes().decode().split("\n")
    assert records.pop() == "" and len(records) > 20
    shape = re.compile(r'\{"time":"' if style == "json" else r"\d{4}-\d\d-\d\dT\S+Z (debug|info|warning|error) ")
    assert all(shape.match(record) for record in records), [record for record in records if not shape.match(record)][:3]
    assert not any(record.startswith("2030-") for record in records)
    text = "".join(records)
    assert FAKE in text and not any(mark in text for mark in ("\x1b", "\r", "\u2028", "\x85"))


def environment_and_arguments(pid):
    found = b""
    for name in ("environ", "cmdline"):
        with contextlib.suppress(OSError):
            found += pathlib.Path(f"/proc/{pid}/{name}").read_bytes()
    return found


def test_r44_a_secret_of_the_configuration_is_found_nowhere(machine):
    machine.write("tokens", f"ops {CANARY}-token-ops admin\nbot {CANARY}-token-bot use\n", 0o600)
    machine.write("server-token", f"{CANARY}-server\n", 0o600)
    config = machine.write("agent.yaml", "tokens: tokens\ntool_server: {url: \"http://127.0.0.1:9\", token_file: server-token}\n")
    agent = Agent(machine, "--config", config, "--log-level", "debug", env={"NOMAD_TOKEN": f"{CANARY}-nomad"})
    agent.token = f"{CANARY}-token-ops"
    agent.ready()
    seen = []
    lease = agent.acquire(trajectory="canary")
    for argv in (["env"], ["cat", "/proc/self/environ"], ["cat", "/proc/1/environ"], ["sh", "-c", "cat /proc/*/cmdline"]):
        result = agent.wire.post(f"/v1/leases/{lease}/executions", {"tool": "exec", "args": {"argv": argv}}).json()
        seen.append((f"slot {argv}", result["output"] + result["error"]))
    for path in ("/metrics", "/v1/jobs", "/v1/jobs/pool", "/v1/containers", "/v1/slots", "/v1/leases", "/v1/events?follow=0", "/readyz",
                 "/openapi.json", "/v1/nowhere", "/healthz"):
        reply = agent.wire.get(path)
        seen.append((path, str(reply.headers) + reply.body.decode()))
    for wrong in (f"{CANARY}-wrong", "", f"{CANARY}-token-ops "):
        reply = agent.wire.get("/v1/jobs", headers={"Authorization": f"Bearer {wrong}"})
        seen.append(("wrong token", str(reply.headers) + reply.body.decode()))
    machine.write("tokens", f"ops {CANARY}-token-ops admin\nbot {CANARY}-bad nonsense\nx\n", 0o600)
    agent.hang_up()
    for arguments in (["jobs"], ["slots", "--json"], ["exec", lease, "--", "env"]):
        code, out, err = agent.berth(*arguments)
        seen.append((f"berth {arguments}", out + err))
    for arguments in (["--print-config"], ["--print-config", "--json"]):
        code, out, err = machine.berth("agent", "--config", config, *arguments, env={"NOMAD_TOKEN": f"{CANARY}-nomad"})
        seen.append((f"berth agent {arguments}", out + err))
    seen.append(("cmdline of the agent", pathlib.Path(f"/proc/{agent.process.pid}/cmdline").read_text()))
    for pid, _ in descendants(agent.process.pid):
        seen.append((f"process {pid} below the agent", environment_and_arguments(pid).decode(errors="replace")))
    for path in agent.state.rglob("*"):
        if path.is_file():
            seen.append((str(path), path.read_bytes().decode(errors="replace")))
    agent.stop()
    seen.append(("the log", agent.log()))
    found = [where for where, text in seen if CANARY in text]
    assert not found, found
    assert len(seen) > 25


def test_r44_values_of_a_jobs_environment_stay_out_of_logs_and_plans(machine):
    agent = Agent(machine, "--log-level", "debug", jobs=POOL + f"env: {{SECRET: {CANARY}-one}}\n").ready()
    machine.write("jobs/pool.yaml", POOL + f"env: {{SECRET: {CANARY}-two}}\n")
    agent.hang_up()
    assert "env.SECRET" in agent.log()
    path = machine.write("other.yaml", f"job: other\nisolation: best-effort\nenv: {{SECRET: {CANARY}-three}}\n")
    shown = agent.ok("plan", path) + agent.ok("apply", path) + agent.ok("plan", path, "--set", f"env.SECRET={CANARY}-four")
    shown += agent.wire.get("/v1/jobs/other").body.decode() + agent.ok("events")
    agent.stop()
    assert CANARY not in agent.log() and CANARY not in shown

# SPDX-License-Identifier: Apache-2.0
"""What people ask about containers that run: what they use, and what their slot server has logged."""
import subprocess

from agent_harness import Agent
from driver_fixtures import HEARD_WITHIN, POOL, RUN_LIMIT, docker_env, only_container, works
from harness import wait_until

MIB = 1 << 20
HELD = 40 * MIB


def names(agent):
    return [each["container"] for each in agent.lines("containers")]


def usage(agent):
    return agent.lines("containers")[0]["usage"]


def burden(agent, command):
    """Leaves processes behind in a slot of the pool; its lease."""
    lease = agent.acquire()
    code, out, said = agent.berth("exec", lease, "--", "/bin/sh", "-c", command)
    assert code == 0 and out == "ready\n", said
    return lease


def test_what_a_container_uses_counts_its_slots(agent):
    """By the groups that the agent made: those of slots are beside the container's own."""
    idle = usage(agent)
    assert 0 < idle["pids"] < 50 and 0 < idle["memory_bytes"] < 64 * MIB and idle["cpu_seconds"] > 0
    # A file of the slot is memory.
    burden(agent, f"dd if=/dev/zero of=held bs=1048576 count={HELD // MIB // 2} 2>/dev/null; echo ready")
    busy = usage(agent)
    assert busy["memory_bytes"] > idle["memory_bytes"] + HELD // 4
    assert busy["cpu_seconds"] > idle["cpu_seconds"]
    table = agent.ok("containers").splitlines()
    assert [title in table[0] for title in ("CPU S", "MEM MIB", "PIDS")] == [True] * 3
    assert float(table[1].split()[7]) > HELD // 4 / MIB, table


def test_the_engine_counts_for_an_agent_that_can_make_no_groups(ordinary, clean, image):
    agent = Agent(ordinary, jobs=POOL.split("slot:")[0] % image("busybox"), env=docker_env(clean)).ready()
    used = usage(agent)
    assert 0 < used["pids"] < 100 and used["memory_bytes"] > MIB and used["cpu_seconds"] > 0
    agent.stop()


def test_a_local_container_is_not_counted_and_has_a_log(agent):
    assert agent.wire.request("PUT", "/v1/jobs/here", b"job: here\nslots: 1\nisolation: best-effort\n").status == 201
    here = lambda: [each for each in agent.lines("containers") if each["job"] == "here" and each["state"] == "up"]  # noqa: E731
    wait_until(here, HEARD_WITHIN, "the local one is up")
    assert here()[0]["usage"] is None
    assert "slots" in agent.ok("logs", here()[0]["container"])


def test_the_log_of_a_container_is_that_of_its_slot_server(agent):
    name = names(agent)[0]
    text = agent.ok("logs", name)
    assert text and text == agent.engine.logs(only_container(agent))
    first = agent.wire.get(f"/v1/containers/{name}/log")
    assert first.status == 200 and first.body.decode() == text
    again = agent.wire.get(f"/v1/containers/{name}/log?after={first.headers['berth-next']}")
    assert again.status == 200 and again.body == b"" and again.headers["berth-next"] == first.headers["berth-next"]
    assert agent.wire.get(f"/v1/containers/{name}/log?after=1%26follow").status == 400


def test_a_log_that_is_followed_ends_with_its_container(agent):
    name = names(agent)[0]
    process = agent.machine.popen("logs", "--follow", name, env={"BERTH_ADDR": agent.address}, stdout=subprocess.PIPE,
                                  stderr=subprocess.PIPE, text=True)
    assert process.stdout.readline()
    agent.engine.request("POST", f"/containers/{only_container(agent)}/kill")
    _, said = process.communicate(timeout=RUN_LIMIT)
    assert process.returncode == 0 and said == ""
    wait_until(lambda: works(agent), HEARD_WITHIN, f"another one works\n{agent.log()}")


def test_a_container_that_there_is_not_has_no_log(agent):
    code, out, said = agent.berth("logs", "nobody")
    assert code != 0 and not out and "there is no container nobody" in said

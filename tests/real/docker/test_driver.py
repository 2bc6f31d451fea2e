# SPDX-License-Identifier: Apache-2.0
"""The docker driver against a real engine: `berth run` and `berth agent`, what happens behind their backs, and that
nothing of them is left."""
import json
import os
import pathlib
import signal
import time

import pytest

import images
from agent_harness import Agent
from driver_fixtures import CANARY, HEARD_WITHIN, POOL, RUN_LIMIT, containers_of, docker_env, only_container, works
from engine import Engine
from harness import wait_until

ROOT = pathlib.Path(os.environ["BERTH_SOURCE_DIR"])
INTERRUPTED_WITHIN = 5 * 2  # two seconds are promised
# What two runs of one job need not have in common: requests name the lease; how much of a background was killed depends on how
# far it had come.
MEASURED = {"execution", "request_bytes", "queued_ms", "setup_ms", "wall_ms", "cpu_ms", "memory_peak_bytes", "usage_source",
            "background_killed"}

TWO = """job: two
driver: docker
slots: 2
trajectories: 2
slot: {memory: 64MiB, pids: 32, disk: 32MiB}
steps:
  - name: who
    tool: bash
    args: {command: "id -u; echo $IMAGE_SAYS; pwd"}
"""


def berth_run(machine, engine, job, *options):
    """Exit code, one dict a step, stderr."""
    code, out, err = machine.berth("run", job, "--driver", "docker", "--json", *options, env=docker_env(engine))
    return code, [json.loads(line) for line in out.splitlines()], err


def test_the_quickstart_runs_in_a_container(machine, clean, debian):
    job = machine.write("quickstart.yaml", (ROOT / "examples/quickstart.yaml").read_text())
    code, results, said = berth_run(machine, clean, job, "--set", f"image={debian}")
    assert code == 0, said + str([each for each in results if not each["success"]][:3])
    assert len(results) == 20 * 4 and all(each["success"] for each in results)


def told(results):
    """What two runs of one job have in common, by trajectory and step: all but times, sizes measured and ids of executions."""
    return {(each["trajectory"], each["step"]):
            {**each, "metadata": {key: value for key, value in each["metadata"].items() if key not in MEASURED}} for each in results}


def test_the_rollouts_give_the_results_in_a_container_that_they_give_on_this_machine(machine, clean, debian):
    job = machine.write("rollouts.yaml", (ROOT / "examples/rollouts.yaml").read_text())
    code, results, said = berth_run(machine, clean, job, "--set", f"image={debian}")
    assert code == 0, said + str([each for each in results if not each["success"]][:3])
    code, out, said = machine.berth("run", job, "--driver", "local", "--json")
    assert code == 0, said
    here = told(json.loads(line) for line in out.splitlines())
    assert len(here) == len(results) == 200 * 5
    assert told(results) == here


def test_the_example_of_a_pool_gives_slots_of_an_image(machine, clean, debian):
    job = machine.write("pool.yaml", (ROOT / "examples/docker-pool.yaml").read_text().replace("python:3.12-slim", debian))
    code, out, said = machine.berth("exec", "--job", job, "--", "python3", "--version", env=docker_env(clean))
    assert code == 0 and out.startswith("Python 3."), said


def test_commands_have_the_images_user_and_environment(machine, clean, image):
    name = image("busybox", ("USER app", "ENV IMAGE_SAYS=hello"))
    code, results, said = berth_run(machine, clean, machine.write("two.yaml", TWO), "--set", f"image={name}")
    assert code == 0, said
    assert [each["output"].split() for each in results] == [["1234", "hello", "/workspace"]] * 2


def test_limits_that_the_file_names_hold_in_a_container(machine, clean, debian):
    """Through the control groups that the driver makes: strict would refuse to run without."""
    job = machine.write("limits.yaml", TWO.split("steps:")[0] + "isolation: strict\nresources: {memory: 1GiB, pids: 500, cpu: 2}\n" + """steps:
  - name: memory
    tool: exec
    args: {argv: [python3, -c, "b = bytearray(300 << 20); print(len(b))"]}
    continue: true
  - name: pids
    tool: bash
    args: {command: "for i in $(seq 60); do sleep 5 & done; wait"}
    continue: true
""")
    code, results, said = berth_run(machine, clean, job, "--set", f"image={debian}")
    assert code == 1, said
    assert {each["metadata"]["cause"] for each in results if each["step"] == "memory"} == {"memory"}
    assert all("fork" in (each["output"] + each["error"]).lower() for each in results if each["step"] == "pids"), results


def test_setup_steps_make_a_layer_below_all_slots(machine, clean, debian):
    text = TWO.replace('"id -u; echo $IMAGE_SAYS; pwd"', '"cat /usr/share/made; rm /usr/share/made"')
    job = machine.write("setup.yaml", text + "setup: [\"echo by setup > /usr/share/made\"]\ndocker: {network: none}\n")
    code, results, said = berth_run(machine, clean, job, "--set", f"image={debian}")
    assert code == 0, said
    assert [each["output"].strip() for each in results] == ["by setup"] * 2


def test_a_setup_step_that_fails_is_told_with_its_words(machine, clean, image):
    job = machine.write("setup.yaml", TWO + "setup: [\"echo it went wrong >&2; exit 3\"]\ndocker: {network: none}\n")
    code, _, said = berth_run(machine, clean, job, "--set", f"image={image('busybox')}")
    assert code == 3 and "it went wrong" in said


def test_an_ordinary_user_who_may_use_the_engine_has_slots(ordinary, clean, image):
    name = image("busybox", ("USER app", "ENV IMAGE_SAYS=hello"))
    # Limits that the file names need groups, which an ordinary user cannot make.
    job = ordinary.write("two.yaml", TWO.replace("slot: {memory: 64MiB, pids: 32, disk: 32MiB}\n", ""))
    code, results, said = berth_run(ordinary, clean, job, "--set", f"image={name}")
    assert code == 0, said
    assert [each["output"].split() for each in results] == [["1234", "hello", "/workspace"]] * 2


def test_an_image_that_no_registry_gives_is_told_with_the_registrys_words(machine, clean):
    code, _, said = berth_run(machine, clean, machine.write("two.yaml", TWO), "--set", "image=127.0.0.1:1/nothing:1")
    assert code == 3 and "image 127.0.0.1:1/nothing:1" in said and "docker pull 127.0.0.1:1/nothing:1" in said


def test_a_network_that_the_engine_does_not_have_is_told_in_its_words(machine, clean, image):
    job = machine.write("net.yaml", TWO.replace("disk: 32MiB", "disk: 32MiB, network: full") + "docker: {network: no-such}\n")
    code, _, said = berth_run(machine, clean, job, "--set", f"image={image('busybox')}")
    assert code == 3 and "the Docker Engine refuses" in said and "no-such" in said


def test_an_interrupt_takes_everything_down(machine, clean, image):
    job = machine.write("long.yaml", TWO.replace('"id -u; echo $IMAGE_SAYS; pwd"', '"sleep 100"'))
    process = machine.popen("run", job, "--driver", "docker", "--set", f"image={image('busybox')}", env=docker_env(clean))
    running = lambda: [each for each in clean.request("GET", "/containers/json") if each["Names"][0].startswith("/berth-run-")]  # noqa: E731
    wait_until(running, RUN_LIMIT, "its container runs")
    process.send_signal(signal.SIGINT)
    start = time.monotonic()
    assert process.wait(RUN_LIMIT) == 130
    assert time.monotonic() - start < INTERRUPTED_WITHIN
    assert not running()


# --- an agent -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("what, path", [("killed", ("POST", "/kill")), ("removed", ("DELETE", "?force=1")), ("paused", ("POST", "/pause"))])
def test_a_container_that_somebody_ends_is_replaced(agent, what, path):
    first = only_container(agent)
    assert works(agent)
    agent.engine.request(path[0], f"/containers/{first}{path[1]}")
    wait_until(lambda: first not in containers_of(agent) and containers_of(agent), HEARD_WITHIN, f"what was {what} is replaced\n{agent.log()}")
    wait_until(lambda: works(agent), HEARD_WITHIN, f"the new one works\n{agent.log()}")


def test_what_a_killed_agent_left_is_removed_by_its_next_life_and_nothing_else(machine, agent, image):
    first = only_container(agent)
    foreign = agent.engine.create("foreign", {"Image": image("busybox"), "Cmd": ["sleep", "1000"],
                                              "Labels": {"io.berth.agent": "somebody-else", "io.berth.container": "x"}})
    agent.process.kill()
    agent.process.wait()
    assert agent.engine.inspect(first)["State"]["Running"]
    try:
        second = Agent(machine, jobs=POOL % image("busybox"), env=docker_env(agent.engine)).ready()
        second.engine = agent.engine
        assert first not in containers_of(second) and works(second)
        assert agent.engine.inspect(foreign)["Name"] == "/foreign"
        second.process.send_signal(signal.SIGTERM)
        assert second.process.wait(RUN_LIMIT) == 0
        assert not containers_of(second)
    finally:
        agent.engine.remove(foreign)


def test_the_engines_description_of_a_container_holds_no_secret_and_no_privilege(agent):
    facts = agent.engine.inspect(only_container(agent))
    assert CANARY not in json.dumps(facts) and CANARY not in agent.engine.logs(facts["Id"]) and CANARY not in agent.log()
    assert agent.berth("exec", "--job", "pool", "--", "/bin/sh", "-c", "echo $SECRET")[1] == f"{CANARY}\n"
    host = facts["HostConfig"]
    assert not host["Privileged"] and not host["CapAdd"] and not host["Devices"]
    assert host["NetworkMode"] == "none" and host["MaskedPaths"] == [] and host["ReadonlyPaths"] == []
    assert [mount["Target"] for mount in host["Mounts"] if not mount["Target"].startswith("/.berth")] == []
    assert facts["Config"]["User"] == "0:0" and facts["Config"]["Entrypoint"] == ["/.berth/slotd"]


def test_local_and_docker_jobs_live_in_one_agent(agent):
    text = b"job: here\nslots: 1\nisolation: best-effort\n"
    assert agent.wire.request("PUT", "/v1/jobs/here", text).status == 201
    wait_until(lambda: agent.berth("exec", "--job", "here", "--", "echo", "local")[1] == "local\n", HEARD_WITHIN, "the local one works")
    drivers = {each["job"]: each["driver"] for each in agent.wire.get("/v1/containers").json()["containers"]}
    assert drivers == {"pool": "docker", "here": "local"}


@pytest.mark.parametrize("options", [(), ("--live-restore",)])
def test_an_engine_that_ends_and_comes_back_is_survived(machine, engine, options):
    """The engine of this test alone. Its containers end with it, and the agent makes new ones; or they live on and serve."""
    own = Engine(*options)
    try:
        own.import_image("busybox", images.busybox_image())
        agent = Agent(machine, jobs=POOL % "busybox", env=docker_env(own)).ready()
        agent.engine = own
        first = only_container(agent)
        own.process.send_signal(signal.SIGTERM)
        own.process.wait(RUN_LIMIT)
        (pathlib.Path(own.folder) / "pid").unlink(missing_ok=True)
        assert not options or works(agent), agent.log()
        agent.wait_for_log("the Docker Engine is away")
        own._start()
        wait_until(lambda: (first in containers_of(agent)) == bool(options) and works(agent), 2 * HEARD_WITHIN,
                   f"the pool is back\n{agent.log()}")
        agent.process.send_signal(signal.SIGTERM)
        assert agent.process.wait(RUN_LIMIT) == 0
        assert not containers_of(agent)
    finally:
        own.stop()

# SPDX-License-Identifier: Apache-2.0
"""What happens to containers, images and the engine behind an agent's back (rows 41, 51, 53 and 55 of the threats)."""
import contextlib
import json
import os
import pathlib
import signal
import subprocess
import threading
import time

import pytest

import images
from agent_harness import Agent
from driver_fixtures import HEARD_WITHIN, POOL, RUN_LIMIT, containers_of, docker_env, only_container, works
from engine import CGROUPS, Engine, EngineError, groups_below
from harness import wait_until

SMALL = 96 << 20    # bytes of an engine's own disk
SLEEP = {"tool": "bash", "args": {"command": "echo begun > begun; sleep 300"}, "timeout": 600}
LOST_WITHIN = 30
PIECE = 4096
COPIERS = 2
OLD = 3600          # seconds: folders of commands that were killed are swept when they are older than a minute


def begun(lease, agent):
    return agent.wire.get(f"/v1/leases/{lease}/files/begun").status == 200


@pytest.mark.parametrize("what, path", [("killed", ("POST", "/kill")), ("removed", ("DELETE", "?force=1")),
                                        ("paused", ("POST", "/pause")), ("restarted", ("POST", "/restart?t=0"))])
def test_row51_calls_in_a_container_that_goes_end_as_lost_and_those_beside_it_go_on(machine, clean, image, what, path):
    agent = Agent(machine, jobs=POOL % image("busybox") + "containers: {min: 2, max: 2}\n", env=docker_env(clean)).ready()
    agent.engine = clean
    leases = [agent.wire.post("/v1/leases", {"job": "pool", "wait": "30s"}).json() for _ in range(4)]
    victim = leases[0]["container"]
    doomed = [each["lease"] for each in leases if each["container"] == victim]
    spared = [each["lease"] for each in leases if each["container"] != victim]
    assert len(doomed) == len(spared) == 2, leases
    answers = []
    batch = [{"lease": lease, **SLEEP} for lease in doomed]
    caller = threading.Thread(target=lambda: answers.append(agent.wire.post("/v1/batch", batch, timeout=RUN_LIMIT)))
    caller.start()
    wait_until(lambda: all(begun(lease, agent) for lease in doomed), HEARD_WITHIN, f"both calls run\n{agent.log()}")
    start = time.monotonic()
    try:
        clean.request(path[0], f"/containers/berth-{victim}{path[1]}")
    except EngineError as error:
        # The agent removes what has ended, be it between the two halves of a restart.
        assert what == "restarted" and ("remov" in error.message or error.status == 404), error
    caller.join(LOST_WITHIN)
    assert answers and time.monotonic() - start < LOST_WITHIN, agent.log()
    assert [each["metadata"]["cause"] for each in answers[0].json()] == ["container_lost"] * 2, answers[0].body
    for lease in spared:
        reply = agent.wire.post(f"/v1/leases/{lease}/executions", {"tool": "bash", "args": {"command": "echo alive"}})
        assert reply.json()["output"].strip() == "alive", reply.body
    up = lambda: [each for each in agent.lines("containers") if each["state"] == "up"]  # noqa: E731
    wait_until(lambda: len(up()) == 2 and victim not in [each["container"] for each in up()], HEARD_WITHIN, f"replaced\n{agent.log()}")
    agent.process.send_signal(signal.SIGTERM)
    assert agent.process.wait(RUN_LIMIT) == 0
    assert not containers_of(agent)


def test_row55_a_stranger_under_the_name_of_a_container_that_went_is_left_alone(agent, image):
    first = only_container(agent)
    name = agent.engine.inspect(first)["Name"].lstrip("/")
    agent.engine.request("DELETE", f"/containers/{first}", force=1, v=1)
    stranger = agent.engine.create(name, {"Image": image("busybox"), "Cmd": ["sleep", "1000"], "HostConfig": {"NetworkMode": "none"}})
    agent.engine.start_container(stranger)
    try:
        wait_until(lambda: works(agent), HEARD_WITHIN, f"another one works\n{agent.log()}")
        assert first not in containers_of(agent)
        agent.process.send_signal(signal.SIGTERM)
        assert agent.process.wait(RUN_LIMIT) == 0, agent.log()
        assert agent.engine.inspect(stranger)["State"]["Running"]
    finally:
        agent.engine.remove(stranger)


def test_containers_start_while_somebody_copies_out_of_another(agent, image):
    """Meanwhile the engine shows all that the other one has, its parts of the control groups too, on the machine itself."""
    source, over = only_container(agent), threading.Event()

    def copy():
        while not over.is_set():
            agent.engine.request("GET", f"/containers/{source}/archive?path=/bin", decode=False)

    copiers = [threading.Thread(target=copy) for _ in range(COPIERS)]
    for each in copiers:
        each.start()
    try:
        job = (POOL % image("busybox")).replace("job: pool", "job: more") + "containers: {min: 4, max: 4}\n"
        assert agent.wire.request("PUT", "/v1/jobs/more", job.encode()).status == 201
        up = lambda: [each for each in agent.lines("containers") if each["job"] == "more" and each["state"] == "up"]  # noqa: E731
        wait_until(lambda: len(up()) == 4, HEARD_WITHIN, f"they are up\n{agent.log()}")
    finally:
        over.set()
        for each in copiers:
            each.join()
    assert "to=gone" not in agent.log(), "one was given up while it started"


def test_row53_an_image_that_is_removed_is_told_and_the_pool_comes_back_with_it(agent, engine):
    name = "berth-removed"
    job = (POOL % name).replace("job: pool", "job: gone").encode()
    engine.import_image(name, images.busybox_image())
    assert agent.wire.request("PUT", "/v1/jobs/gone", job).status == 201
    run = lambda: agent.berth("exec", "--job", "gone", "--", "echo", "here")[1] == "here\n"  # noqa: E731
    wait_until(run, HEARD_WITHIN, f"it works\n{agent.log()}")
    engine.request("DELETE", f"/images/{name}", force=1)
    assert not engine.has_image(name)
    assert run(), "a container that runs needs its image's name no more"
    container = next(each["container"] for each in agent.lines("containers") if each["job"] == "gone")
    engine.request("POST", f"/containers/berth-{container}/kill")
    failure = lambda: [each["last_failure"] for each in agent.lines("jobs") if each["job"] == "gone"][0]  # noqa: E731
    wait_until(lambda: f"image {name}" in failure(), HEARD_WITHIN, f"the image is missed\n{agent.log()}")
    engine.import_image(name, images.busybox_image())
    wait_until(run, 2 * HEARD_WITHIN, f"it works again\n{agent.log()}")
    agent.ok("delete", "gone", "--force")


def test_row53_an_engine_that_is_killed_is_survived(machine, engine):
    own = Engine()
    try:
        own.import_image("busybox", images.busybox_image())
        agent = Agent(machine, jobs=POOL % "busybox", env=docker_env(own)).ready()
        agent.engine = own
        own.process.kill()
        own.process.wait()
        agent.wait_for_log("the Docker Engine is away")
        assert works(agent), "slots serve without the engine"
        # Killed as well, by the kernel; nobody may have taken its exit code yet, which looks as if it lived.
        for name in ("pid", "exec/containerd/containerd.pid"):
            (pathlib.Path(own.folder) / name).unlink(missing_ok=True)
        own._start()
        wait_until(lambda: len(containers_of(agent)) == 1 and works(agent), 2 * HEARD_WITHIN, f"the pool is back\n{agent.log()}\n{own.log()}")
        agent.process.send_signal(signal.SIGTERM)
        assert agent.process.wait(RUN_LIMIT) == 0, agent.log()
        assert not containers_of(agent) and not own.request("GET", "/volumes")["Volumes"]
    finally:
        own.stop()


def test_row53_an_engine_whose_disk_is_full_is_told_and_served_again(machine, engine):
    own = Engine(memory=SMALL)
    try:
        if not os.path.ismount(own.folder):
            pytest.skip("no file system of the engine's own can be mounted here")
        own.import_image("busybox", images.busybox_image())
        agent = Agent(machine, jobs=POOL % "busybox", env=docker_env(own)).ready()
        agent.engine = own
        filler = pathlib.Path(own.folder) / "filler"
        with contextlib.suppress(OSError), open(filler, "wb", buffering=0) as file:
            while True:
                file.write(bytes(PIECE))
        assert agent.wire.request("PUT", "/v1/jobs/more", (POOL % "busybox").replace("job: pool", "job: more").encode()).status == 201
        failure = lambda: {each["job"]: each["last_failure"] for each in agent.lines("jobs")}["more"]  # noqa: E731
        wait_until(lambda: "no space left on device" in failure(), HEARD_WITHIN, f"it is told\n{agent.log()}")
        assert works(agent), "slots that are there serve on"
        filler.unlink()
        more = lambda: agent.berth("exec", "--job", "more", "--", "echo", "more")[1] == "more\n"  # noqa: E731
        wait_until(more, 2 * HEARD_WITHIN, f"there is room again\n{agent.log()}")
        agent.process.send_signal(signal.SIGTERM)
        assert agent.process.wait(RUN_LIMIT) == 0, agent.log()
        assert not containers_of(agent)
    finally:
        own.stop()


def test_what_a_killed_run_left_is_gone_after_the_next_one(machine, clean, image):
    """Its container ends when nobody asks it any more (test_stopping.py): here at once. Groups and folder are the next one's."""
    text = (POOL % image("busybox")).replace("job: pool", "job: killed") + "steps: [{name: long, tool: bash, args: {command: sleep 300}}]\n"
    state = machine.home / "runtime"
    state.mkdir(mode=0o700)
    variables = {**docker_env(clean), "XDG_RUNTIME_DIR": str(state)}
    process = machine.popen("run", machine.write("killed.yaml", text), env=variables, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    filters = json.dumps({"label": ["io.berth.job=killed"]})
    listed = lambda: clean.request("GET", "/containers/json", filters=filters)  # noqa: E731
    wait_until(listed, HEARD_WITHIN, "its container runs")
    container = listed()[0]["Labels"]["io.berth.container"]
    process.kill()
    process.wait()
    clean.request("POST", f"/containers/berth-{container}/kill")
    wait_until(lambda: not listed(), HEARD_WITHIN, "the engine removes it")
    left = lambda: [path for path in groups_below("berth") if path.name == container]  # noqa: E731
    folders = list(state.iterdir())
    assert folders and (left() or not (CGROUPS / "memory/tasks").exists())
    for folder in folders:
        os.utime(folder, (time.time() - OLD,) * 2)
    code, _, said = machine.berth("run", machine.write("killed.yaml", text.replace("sleep 300", "echo next")), env=variables)
    assert code == 0, said
    assert not left() and not list(state.iterdir())

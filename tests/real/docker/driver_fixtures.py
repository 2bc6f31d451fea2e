# SPDX-License-Identifier: Apache-2.0
"""Machines and agents that use the session's engine, and the proof that a driver leaves nothing on it."""
import json
import os
import signal
import time

import pytest

from agent_harness import Agent, Machine
from engine import groups_below
from harness import wait_until

RUN_LIMIT = 120
ORDINARY = 61234
CANARY = "canary-5f1d"
HEARD_WITHIN = 30
POOL = "job: pool\ndriver: docker\nimage: %s\nslots: 2\nslot: {memory: 64MiB, pids: 32, disk: 32MiB}\n"


@pytest.fixture
def machine():
    made = Machine(os.geteuid())
    yield made
    made.remove()


@pytest.fixture
def clean(engine):
    """Nothing of a driver may be left after the test: no container, volume or control group."""
    before, start = set(engine.containers()), time.time()
    yield engine
    wait_until(lambda: set(engine.containers()) <= before, HEARD_WITHIN, "containers are removed")
    volumes = engine.request("GET", "/volumes")["Volumes"]
    assert not volumes, f"{volumes}\n{engine.log()}"
    filters = json.dumps({"event": ["create"], "type": ["container"]})
    events = engine.request("GET", "/events", decode=False, since=start, until=time.time(), filters=filters).splitlines()
    made = {json.loads(each)["Actor"]["Attributes"]["name"].removeprefix("berth-") for each in events}
    assert not [path for path in groups_below("berth") if path.name in made]


def docker_env(engine):
    return {"DOCKER_HOST": f"unix://{engine.socket}"}


def docker_tls_env(machine, address, trusted, shown):
    """Of who trusts the authority `trusted` and shows a certificate of `shown`."""
    cert, key = shown.issue("client")
    machine.write("certs/ca.pem", trusted.pem.read_text())
    machine.write("certs/cert.pem", cert)
    machine.write("certs/key.pem", key, mode=0o600)
    return {"DOCKER_HOST": f"tcp://{address}", "DOCKER_TLS_VERIFY": "1", "DOCKER_CERT_PATH": str(machine.home / "certs")}


@pytest.fixture
def ordinary(clean):
    """A machine of a user without rights, who may use the engine's socket."""
    made = Machine(ORDINARY)
    modes = {path: os.stat(path).st_mode for path in (clean.folder, clean.socket)}
    try:
        for path in modes:
            os.chmod(path, 0o777)
        yield made
    finally:
        for path, mode in modes.items():
            os.chmod(path, mode & 0o777)
        made.remove()


@pytest.fixture
def agent(machine, clean, image):
    """An agent whose pool is one container with two slots."""
    made = Agent(machine, jobs=POOL % image("busybox") + f"env: {{SECRET: {CANARY}}}\n", env=docker_env(clean)).ready()
    made.engine = clean
    yield made
    if made.process.poll() is None:
        made.process.send_signal(signal.SIGTERM)
        assert made.process.wait(RUN_LIMIT) == 0, made.log()


def containers_of(agent):
    label = (agent.state / "agent.id").read_text().strip()
    return {each["Id"]: each for each in agent.engine.request("GET", "/containers/json", all=1)
            if each["Labels"].get("io.berth.agent") == label}


def only_container(agent):
    found = containers_of(agent)
    assert len(found) == 1, found
    return next(iter(found))


def works(agent):
    return agent.berth("exec", "--job", "pool", "--", "echo", "works")[1] == "works\n"

# SPDX-License-Identifier: Apache-2.0
"""Images that only a registry has: a real one on loopback, open or wanting credentials, slow, or gone."""
import os
import re
import signal

import pytest

import images
from agent_harness import Agent
from harness import wait_until
from registry import PASSWORD, USER, Door, Registry, docker_config

PADDING = 3 << 20
RATE = 1 << 20      # bytes a second: a line of progress comes once a second
STOP_LIMIT = 120
PULLED_WITHIN = 60

JOB = """job: pulled
driver: docker
image: %s
slots: 1
isolation: best-effort
steps: [{name: hello, tool: bash, args: {command: echo hello}}]
"""


def padded_image():
    """Differs from every other one, so that its layer has to be fetched."""
    def fill(tar):
        images.busybox(tar)
        images.add_file(tar, "padding", os.urandom(PADDING))
    return images.packed(fill)


@pytest.fixture(scope="module")
def opened(engine):
    made = Registry()
    yield made
    made.stop()


@pytest.fixture(scope="module")
def locked(engine):
    made = Registry(locked=True)
    made.push(engine, engine.import_image("berth-locked", images.busybox_image()), "box")
    yield made
    made.stop()


@pytest.fixture
def slow(engine, opened):
    """slow(most): a door before the open registry, which has a large image; the image's name through it."""
    name = opened.push(engine, engine.import_image("berth-padded", padded_image()), "padded").partition("/")[2]
    doors = []

    def begin(most=None):
        doors.append(Door(opened.port, RATE, most))
        return f"{doors[-1].host}/{name}"

    yield begin
    for door in doors:
        door.close()
        if engine.has_image(f"{door.host}/{name}"):
            engine.request("DELETE", f"/images/{door.host}/{name}", force=1)


def run(machine, engine, image):
    return machine.berth("run", machine.write("pulled.yaml", JOB % image), env={"DOCKER_HOST": f"unix://{engine.socket}"})


def log_in(machine, server, user=USER, password=PASSWORD):
    machine.write(".docker/config.json", docker_config(server, user, password), mode=0o600)


def forget(engine, image):
    if engine.has_image(image):
        engine.request("DELETE", f"/images/{image}", force=1)


def test_a_run_pulls_its_image_and_shows_how_far_it_has_come(machine, engine, slow):
    image = slow()
    code, out, said = run(machine, engine, image)
    assert code == 0 and "hello" in out, said
    assert f"pulling {image}\n" in said and f"pulled {image}\n" in said, said
    assert re.search(rf"pulling {re.escape(image)}: 0 of 1 layers, \d+\.\d MB of \d+\.\d MB", said), said


def test_an_agent_pulls_what_a_job_that_is_applied_needs(machine, engine, slow):
    image = slow()
    agent = Agent(machine, jobs=None, env={"DOCKER_HOST": f"unix://{engine.socket}"}).serving()
    agent.ok("apply", machine.write("pulled.yaml", (JOB % image).split("steps:")[0]))
    wait_until(lambda: agent.berth("exec", "--job", "pulled", "--", "echo", "works")[1] == "works\n", PULLED_WITHIN, agent.log())
    assert f"pulling {image}" in agent.log() and f"pulled {image}" in agent.log()
    agent.process.send_signal(signal.SIGTERM)
    assert agent.process.wait(STOP_LIMIT) == 0


def test_a_registry_that_goes_away_in_the_middle_is_told(machine, engine, slow):
    image = slow(most=PADDING // 2)
    code, out, said = run(machine, engine, image)
    assert code == 3 and "hello" not in out, said
    assert f"image {image}: " in said and f"does the engine reach {image.partition('/')[0]}?" in said, said


def test_credentials_of_the_configuration_file_open_a_registry(machine, engine, locked):
    image = f"{locked.host}/box:1"
    log_in(machine, locked.host)
    try:
        code, out, said = run(machine, engine, image)
        assert code == 0 and "hello" in out and f"pulled {image}" in said, said
        assert PASSWORD not in said
    finally:
        forget(engine, image)


@pytest.mark.parametrize("password, words", [(None, "no basic auth credentials"), (f"not-{PASSWORD}", "unauthorized")])
def test_no_credentials_or_wrong_ones_are_told_with_what_to_do(machine, engine, locked, password, words):
    image = f"{locked.host}/box:1"
    if password:
        log_in(machine, locked.host, password=password)
    code, _, said = run(machine, engine, image)
    assert code == 3 and f"image {image}: " in said and words in said, said
    assert f"docker login {locked.host}" in said and PASSWORD not in said
    assert not engine.has_image(image)


@pytest.mark.parametrize("name", ["box:2", "no-such:1"])
def test_a_name_or_tag_that_the_registry_does_not_have_is_told(machine, engine, locked, name):
    log_in(machine, locked.host)
    image = f"{locked.host}/{name}"
    code, _, said = run(machine, engine, image)
    assert code == 3 and f"image {image}: " in said and "manifest unknown" in said, said
    assert f"docker pull {image}, or correct its name" in said

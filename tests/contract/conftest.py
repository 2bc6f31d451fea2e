# SPDX-License-Identifier: Apache-2.0
"""Servers for the tests: one shared by a file where state does not matter, fresh ones where it does, each as root of the
machine and as an ordinary user; or in containers, when BERTH_CONTRACT_IN is `container`."""
import itertools
import os
import pathlib
import subprocess
import sys

import pytest

from harness import FRESH_UID, Slot, Slotd

IN_CONTAINER = os.environ.get("BERTH_CONTRACT_IN") == "container"
if IN_CONTAINER:
    sys.path.insert(0, str(pathlib.Path(__file__).parents[1] / "real/docker"))
    from contained import ContainedSlotd as Slotd  # noqa: F811
    from engine_fixtures import contained, debian, engine  # noqa: F401
    Slotd.grouped = True
    Slotd.defaults = {"image_env": ["PATH=/usr/local/bin:/usr/bin:/bin"]}
# What is not so in a container, and why.
NOT_CONTAINED = {
    "test_row01_the_server_cannot_be_reached_from_a_slot": "no port: the server listens on a socket that no slot sees",
    "test_row20_hidden_places_of_the_host_are_hidden": "the places are the image's own",
}
SHARED_SLOTS = 6
PROBES = pathlib.Path(__file__).parent / "probes"


def pytest_collection_modifyitems(items):
    for item in items if IN_CONTAINER else ():
        reason = NOT_CONTAINED.get(item.originalname)
        if reason:
            item.add_marker(pytest.mark.skip(reason=reason))


def uid_of(kind):
    if kind == "as_root":
        if os.geteuid() != 0:
            pytest.skip("needs root")
        return 0
    return FRESH_UID if os.geteuid() == 0 else os.geteuid()


@pytest.fixture(scope="session", params=["in_container"] if IN_CONTAINER else ["as_root", "as_user"])
def user(request):
    """The uid that servers of this round run as."""
    if IN_CONTAINER:
        request.getfixturevalue("contained")
        return 0
    return uid_of(request.param)


@pytest.fixture(scope="session")
def server(user):
    """A server that the tests of one file share. A test that spoils it uses `start` instead."""
    slotd = Slotd(user=user, slots=SHARED_SLOTS).connect()
    yield slotd
    slotd.stop()


@pytest.fixture
def start(user):
    """Starts servers of the test's own."""
    running = []

    def begin(**options):
        slotd = Slotd(user=user, **options)
        running.append(slotd)
        return slotd.connect()

    yield begin
    for slotd in running:
        slotd.stop() if slotd.process.poll() is None else slotd.kill()


@pytest.fixture(scope="session")
def turns():
    return itertools.count()


@pytest.fixture
def slots(server, turns):
    """Two clean slots of the shared server."""
    names = [f"slot_{next(turns) % SHARED_SLOTS}" for _ in range(2)]
    pair = [Slot(server, name) for name in names]
    for slot in pair:
        slot.reset()
    return pair


@pytest.fixture
def slot(server, turns):
    """A clean slot of the shared server."""
    one = Slot(server, f"slot_{next(turns) % SHARED_SLOTS}")
    one.reset()
    return one


@pytest.fixture(scope="session")
def probe(tmp_path_factory):
    """probe(name): the bytes of probes/name.c as a static program, built once."""
    built = {}
    folder = tmp_path_factory.mktemp("probes")

    def build(name):
        if name not in built:
            target = folder / name
            subprocess.run(["/usr/bin/gcc", "-O1", "-static", "-o", target, PROBES / f"{name}.c"], check=True)
            built[name] = target.read_bytes()
        return built[name]

    return build


@pytest.fixture
def run_probe(probe):
    """run_probe(slot, name, *arguments): the probe's answer, run inside a slot."""

    def run(slot, name, *arguments, timeout=60):
        slot.put(name, probe(name))
        slot.output(f"chmod 755 /workspace/{name}")
        return slot.exec(f"/workspace/{name}", *arguments, timeout=timeout)

    return run

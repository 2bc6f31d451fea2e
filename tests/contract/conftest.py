# SPDX-License-Identifier: Apache-2.0
"""Servers for the tests: one shared by a file where state does not matter, fresh ones where it does, each as root of the
machine and as an ordinary user; or in containers, when BERTH_CONTRACT_IN is `container`."""
import itertools
import os
import pathlib
import subprocess
import sys

import pytest

from harness import FRESH_UID, IN_CONTAINER, Slot, Slotd

if IN_CONTAINER:
    sys.path.insert(0, str(pathlib.Path(__file__).parents[1] / "real/docker"))
    from contained import ContainedSlotd as Slotd, Network  # noqa: F811
    from engine_fixtures import contained, debian, engine  # noqa: F401
    Slotd.grouped = True
    Slotd.defaults = {"image_env": ["PATH=/usr/local/bin:/usr/bin:/bin"]}
SHARED_SLOTS = 6
PROBES = pathlib.Path(__file__).parent / "probes"


def pytest_configure(config):
    config.addinivalue_line("markers", "local_only(reason): of a server on this machine; left out where servers run in containers")


def pytest_collection_modifyitems(config, items):
    if IN_CONTAINER:
        config.hook.pytest_deselected(items=[item for item in items if item.get_closest_marker("local_only")])
        items[:] = [item for item in items if not item.get_closest_marker("local_only")]


def uid_of(kind):
    if kind == "as_root":
        if os.geteuid() != 0:
            pytest.skip("needs root")
        return 0
    return FRESH_UID if os.geteuid() == 0 else os.geteuid()


@pytest.fixture(scope="session")
def new_slotd(request):
    """What servers are made by: new_slotd(user=..., ...), and whoever makes one ends it."""
    if IN_CONTAINER:
        request.getfixturevalue("contained")
    return Slotd


@pytest.fixture(scope="session")
def network(request):
    """What servers may stand beside: a container with a network of its own; None where all stand in this machine's."""
    if not IN_CONTAINER:
        yield None
        return
    kept = Network(request.getfixturevalue("contained"))
    yield kept
    kept.close()


@pytest.fixture(scope="session", params=["in_container"] if IN_CONTAINER else ["as_root", "as_user"])
def user(request):
    """The uid that servers of this round run as."""
    return 0 if IN_CONTAINER else uid_of(request.param)


@pytest.fixture(scope="session")
def server(user, new_slotd):
    """A server that the tests of one file share. A test that spoils it uses `start` instead."""
    slotd = new_slotd(user=user, slots=SHARED_SLOTS).connect()
    yield slotd
    slotd.stop()


@pytest.fixture
def start(user, new_slotd):
    """Starts servers of the test's own."""
    running = []

    def begin(**options):
        slotd = new_slotd(user=user, **options)
        running.append(slotd)
        return slotd.connect()

    yield begin
    for slotd in running:
        slotd.stop() if slotd.process.poll() is None else slotd.kill()


@pytest.fixture
def launch(user, new_slotd):
    """Starts servers without waiting for them; what is left of them is killed."""
    running = []

    def begin(**options):
        running.append(new_slotd(user=user, **options))
        return running[-1]

    yield begin
    for slotd in running:
        slotd.kill()


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

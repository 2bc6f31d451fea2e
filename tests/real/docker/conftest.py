# SPDX-License-Identifier: Apache-2.0
"""Slot servers in containers of an engine that the tests start themselves."""
import pathlib
import sys

import pytest

sys.path.insert(0, str(pathlib.Path(__file__).parents[2] / "contract"))

import images  # noqa: E402
from audit import nothing_left  # noqa: E402, F401
from contained import ContainedSlotd  # noqa: E402
from driver_fixtures import agent, clean, machine, ordinary  # noqa: E402, F401
from engine_fixtures import contained, debian, engine  # noqa: E402, F401
from harness import Slot  # noqa: E402


@pytest.fixture
def start(engine):
    """Starts slot servers in containers of the test's own; `image` is a name that the engine has."""
    ContainedSlotd.engine = engine
    running = []

    def begin(ready=True, **options):
        slotd = ContainedSlotd(**options)
        running.append(slotd)
        return slotd.connect() if ready else slotd

    yield begin
    for slotd in running:
        slotd.stop() if slotd.process.poll() is None else slotd.kill()


@pytest.fixture(scope="session")
def image(engine):
    """image(name): the name of one of images.py's, imported once."""
    made = {}

    def get(name, changes=()):
        key = (name, tuple(changes))
        if key not in made:
            made[key] = engine.import_image(f"berth-{name}-{len(made)}".replace("_", "-"), getattr(images, f"{name}_image")(), changes)
        return made[key]

    return get


@pytest.fixture
def slots(server):
    """Two slots of the file's own server, as new."""
    pair = [Slot(server, f"slot_{number}") for number in range(2)]
    for slot in pair:
        slot.reset()
    return pair

# SPDX-License-Identifier: Apache-2.0
"""examples/own-image.yaml as its head says: a root file system imported as it is, run by root and by somebody who may only use
the engine's socket."""
import json
import os
import pathlib
import re

import pytest

import images
from agent_harness import machine_of
from driver_fixtures import ORDINARY, docker_env

EXAMPLE = (pathlib.Path(os.environ["BERTH_SOURCE_DIR"]) / "examples/own-image.yaml").read_text()


@pytest.fixture(scope="module")
def own_image(engine, debian):
    """The image by the name and with the changes that the example's head gives it."""
    changes = re.findall(r"--change '([^']+)'", EXAMPLE)
    assert len(changes) == 2
    engine.import_image("own-image", images.debian(), changes)
    yield
    engine.request("DELETE", "/images/own-image", force=1)


@pytest.fixture
def group_docker(engine):
    """The engine's socket as an installed engine has it: for root and for one group."""
    old = {path: os.stat(path) for path in (engine.folder, engine.socket)}
    os.chmod(engine.folder, 0o755)
    os.chown(engine.socket, 0, ORDINARY)
    os.chmod(engine.socket, 0o660)
    yield
    for path, facts in old.items():
        os.chown(path, facts.st_uid, facts.st_gid)
        os.chmod(path, facts.st_mode & 0o7777)


@pytest.mark.parametrize("user", [0, ORDINARY], ids=["as_root", "as_user"])
def test_the_example_of_an_image_of_ones_own_runs(clean, own_image, group_docker, user):
    with machine_of(user) as machine:
        job = machine.write("own-image.yaml", EXAMPLE)
        code, out, said = machine.berth("run", job, "--json", env=docker_env(clean))
    assert code == 0, said
    results = [json.loads(line) for line in out.splitlines()]
    assert len(results) == 8 * 2 and all(each["success"] for each in results), results

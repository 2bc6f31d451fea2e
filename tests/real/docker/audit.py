# SPDX-License-Identifier: Apache-2.0
"""Nothing of a session of tests may be left: no folder that it made, no process, mount or control group with its name, and
in its engine no container, volume or network."""
import pathlib
import tempfile

import pytest

from engine import CGROUPS, EngineError, groups_below
from harness import wait_until

GONE_WITHIN = 30
OWN_NETWORKS = {"bridge", "host", "none"}  # of every engine


def names_folder(pid, folder):
    """Whether the process's arguments or program lie in the folder."""
    text = str(folder)
    try:
        entry = pathlib.Path("/proc") / pid
        return text.encode() in (entry / "cmdline").read_bytes() or str((entry / "exe").readlink()).startswith(text)
    except OSError:  # it has ended, or is the kernel's
        return False


def left_of(folder):
    """What bears the name of a folder: itself, processes, mounts, control groups."""
    left = [str(folder)] if folder.exists() else []
    processes = [entry.name for entry in pathlib.Path("/proc").iterdir() if entry.name.isdigit()]
    left += [f"process {pid}" for pid in processes if names_folder(pid, folder)]
    mounts = [line.split()[4] for line in pathlib.Path("/proc/self/mountinfo").read_text().splitlines()]
    left += [f"mount {point}" for point in mounts if f"{point}/".startswith(f"{folder}/")]
    left += [f"group {path}" for path in CGROUPS.glob(f"*/{folder.name}")]
    return left + [f"group {path}" for path in groups_below("berth") if path.name == folder.name]


def left_in(engine):
    """What an engine still has beside its images."""
    left = [f"container {each['Names']} {each['Labels']}" for each in engine.request("GET", "/containers/json", all=1)]
    left += [f"volume {each['Name']} {each['Labels']}" for each in engine.request("GET", "/volumes")["Volumes"] or []]
    return left + [f"network {each['Name']}" for each in engine.request("GET", "/networks") if each["Name"] not in OWN_NETWORKS]


def assert_clean(engine):
    try:
        wait_until(lambda: not left_in(engine), GONE_WITHIN, "the engine is as it was")
    except AssertionError:
        raise AssertionError(f"left in the engine: {left_in(engine)}\n{engine.log()}") from None
    except EngineError as error:
        raise AssertionError(f"the engine cannot say what it has: {error}") from error


@pytest.fixture(scope="session", autouse=True)
def nothing_left():
    """Remembers every temporary folder that this process makes; at the end of the session nothing of them is left."""
    make, made = tempfile.mkdtemp, []

    def remembered(*arguments, **options):
        made.append(pathlib.Path(make(*arguments, **options)))
        return str(made[-1])

    tempfile.mkdtemp = remembered
    yield
    tempfile.mkdtemp = make
    left = [each for folder in made for each in left_of(folder)]
    assert not left, f"left behind: {left}"

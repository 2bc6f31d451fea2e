# SPDX-License-Identifier: Apache-2.0
"""The program of examples/ that drives 100 trajectories through /v1 with streaming."""
import os
import pathlib
import subprocess
import sys

from agent_harness import SECRETS

PROGRAM = pathlib.Path(os.environ["BERTH_SOURCE_DIR"]) / "examples/trajectories.py"
SECONDS = 60 * 5


def test_a_hundred_trajectories_with_their_output(agent):
    environment = {**os.environ, "BERTH_ADDR": f"http://127.0.0.1:{agent.port}", "BERTH_TOKEN": SECRETS["alice"]}
    done = subprocess.run([sys.executable, PROGRAM, "pool"], capture_output=True, text=True, env=environment, timeout=SECONDS,
                          check=False)
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-2000:]
    lines = done.stdout.splitlines()
    assert lines.pop() == "100 of 100 trajectories succeeded"
    for number in range(100):
        name = f"trajectory-{number}"
        assert [line for line in lines if line.startswith(name + " ")] == [
            f"{name} [stdout] written", f"{name} [stdout] 3", f"{name} [stdout] text of {name}"]
    assert agent.as_("alice").get("/v1/leases").json() == {"leases": []}

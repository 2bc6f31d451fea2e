# SPDX-License-Identifier: Apache-2.0
"""README.md is what a newcomer types, so its commands are run and its job files validated, as they stand there."""
import os
import pathlib
import re
import subprocess

import pytest
import tree

README = tree.ROOT / "README.md"
MOST_LINES = 120
COMMAND_LIMIT_S = 120
# Running the suite from inside the suite would never end; it is the only command that this file leaves out.
SELF = re.compile(r"^\./test\b")


def blocks(language):
    return re.findall(rf"^```{language}\n(.*?)^```", README.read_text(), re.DOTALL | re.MULTILINE)


def commands():
    lines = [line.split("  #")[0].strip() for block in blocks("sh") for line in block.splitlines()]
    return [line for line in lines if line and not line.startswith("#")]


def programs():
    """The build that is under test: BERTH_BIN_DIR is <build folder>/bin."""
    directory = os.environ.get("BERTH_BIN_DIR")
    if not directory:
        pytest.fail("BERTH_BIN_DIR is not set; run this through ./test or ctest")
    return pathlib.Path(directory)


def run(command):
    """The command as printed, with the build under test standing in for build/release."""
    build = programs().parent
    # Variables of the caller's own Berth must not reach an agent that is running elsewhere on this machine.
    environment = {key: value for key, value in os.environ.items() if not key.startswith("BERTH_")}
    environment["BERTH_PRESET"] = build.name
    command = command.replace("build/release", str(build))
    return subprocess.run(["bash", "-euo", "pipefail", "-c", command], cwd=tree.ROOT, env=environment, text=True,
                          stdin=subprocess.DEVNULL, capture_output=True, timeout=COMMAND_LIMIT_S)


def test_readme_is_short():
    assert len(README.read_text().splitlines()) <= MOST_LINES


def test_readme_shows_the_two_commands():
    assert "./run" in commands() and "./test" in commands()


@pytest.mark.parametrize("command", [line for line in commands() if not SELF.match(line)])
def test_a_command_of_the_readme_succeeds(command):
    done = run(command)
    assert done.returncode == 0, f"exit {done.returncode}\n{done.stdout}\n{done.stderr}"


@pytest.mark.parametrize("job", blocks("yaml"))
def test_a_job_file_of_the_readme_is_valid(job, tmp_path):
    path = tmp_path / "job.yaml"
    path.write_text(job)
    done = subprocess.run([programs() / "berth", "validate", path], capture_output=True, text=True, timeout=30)
    assert done.returncode == 0, done.stderr


def test_every_link_of_the_documents_leads_somewhere():
    broken = []
    for page in [path for path in tree.tracked() if path.suffix == ".md"]:
        for target in re.findall(r"\]\(([^)#]+)[^)]*\)", tree.read(page)):
            if "://" not in target and not (tree.ROOT / page).parent.joinpath(target).exists():
                broken.append(f"{page}: {target}")
    assert not broken, broken

# SPDX-License-Identifier: Apache-2.0
"""./run against a machine made of stand-ins: dpkg, apt, cmake and ninja write down how they were called."""
import shutil
import subprocess

import pytest
import tree

# Each stand-in appends its command line to $CALLS. dpkg-query knows all packages but those of $ABSENT.
STAND_INS = {
    "dpkg-query": 'for p in "$@"; do case "$p" in -*) ;; *) [[ " $ABSENT " == *" $p "* ]] || echo "installed $p";; esac; done',
    "id": 'echo "${AS_UID:-0}"',
    "sudo": "exit 1",
    "apt-get": '[[ "$*" != *install* || ! -e "$CALLS.stale" ]] || { rm "$CALLS.stale"; exit 100; }',
    "cmake": 'while [ $# -gt 0 ]; do if [ "$1" = -B ]; then touch "$2/build.ninja"; fi; shift; done',
    "ninja": 'while [ $# -gt 0 ]; do if [ "$1" = -C ]; then mkdir -p "$2/bin"; cp "$CALLS.berth" "$2/bin/berth"; fi; shift; done',
}


class Machine:
    def __init__(self, home):
        self.checkout = home / "checkout"
        self.elsewhere = home / "elsewhere"
        self.cache = home / "cache"
        self.calls_file = home / "calls"
        (self.checkout / "cmake").mkdir(parents=True)
        (self.checkout / "examples").mkdir()
        (self.checkout / "examples" / "quickstart.yaml").touch()
        self.elsewhere.mkdir()
        shutil.copy(tree.ROOT / "run", self.checkout / "run")
        shutil.copy(tree.ROOT / "cmake" / "packages.sh", self.checkout / "cmake" / "packages.sh")
        self.bin = home / "bin"
        self.bin.mkdir()
        for name, body in STAND_INS.items():
            self.write(self.bin / name, f'echo "{name} $*" >>"$CALLS"\n{body}\n')
        self.write(home / "calls.berth", 'echo "ran $(basename "$(dirname "$(dirname "$0")")") in $PWD with $*"\n')

    @staticmethod
    def write(path, body):
        path.write_text("#!/bin/bash\n" + body)
        path.chmod(0o755)

    def run(self, *arguments, absent="", uid=0):
        environment = {"PATH": f"{self.bin}:/usr/bin:/bin", "CALLS": str(self.calls_file), "ABSENT": absent,
                       "AS_UID": str(uid), "HOME": str(self.cache), "XDG_CACHE_HOME": str(self.cache)}
        return subprocess.run([str(self.checkout / "run"), *arguments], cwd=self.elsewhere, env=environment, text=True,
                              stdin=subprocess.DEVNULL, capture_output=True, timeout=30)

    def calls(self, program):
        lines = self.calls_file.read_text().splitlines() if self.calls_file.exists() else []
        return [line for line in lines if line.split()[0] == program]


@pytest.fixture
def machine(tmp_path):
    return Machine(tmp_path)


def test_with_every_package_there_it_builds_and_runs_without_any_privilege(machine):
    done = machine.run(uid=1000)
    assert done.returncode == 0, done.stderr
    assert done.stdout == f"ran release in {machine.elsewhere} with run {machine.checkout}/examples/quickstart.yaml\n"
    assert not machine.calls("apt-get") and not machine.calls("sudo")


def test_only_what_is_missing_is_installed(machine):
    done = machine.run(absent="cmake libre2-dev")
    assert done.returncode == 0, done.stderr
    install = [line for line in machine.calls("apt-get") if " install " in line]
    assert len(install) == 1
    assert install[0].endswith("install --no-install-recommends cmake libre2-dev")


def test_lists_that_are_too_old_are_fetched_and_the_install_tried_again(machine):
    (machine.calls_file.parent / "calls.stale").touch()
    assert machine.run(absent="cmake").returncode == 0
    assert [line.split()[-1] for line in machine.calls("apt-get")][-3:] == ["cmake", "update", "cmake"]


def test_without_privilege_one_sentence_names_the_command(machine):
    done = machine.run(absent="cmake libre2-dev", uid=1000)
    assert done.returncode == 3
    assert len(done.stderr.splitlines()) == 1
    assert "apt-get update && apt-get install -y --no-install-recommends cmake libre2-dev" in done.stderr
    assert not machine.calls("apt-get")


def test_a_second_run_configures_nothing(machine):
    machine.run()
    machine.run()
    assert len(machine.calls("cmake")) == 1


def test_a_job_is_found_from_where_the_caller_stands_and_options_pass_through(machine):
    (machine.elsewhere / "my job.yaml").touch()
    done = machine.run("my job.yaml", "--json", "--set", "slots=4")
    assert done.stdout.endswith("with run my job.yaml --json --set slots=4\n")


def test_options_alone_go_to_the_quickstart(machine):
    assert machine.run("--json").stdout.endswith("examples/quickstart.yaml --json\n")


def test_a_job_that_is_not_there_is_said_before_anything_is_built(machine):
    done = machine.run("no.yaml")
    assert (done.returncode, done.stderr) == (2, "berth: no such job file: no.yaml\n")
    assert not machine.calls_file.exists()


def test_a_checkout_that_cannot_be_written_is_built_in_the_cache(machine):
    (machine.checkout / "build").touch()
    assert machine.run().returncode == 0
    assert len(list(machine.cache.glob("berth/build-*-release/bin/berth"))) == 1


def test_a_failed_build_is_an_error_of_the_platform(machine):
    Machine.write(machine.bin / "ninja", "exit 1")
    assert machine.run().returncode == 3


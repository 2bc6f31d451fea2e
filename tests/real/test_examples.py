# SPDX-License-Identifier: Apache-2.0
"""Every job file of examples/ really runs, on the local driver, with the programs that were built."""
import json
import os
import pathlib
import shutil
import subprocess
import time
import xml.etree.ElementTree as ElementTree

import pytest

ROOT = pathlib.Path(os.environ["BERTH_SOURCE_DIR"])
BERTH = pathlib.Path(os.environ["BERTH_BIN_DIR"]) / "berth"
PYTHON = "/usr/bin/python3"
PROJECT = "toolz==0.12.0"  # pure Python, its tests are in its sdist and need pytest alone
SOURCE = "zlib"

QUICKSTART_SECONDS = 1.0  # what the example promises; asserted at five times that


@pytest.fixture
def examples(tmp_path):
    """A copy of the folder: outputs go beside the job file."""
    return pathlib.Path(shutil.copytree(ROOT / "examples", tmp_path / "examples", ignore=shutil.ignore_patterns("out")))


def berth_run(job, *options, timeout=240):
    """Exit code, one dict a step, and what was said on stderr."""
    environment = {name: value for name, value in os.environ.items() if name != "BERTH_ADDR"}
    done = subprocess.run([BERTH, "run", job, "--json", *options], capture_output=True, text=True, timeout=timeout,
                          env=environment, check=False)
    return done.returncode, [json.loads(line) for line in done.stdout.splitlines()], done.stderr


def expect_success(job, trajectories, steps, *options):
    code, results, said = berth_run(job, *options)
    assert code == 0, said + str([r for r in results if not r["success"]][:3])
    assert len({r["trajectory"] for r in results}) == trajectories
    assert len(results) == trajectories * steps
    assert all(r["success"] for r in results)
    assert all(r["metadata"].get("sandboxed", True) for r in results)
    return results


def write_job(folder, text):
    path = folder / "job.yaml"
    path.write_text(text)
    return path


def test_quickstart(examples):
    start = time.monotonic()
    results = expect_success(examples / "quickstart.yaml", 20, 4)
    assert time.monotonic() - start < 5 * QUICKSTART_SECONDS
    last = {r["trajectory"]: r["output"] for r in results if r["step"] == "look around"}
    assert all(f"a note of {name}" in output for name, output in last.items())


def test_rollouts(examples):
    results = expect_success(examples / "rollouts.yaml", 200, 5)
    read = {r["index"]: r["output"] for r in results if r["step"] == "read"}
    assert read == {index: f"first {index}\nsecond {index}\n" for index in range(200)}


@pytest.mark.parametrize("mark", ["/tmp/left-over", "/workspace/left-over", "/usr/local/left-over"])
def test_rollouts_notices_a_file_that_is_left_over(examples, mark):
    # The edit plants it and leaves the program as it is, so that its second run looks again.
    edit = f"rm -f /tmp/left-over /usr/local/left-over left-over; echo x >{mark}; head -n 1 program.sh"
    code, results, _ = berth_run(examples / "rollouts.yaml", "--set", "trajectories=2", "--set",
                                 "steps.2.args.command=" + json.dumps(edit))
    assert code == 1
    again = [r for r in results if r["step"] == "run again"]
    assert len(again) == 2 and all(f"left over: {mark}" in r["output"] for r in again)


def test_rollouts_notices_a_process_that_is_left_over(examples):
    edit = json.dumps({"argv": ["sh", "-c", "sleep 1000; : left-over-process"], "background": True})
    again = "rm /tmp/left-over left-over /usr/local/left-over; sh program.sh"
    code, results, _ = berth_run(examples / "rollouts.yaml", "--set", "trajectories=1", "--set", "steps.2.tool=exec",
                                 "--set", "steps.2.args=" + edit, "--set", "steps.2.expect=none",
                                 "--set", "steps.3.args.argv=" + json.dumps(["sh", "-c", again]))
    assert code == 1
    assert "left over: /proc/" in results[-1]["output"]


PORT_JOB = """
job: port
slots: 1
trajectories: 2
steps:
  - name: nobody listens
    tool: bash
    args: {command: "! grep ' 0A ' /proc/net/tcp"}
  - name: listen
    tool: exec
    args: {argv: [/usr/bin/python3, -m, http.server, "8123", --bind, 127.0.0.1], background: true}
  - name: somebody listens
    tool: bash
    args: {command: "until grep -q ':1FBB .* 0A ' /proc/net/tcp; do sleep 0.02; done; echo listens"}
    timeout: 20s
    expect: {output: listens}
"""


def test_a_listening_port_does_not_outlive_its_trajectory(tmp_path):
    expect_success(write_job(tmp_path, PORT_JOB), 2, 3)


def test_tasks(examples):
    expect_success(examples / "tasks.yaml", 12, 3)
    logs = sorted((examples / "out" / "tasks").glob("*/log.txt"))
    assert len(logs) == 12
    assert all(log.read_text().endswith("\nOK\n") for log in logs)


def test_tasks_a_wrong_solution_fails_alone_and_its_log_comes_back(examples):
    items = examples / "tasks.jsonl"
    items.write_text(items.read_text().replace("out += letters * (number // value)", "out += letters"))
    code, results, _ = berth_run(examples / "tasks.yaml")
    assert code == 1
    assert {r["trajectory"] for r in results if not r["success"]} == {"roman"}
    assert "FAILED" in (examples / "out" / "tasks" / "roman" / "log.txt").read_text()


def counts(junit):
    suite = ElementTree.parse(junit).getroot().find("testsuite")
    return {name: int(suite.get(name)) for name in ("tests", "failures", "errors", "skipped")}


def run_or_skip(command, reason, **options):
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False, **options)
    except (OSError, subprocess.TimeoutExpired) as problem:
        pytest.skip(f"{reason}: {problem}")
    if done.returncode != 0:
        pytest.skip(f"{reason}: {(done.stderr.strip() or 'failed').splitlines()[-1]}")
    return done.stdout


@pytest.fixture
def project(tmp_path):
    """A source package of the Python registry, unpacked."""
    folder = tmp_path / "project"
    folder.mkdir()
    run_or_skip([PYTHON, "-m", "pip", "download", "--quiet", "--disable-pip-version-check", "--no-binary", ":all:",
                 "--no-deps", "--dest", folder, PROJECT], f"{PROJECT} cannot be fetched")
    (archive,) = folder.glob("*.tar.gz")
    shutil.unpack_archive(archive, folder)
    return folder / archive.name.removesuffix(".tar.gz")


def test_project_tests(examples, project, tmp_path):
    outside = tmp_path / "outside.xml"
    subprocess.run([PYTHON, "-m", "pytest", "-q", "-p", "no:cacheprovider", f"--junitxml={outside}"], cwd=project,
                   check=True, timeout=120, capture_output=True,
                   env={"PATH": os.environ["PATH"], "PYTHONPATH": "src:.", "PYTHONDONTWRITEBYTECODE": "1"})
    assert counts(outside)["tests"] > 100
    expect_success(examples / "project-tests.yaml", 8, 2, "--set", f"vars.project={project}")
    reports = sorted((examples / "out").glob("project-tests-*/junit.xml"))
    assert len(reports) == 8
    assert all(counts(report) == counts(outside) for report in reports)


@pytest.fixture
def source(tmp_path):
    """A Debian source package, fetched with lists of its own: this machine's apt settings stay as they are."""
    if not pathlib.Path("/usr/bin/dpkg-source").exists():
        pytest.skip("dpkg-source is not installed (package dpkg-dev)")
    targets = run_or_skip(["apt-get", "indextargets", "--format", "$(REPO_URI) $(RELEASE) $(COMPONENT) $(ORIGIN)",
                           "Created-By: Packages"], "apt knows no sources")
    mirrors = sorted({line for line in targets.splitlines()
                      if line.endswith(" main Debian") and "-" not in line.split()[1]})
    if not mirrors:
        pytest.skip("apt has no Debian mirror")
    address, release, component, _ = mirrors[0].split()
    apt = tmp_path / "apt"
    for name in ("lists/partial", "cache/archives/partial", "source"):
        (apt / name).mkdir(parents=True)
    keyring = "/usr/share/keyrings/debian-archive-keyring.gpg"
    (apt / "sources.list").write_text(f"deb-src [signed-by={keyring}] {address} {release} {component}\n")
    options = [f"-oDir::Etc::SourceList={apt}/sources.list", "-oDir::Etc::SourceParts=/dev/null",
               f"-oDir::State::Lists={apt}/lists", f"-oDir::Cache={apt}/cache", "-oAPT::Sandbox::User=root",
               "-oAPT::Update::Error-Mode=any"]
    run_or_skip(["apt-get", *options, "update"], "the lists of Debian sources cannot be fetched")
    run_or_skip(["apt-get", *options, "source", SOURCE], f"{SOURCE} cannot be fetched", cwd=apt / "source")
    (tree,) = [path for path in (apt / "source").iterdir() if path.is_dir()]
    return tree


def test_compile(examples, source):
    if not (shutil.which("gcc") and shutil.which("make")):
        pytest.skip("gcc and make are not installed")
    results = expect_success(examples / "compile.yaml", 4, 4, "--set", f"vars.source={source}")
    assert len({r["output"] for r in results if r["step"] == "digest"}) == 1
    libraries = sorted((examples / "out").glob("compile-*/libz.a"))
    assert len(libraries) == 4
    assert len({library.read_bytes() for library in libraries}) == 1

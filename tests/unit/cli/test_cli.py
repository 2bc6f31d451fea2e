# SPDX-License-Identifier: Apache-2.0
"""`berth` from outside: exit codes, output, what an interrupt leaves. The slot server is the fake, which runs a toy language."""
import json
import os
import pathlib
import signal
import subprocess
import tempfile
import time

import pytest

BIN = pathlib.Path(os.environ["BERTH_BIN_DIR"])
WAIT = 30  # seconds; generous, every wait ends early on success
INTERRUPT_PROMISE = 2.0

JOB = """\
job: demo
slots: 2
trajectories: 5
steps:
  - {name: hello, tool: bash, args: {command: "echo hello {{index}}"}}
  - {name: again, tool: bash, args: {command: "echo again {{index}}"}}
"""


@pytest.fixture
def box(tmp_path):
    """A folder for job files, and a runtime directory in which nothing may be left."""
    # A short path: it holds unix sockets.
    with tempfile.TemporaryDirectory(prefix="berth-", dir="/tmp") as runtime:
        yield Box(tmp_path, pathlib.Path(runtime))


class Box:
    def __init__(self, folder, runtime):
        self.folder = folder
        self.runtime = runtime
        self.environment = {"PATH": "/usr/bin:/bin", "XDG_RUNTIME_DIR": str(runtime), "BERTH_SLOTD": str(BIN / "fake-slotd")}

    def job(self, text=JOB, name="job.yaml"):
        path = self.folder / name
        path.write_text(text)
        return str(path)

    def start(self, *arguments, **more):
        environment = {**self.environment, **more.pop("env", {})}
        return subprocess.Popen([BIN / "berth", *arguments], env=environment, text=True, stdout=subprocess.PIPE,
                                stderr=subprocess.PIPE, stdin=subprocess.DEVNULL, cwd=self.folder, **more)

    def berth(self, *arguments, **more):
        process = self.start(*arguments, **more)
        out, err = process.communicate(timeout=WAIT)
        assert self.left() == [], err
        return process.returncode, out, err

    def left(self):
        return sorted(str(path) for path in self.runtime.iterdir())

    def servers(self):
        """Processes whose command line names this test's runtime directory."""
        found = []
        for entry in pathlib.Path("/proc").iterdir():
            try:
                if entry.name.isdigit() and str(self.runtime).encode() in (entry / "cmdline").read_bytes():
                    found.append(int(entry.name))
            except OSError:
                continue
        return found

    def until(self, condition):
        end = time.monotonic() + WAIT
        while not condition():
            assert time.monotonic() < end, "waited too long"
            time.sleep(0.01)


def test_a_run_that_succeeds_shows_a_table_and_exits_0(box):
    code, out, err = box.berth("run", box.job())
    assert code == 0, err
    assert "demo-4" in out and "again 4" in out
    assert "5 trajectories: 5 succeeded, 0 failed; 10 steps on 2 slots of 1 container" in out
    assert "\x1b" not in out + err


def test_json_gives_one_object_a_step_with_its_keys(box):
    code, out, _ = box.berth("run", box.job(), "--json")
    lines = [json.loads(line) for line in out.splitlines()]
    assert code == 0 and len(lines) == 10
    assert all(set(line) == {"job", "trajectory", "index", "item", "step", "success", "output", "error", "metadata"} for line in lines)
    assert {(line["index"], line["step"]) for line in lines} == {(i, step) for i in range(5) for step in ("hello", "again")}


def test_steps_of_a_trajectory_come_in_order(box):
    _, out, _ = box.berth("run", box.job(), "--json")
    for index in range(5):
        assert [line["step"] for line in map(json.loads, out.splitlines()) if line["index"] == index] == ["hello", "again"]


def test_a_failed_step_ends_its_trajectory_only_and_exits_1(box):
    job = box.job(JOB.replace("echo hello {{index}}", "exit {{index}}"))
    code, out, _ = box.berth("run", job)
    assert code == 1
    assert "1 succeeded, 4 failed; 6 steps" in out
    assert "hello: Exit code: 3" in out


def test_a_step_with_continue_does_not_end_its_trajectory(box):
    job = box.job(JOB.replace('"echo hello {{index}}"}', '"exit 1"}, continue: true'))
    code, out, _ = box.berth("run", job)
    assert code == 1 and "10 steps" in out


def test_an_expectation_that_is_not_met_fails_the_step(box):
    job = box.job(JOB.replace('"echo hello {{index}}"}', '"echo hello {{index}}"}, expect: {output: "hello 3"}'))
    code, out, _ = box.berth("run", job, "--json")
    assert code == 1
    assert sum(line["success"] for line in map(json.loads, out.splitlines()) if line["step"] == "hello") == 1


@pytest.mark.parametrize("arguments", [
    [], ["nonsense"], ["run"], ["run", "/nowhere/job.yaml"], ["run", "--no-such-flag", "x"], ["exec", "--job", "x"],
    ["run", "JOB", "--driver", "moon"], ["run", "JOB", "--set", "slots=many"], ["run", "JOB", "--keep"], ["validate", "BAD"],
    ["run", "BAD"], ["run", "POOL"], ["exec", "--job", "JOB", "--timeout", "5", "--", "x"],
])
def test_bad_usage_and_bad_files_exit_2_with_words_on_stderr(box, arguments):
    files = {"JOB": box.job(), "BAD": box.job("job: demo\nslotz: 2\n", "bad.yaml"), "POOL": box.job("job: pool\n", "pool.yaml")}
    code, out, err = box.berth(*[files.get(word, word) for word in arguments])
    assert code == 2
    assert err.strip() and not out.strip()


def test_a_bad_file_is_complained_about_with_its_place_and_the_nearest_key(box):
    bad = box.job("job: demo\nslotz: 2\n")
    _, _, err = box.berth("run", bad)
    assert f"{bad}:2:1:" in err and "slots" in err


def test_validate_as_json_lists_the_errors(box):
    code, out, _ = box.berth("validate", box.job("job: demo\nslotz: 2\n"), "--json")
    answer = json.loads(out)
    assert code == 2 and answer["valid"] is False and answer["errors"][0]["line"] == 2
    code, out, _ = box.berth("validate", box.job(), "--json")
    assert code == 0 and json.loads(out)["valid"] is True


def test_a_driver_that_is_not_here_is_said_to_be_missing(box):
    code, _, err = box.berth("run", box.job(JOB + "image: debian\n"), "--driver", "nomad")
    assert code == 3 and "no driver nomad" in err


def test_a_docker_engine_that_is_away_is_told_with_the_way_out(box):
    code, _, err = box.berth("run", box.job(JOB + "image: debian\n"), "--driver", "docker",
                             env={"DOCKER_HOST": f"unix://{box.runtime}/nobody.sock"})
    assert code == 3 and f"the Docker Engine at unix://{box.runtime}/nobody.sock does not answer" in err
    assert "systemctl start docker" in err and "DOCKER_HOST" in err


@pytest.mark.parametrize("host, why", [("tcp://192.0.2.1:2375", "without TLS"), ("tcp://127.0.0.1", "no port"),
                                       ("ssh://somebody@127.0.0.1", "neither unix:// nor tcp://")])
def test_a_docker_host_that_cannot_be_used_is_told_before_anything_starts(box, host, why):
    code, _, err = box.berth("run", box.job(JOB + "image: debian\n"), "--driver", "docker", env={"DOCKER_HOST": host})
    assert code == 3 and why in err


def test_an_agent_elsewhere_that_does_not_answer_is_a_failure_of_the_platform(box):
    for arguments in (("run", box.job()), ("jobs",), ("exec", "--job", "pool", "--", "true")):
        code, out, err = box.berth(*arguments, env={"BERTH_ADDR": f"unix:{box.runtime}/nobody"})
        assert code == (125 if arguments[0] == "exec" else 3), err
        assert "no agent answers at unix:" in err and "BERTH_ADDR" in err and not out


def test_an_address_that_is_none_is_bad_usage(box):
    for address in ("nonsense", "ftp://host", "unix:"):
        code, _, err = box.berth("jobs", env={"BERTH_ADDR": address})
        assert code == 2 and "BERTH_ADDR" in err


def test_without_a_slot_server_it_exits_3_and_lists_what_was_tried(box):
    code, _, err = box.berth("run", box.job(), env={"BERTH_SLOTD": "/nowhere/berth-slotd"})
    assert code == 3 and "/nowhere/berth-slotd" in err and "hint:" in err


@pytest.mark.parametrize("start, words", [("setup_failed", "setup step 1 failed"), ("die", "no room for a keeper")])
def test_a_container_that_does_not_come_up_exits_3_with_the_reason(box, start, words):
    code, _, err = box.berth("run", box.job(JOB + f"env: {{FAKE_START: {start}}}\n"))
    assert code == 3 and words in err


def test_a_missing_input_starts_nothing_and_exits_3(box):
    code, out, err = box.berth("run", box.job(JOB + "inputs: [{from: ./missing, to: /workspace/x}]\n"))
    assert code == 3 and "missing" in err and not out


def test_outputs_come_back_after_failures_too(box):
    job = box.job(JOB.replace("echo hello {{index}}", "write report.txt of {{index}};exit {{index}}") +
                  'outputs: [{from: report.txt, to: "out/{{trajectory}}/"}]\n')
    code, _, err = box.berth("run", job)
    assert code == 1, err
    assert (box.folder / "out" / "demo-3" / "report.txt").read_text() == "of 3"


def test_a_missing_output_is_a_warning_and_a_required_one_a_failure(box):
    code, _, err = box.berth("run", box.job(JOB + "outputs: [{from: none.txt, to: out/}]\n"))
    assert code == 0 and "warning" in err and "none.txt" in err
    code, _, err = box.berth("run", box.job(JOB + "outputs: [{from: none.txt, to: out/, required: true}]\n"))
    assert code == 1 and "none.txt" in err


def test_control_characters_of_a_slot_do_not_reach_the_table(box):
    _, out, err = box.berth("run", box.job(JOB.replace("echo again {{index}}", "echo \\e[31mred\\e]0;title\\a")))
    assert "\x1b" not in out + err and "red" in out


def test_exec_streams_and_passes_the_exit_code(box):
    code, out, err = box.berth("exec", "--job", box.job(), "--", "echo", "hello;exit", "7")
    assert (code, out) == (7, "hello\n"), err


def test_exec_tells_a_timeout_by_124(box):
    code, _, err = box.berth("exec", "--job", box.job(), "--timeout", "100ms", "--", "sleep", "9")
    assert code == 124 and "timeout" in err


def test_exec_tells_a_failed_platform_by_125(box):
    code, _, err = box.berth("exec", "--job", box.job(JOB + "env: {FAKE_START: die}\n"), "--", "echo", "x")
    assert code == 125 and err


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupt_exits_130_in_time_and_leaves_nothing(box, number):
    process = box.start("run", box.job(JOB.replace("echo hello {{index}}", "hang")))
    box.until(lambda: any(True for _ in box.runtime.rglob("sock")))
    began = time.monotonic()
    process.send_signal(number)
    process.communicate(timeout=WAIT)
    assert process.returncode == 130
    assert time.monotonic() - began < 5 * INTERRUPT_PROMISE
    assert box.left() == [] and box.servers() == []


def test_a_second_interrupt_forces_a_stubborn_server(box):
    process = box.start("run", box.job(JOB.replace("echo hello {{index}}", "hang") + "env: {FAKE_STOP: stubborn}\n"))
    box.until(lambda: any(True for _ in box.runtime.rglob("sock")))
    began = time.monotonic()
    process.send_signal(signal.SIGINT)
    time.sleep(0.05)  # two signals at once would be one
    process.send_signal(signal.SIGINT)
    process.communicate(timeout=WAIT)
    assert process.returncode == 130 and time.monotonic() - began < 5 * INTERRUPT_PROMISE
    assert box.left() == [] and box.servers() == []


def test_the_server_dies_with_a_killed_command(box):
    process = box.start("run", box.job(JOB.replace("echo hello {{index}}", "hang")))
    box.until(lambda: box.servers() and any(True for _ in box.runtime.rglob("sock")))
    process.kill()
    process.communicate(timeout=WAIT)
    box.until(lambda: box.servers() == [])


def test_help_is_everywhere(box):
    for words in ([], ["run"], ["exec"], ["validate"], ["schema"], ["version"]):
        code, out, _ = box.berth(*words, "--help")
        assert code == 0 and "Usage" in out


def test_schema_and_version_are_printed(box):
    code, out, _ = box.berth("schema")
    assert code == 0 and "properties" in json.loads(out)
    code, out, _ = box.berth("version")
    assert code == 0 and out.startswith("berth ")

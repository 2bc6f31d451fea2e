# SPDX-License-Identifier: Apache-2.0
"""berth apply brings a job's inputs to an agent once, and every slot of the job has them from then on."""
import re

import pytest

from agent_fixtures import agent, machine  # noqa: F401
from agent_harness import POOL, Agent
from harness import wait_until

SETTLE = 30
JOB = """\
job: tree
slots: 2
isolation: best-effort
vars: {folder: project}
inputs:
  - {from: "./{{vars.folder}}", to: /workspace/project}
  - {from: note.txt, to: /workspace/}
outputs: [{from: seen, to: "out/{{trajectory}}.txt"}]
trajectories: 3
steps:
  - {name: look, tool: bash, args: {command: "cat project/src/main note.txt > seen; cat seen"}, expect: {contains: main}}
"""
UPLOADS = re.compile(r'^berth_http_requests_total\{route="/v1/inputs/\{input\}",status="201"\} (\d+)', re.M)


@pytest.fixture
def job(agent, machine):
    """A job file with a folder and a file; the agent has no such job afterwards."""
    machine.write("work/project/src/main", "main\n")
    machine.write("work/project/run.sh", "#!/bin/sh\necho ran\n", 0o755)
    machine.write("work/note.txt", "note\n")
    yield machine.write("work/job.yaml", JOB)
    agent.berth("delete", "tree", "--force")
    wait_until(lambda: "tree" not in {line["job"] for line in agent.lines("jobs")}, SETTLE, "it has gone")


def uploads(agent):
    found = UPLOADS.search(agent.wire.get("/metrics").body.decode())
    return int(found[1]) if found else 0


def test_a_folder_and_a_file_are_in_every_slot(agent, job):
    before = uploads(agent)
    assert agent.lines("apply", job)[0]["action"] == "create" and uploads(agent) == before + 2
    for _ in range(2):
        held = agent.ok("acquire", "--job", "tree", "--wait", "30s").strip()
        assert agent.ok("exec", held, "--", "sh", "-c", "find . -type f | sort; cat project/src/main note.txt; project/run.sh") == (
            "./note.txt\n./project/run.sh\n./project/src/main\nmain\nnote\nran\n")
    agent.ok("release", held)
    assert agent.ok("exec", "--job", "tree", "--", "cat", "note.txt") == "note\n"
    again = agent.lines("reset", agent.ok("acquire", "--job", "tree", "--trajectory", "t", "--wait", "30s").strip())[0]
    assert agent.ok("exec", again["lease"], "--", "cat", "project/src/main") == "main\n"


def test_what_the_agent_has_is_not_sent_again(agent, machine, job):
    agent.ok("apply", job)
    before = uploads(agent)
    assert "nothing to change" in agent.ok("apply", job) and uploads(agent) == before
    machine.write("work/note.txt", "another note\n")
    out = agent.ok("plan", job)
    assert re.search(r"inputs\.1\.from: sha256:[0-9a-f]{64} -> sha256:[0-9a-f]{64}", out) and "inputs.0" not in out
    assert "containers without leases" not in out and uploads(agent) == before
    agent.ok("apply", job)
    assert uploads(agent) == before + 1
    assert agent.ok("exec", "--job", "tree", "--", "cat", "note.txt") == "another note\n"


def test_run_and_exec_share_the_pool_and_find_them_there(agent, machine, job):
    agent.ok("apply", job)
    before = uploads(agent)
    code, out, err = agent.berth("run", job)
    assert code == 0 and "3 trajectories: 3 succeeded" in out, err
    assert [(machine.home / f"work/out/tree-{i}.txt").read_text() for i in range(3)] == ["main\nnote\n"] * 3
    assert agent.ok("exec", "--job", job, "--", "cat", "project/src/main") == "main\n"
    assert uploads(agent) == before and "tree" in {line["job"] for line in agent.lines("jobs")}
    machine.write("work/note.txt", "changed\n")
    code, _, err = agent.berth("run", job)
    assert code == 2 and "other content" in err


def test_run_sends_them_once_for_all_trajectories(agent, machine, job):
    machine.write("work/note.txt", "of this run\n")
    before = uploads(agent)
    code, _, err = agent.berth("run", job, "--set", "trajectories=5")
    assert code == 0 and uploads(agent) - before <= 2, err
    assert (machine.home / "work/out/tree-4.txt").read_text() == "main\nof this run\n"


def test_run_brings_them_itself_to_a_pool_that_has_none(agent, machine, job):
    pool = machine.write("work/pool.yaml", JOB[:JOB.index("inputs:")])
    agent.ok("apply", pool)
    code, out, err = agent.berth("run", job)
    assert code == 0 and "3 trajectories: 3 succeeded" in out, err
    held = agent.ok("acquire", "--job", "tree", "--wait", "30s").strip()
    assert agent.ok("exec", held, "--", "ls", "-A") == ""


def test_inputs_of_each_trajectory_are_for_run(agent, machine, job):
    machine.write("work/0.txt", "zero\n")
    own = machine.write("work/own.yaml", JOB.replace("note.txt, to", "\"{{index}}.txt\", to").replace("trajectories: 3", "trajectories: 1")
                        .replace("cat project/src/main note.txt", "cat project/src/main 0.txt"))
    for command in ("apply", "plan"):
        code, out, err = agent.berth(command, own)
        assert code == 2 and not out and f"{own}:7:" in err and "{{index}}" in err and "berth run" in err, err
    assert agent.berth("run", own)[0] == 0
    assert (machine.home / "work/out/tree-0.txt").read_text() == "main\nzero\n"


def test_an_input_that_cannot_be_read_changes_nothing(agent, machine, job):
    gone = machine.write("work/gone.yaml", JOB.replace("note.txt, to", "no-such-file, to"))
    for command in ("apply", "plan"):
        code, out, err = agent.berth(command, gone)
        assert code == 3 and not out and "no-such-file" in err and f"{gone}:7:" in err
    assert "tree" not in {line["job"] for line in agent.lines("jobs")}


def test_what_does_not_fit_is_an_error_of_acquire(agent, machine, job):
    (machine.home / "work/project/large").write_bytes(bytes(24 << 20))
    agent.ok("apply", job, "--set", "slot.disk=8MiB")
    code, out, err = agent.berth("acquire", "--job", "tree", "--wait", "30s")
    assert code == 3 and not out and "inputs" in err and "slot.disk" in err, err
    code, _, err = agent.berth("run", job, "--set", "slot.disk=8MiB", "--set", "trajectories=1")
    assert code == 3 and "inputs" in err, err
    (machine.home / "work/project/large").unlink()


def test_a_folders_job_leaves_them_out_and_run_shares_it(machine, job):
    agent = Agent(machine, state="second", jobs=POOL + "inputs: [{from: x, to: /workspace/x}]\n").ready()
    held = agent.ok("acquire", "--job", "pool", "--wait", "30s").strip()
    assert agent.ok("exec", held, "--", "ls", "-A") == ""
    machine.write("work/x", "brought\n")
    path = machine.write("work/pool.yaml", POOL + "inputs: [{from: x, to: /workspace/x}]\n")
    assert agent.ok("exec", "--job", path, "--", "cat", "x") == "brought\n"
    agent.stop()

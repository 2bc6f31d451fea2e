# SPDX-License-Identifier: Apache-2.0
"""The commands that talk to an agent, each from its arguments to what it leaves, and the examples of the documents."""
import contextlib
import json
import os
import pathlib
import re
import select
import signal
import socket
import struct
import subprocess
import threading

import pytest

from agent_fixtures import agent, machine  # noqa: F401
from agent_harness import POOL, read_line
from harness import wait_until

SOURCE = pathlib.Path(os.environ["BERTH_SOURCE_DIR"])
SETTLE = 30
JOB = """\
job: work
slots: 2
isolation: best-effort
trajectories: 3
inputs: [{from: in.txt, to: /workspace/in.txt}]
outputs: [{from: out.txt, to: "out/{{trajectory}}.txt"}]
steps:
  - {name: copy, tool: bash, args: {command: "cat in.txt > out.txt; echo {{index}} >> out.txt"}}
  - {name: show, tool: bash, args: {command: "tail -n 1 out.txt"}, expect: {output: "{{index}}"}}
"""


@pytest.fixture
def lease(agent):
    one = agent.ok("acquire", "--job", "pool", "--wait", "30s").strip()
    yield one
    agent.berth("release", one)


@pytest.fixture
def job(machine):
    """A job file of its own name, with its input."""
    machine.write("run/in.txt", "given\n")
    return machine.write("run/job.yaml", JOB)


def names(agent, *arguments):
    return {line["job"] for line in agent.lines("jobs", *arguments)}


def test_listings_are_tables_and_json_lines(agent, lease):
    for what, keys in (("jobs", {"job", "state", "slots"}), ("containers", {"container", "job", "state"}),
                       ("slots", {"alloc_id", "slot_id", "state", "lease"}), ("leases", {"lease", "trajectory", "slot"})):
        rows = agent.lines(what, "--job", "pool")
        table = agent.ok(what, "--job", "pool").splitlines()
        assert rows and all(keys <= set(row) for row in rows), rows
        assert len(table) == len(rows) + 1 and table[0].isupper() and "\x1b" not in "".join(table)
        assert agent.lines(what, "--job", "no-such-job") == []


def test_plan_shows_and_apply_makes_and_delete_ends(agent, machine):
    path = machine.write("second.yaml", "job: second\nslots: 1\nisolation: best-effort\n")
    assert "create" in agent.ok("plan", path) and "second" not in names(agent)
    assert agent.lines("apply", path)[0]["action"] == "create"
    assert "second" in names(agent) and "nothing to change" in agent.ok("apply", path)
    assert "slots: 1 -> 3" in agent.ok("plan", path, "--set", "slots=3")
    agent.ok("apply", path, "--set", "slots=3")
    held = agent.ok("acquire", "--job", "second", "--wait", "30s").strip()
    assert "1 leases" in agent.ok("delete", path)
    agent.ok("release", held)
    wait_until(lambda: "second" not in names(agent), SETTLE, "it has gone")
    code, _, err = agent.berth("delete", "second")
    assert code == 2 and "no job second" in err


def test_a_bad_job_file_is_refused_here_and_named(agent, machine):
    path = machine.write("bad.yaml", "job: bad\nslotz: 1\n")
    for command in ("plan", "apply", "run"):
        code, _, err = agent.berth(command, path)
        assert code == 2 and f"{path}:2:1:" in err, (command, err)


def test_acquire_gives_the_same_trajectory_its_lease_again(agent):
    one = agent.ok("acquire", "--job", "pool", "--trajectory", "again", "--label", "a=b").strip()
    two = agent.lines("acquire", "--job", "pool", "--trajectory", "again")[0]
    assert two["lease"] == one and two["labels"] == {"a": "b"} and re.fullmatch("[0-9a-f]{32}", one)
    agent.ok("release", one, one)


def test_acquire_without_a_free_slot_is_3(agent, machine):
    path = machine.write("one.yaml", "job: one\nslots: 1\nisolation: best-effort\n")
    agent.ok("apply", path)
    agent.ok("acquire", "--job", "one", "--wait", "30s")
    code, out, err = agent.berth("acquire", "--job", "one", "--wait", "100ms")
    assert code == 3 and not out and "berth: error:" in err
    agent.ok("delete", "one", "--force")


@pytest.mark.parametrize("arguments", [["acquire"], ["acquire", "--job", "nowhere"], ["acquire", "--job", "pool", "--label", "x"],
                                       ["acquire", "--job", "pool", "--wait", "soon"], ["release", "f" * 32], ["release"], ["logs", "x"],
                                       ["cp", "a", "b"], ["exec", "x"], ["delete"], ["completion", "fish"], ["events", "stray"]])
def test_bad_usage_is_2_with_words(agent, arguments):
    code, out, err = agent.berth(*arguments)
    assert code == 2 and err.strip() and not out, (code, out, err)


def test_exec_passes_streams_and_codes_on(agent, lease):
    assert agent.berth("exec", lease, "--", "sh", "-c", "echo out; echo err >&2; exit 7") == (7, "out\n", "err\n")
    assert agent.berth("exec", lease, "--", "sh", "-c", "kill -TERM $$")[0] == 128 + 15
    assert agent.berth("exec", "--timeout", "1s", lease, "--", "sleep", "60")[0] == 124
    assert agent.berth("exec", "-i", lease, "--", "cat", stdin="given\n") == (0, "given\n", "")
    assert agent.berth("exec", lease, "--", "/no/such/program")[0] not in (0, 2)
    assert agent.berth("exec", "f" * 32, "--", "true")[0] == 125


class CuttingProxy:
    """Passes connections on to an agent, and cuts the first `cuts` of them when their answer has shown `mark`."""

    def __init__(self, agent, mark, cuts):
        self.agent, self.mark, self.cuts = agent, mark, cuts
        self.cut = 0
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.address = f"http://127.0.0.1:{self.listener.getsockname()[1]}"
        threading.Thread(target=self.accept, daemon=True).start()

    def accept(self):
        with contextlib.suppress(OSError):
            while True:
                client, _ = self.listener.accept()
                threading.Thread(target=self.serve, args=(client,), daemon=True).start()

    def serve(self, client):
        server = socket.create_connection(("127.0.0.1", self.agent.wire.address))
        with client, server, contextlib.suppress(OSError):
            answer = b""
            while True:
                for one in select.select([client, server], [], [])[0]:
                    data = one.recv(65536)
                    if not data:
                        return
                    (server if one is client else client).sendall(data)
                    answer += data if one is server else b""
                if self.mark in answer and self.cut < self.cuts:
                    self.cut += 1
                    client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                    return

    def close(self):
        self.listener.close()


def test_exec_over_a_connection_that_breaks_runs_once(agent, lease):
    proxy = CuttingProxy(agent, b"middle", 3)
    command = "echo ran >> /workspace/ran; echo first; echo middle; sleep 2; echo last; exit 5"
    code, out, err = agent.berth("exec", lease, "--", "sh", "-c", command, env={"BERTH_ADDR": proxy.address})
    proxy.close()
    assert proxy.cut > 0 and (code, out) == (5, "first\nmiddle\nlast\n"), (proxy.cut, code, out, err)
    assert agent.ok("exec", lease, "--", "cat", "ran") == "ran\n"


def test_exec_by_the_name_of_the_slot(agent, lease):
    row = next(row for row in agent.lines("leases") if row["lease"] == lease)
    assert agent.ok("exec", f"{row['container']}:{row['slot']}", "--", "echo", "x") == "x\n"
    assert agent.berth("exec", f"{row['container']}:slot_99", "--", "true")[0] == 125


def test_exec_output_is_whole_or_told_to_be_not(agent, lease):
    assert agent.ok("exec", lease, "--", "sh", "-c", "printf 'a\\000\\377b'; echo").startswith("a\0")
    size = 3_000_000
    code, out, err = agent.berth("exec", lease, "--", "sh", "-c", f"yes 0123456789 | head -c {size}")
    told = re.search(rf"(\d+) of {size} bytes of stdout were dropped", err)
    assert code == 0 and len(out) + (int(told.group(1)) if told else 0) == size, (len(out), err)


def test_exec_streams(agent, lease):
    process = agent.machine.popen("exec", lease, "--", "sh", "-c", "echo first; sleep 1000", env={"BERTH_ADDR": agent.address},
                                  stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
    assert read_line(process.stdout) == "first\n"
    process.send_signal(signal.SIGINT)
    assert process.wait(30) == 130
    process.stdout.close()


def test_exec_in_a_job_leaves_no_lease(agent, job):
    assert agent.ok("exec", "--job", "pool", "--", "echo", "x") == "x\n"
    assert agent.ok("exec", "--job", job, "--", "cat", "in.txt") == "given\n"
    assert agent.lines("leases") == []
    wait_until(lambda: "work" not in names(agent), SETTLE, "its pool has gone")


def test_an_interrupted_exec_gives_its_slot_back(agent):
    process = agent.machine.popen("exec", "--job", "pool", "--", "sh", "-c", "echo begun; sleep 1000",
                                  env={"BERTH_ADDR": agent.address}, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
    assert read_line(process.stdout) == "begun\n"
    process.send_signal(signal.SIGTERM)
    assert process.wait(30) == 130
    process.stdout.close()
    wait_until(lambda: agent.lines("leases") == [], SETTLE, "the lease has ended")


def test_cp_both_ways(agent, machine, lease):
    machine.write("tree/a.txt", "a\n")
    machine.write("tree/sub/b.txt", "b\n")
    agent.ok("cp", "tree", f"{lease}:there")
    agent.ok("cp", "tree/a.txt", f"{lease}:one.txt")
    agent.ok("cp", "tree/a.txt", f"{lease}:there/")
    assert agent.ok("exec", lease, "--", "sh", "-c", "cat there/a.txt there/sub/b.txt one.txt") == "a\nb\na\n"
    agent.ok("cp", f"{lease}:there", "back")
    agent.ok("cp", f"{lease}:/workspace/one.txt", "named.txt")
    assert json.loads(agent.ok("cp", f"{lease}:one.txt", ".", "--json"))["copied"] is True
    home = machine.home
    assert (home / "back/sub/b.txt").read_text() == "b\n" and (home / "named.txt").read_text() == "a\n"
    assert (home / "one.txt").read_text() == "a\n"
    for wrong in ((f"{lease}:missing", "x"), ("missing", f"{lease}:x"), (f"{lease}:../../etc/passwd", "x")):
        code, _, err = agent.berth("cp", *wrong)
        assert code == 2 and err and not (home / "x").exists(), (wrong, err)


def test_logs_of_a_running_execution(agent, lease):
    path = f"/v1/leases/{lease}/executions"
    agent.wire.post(f"{path}?wait=0", {"execution_id": "long", "tool": "bash", "timeout": 600,
                                       "args": {"command": "echo one; while [ ! -e go ]; do sleep 0.05; done; echo two"}})
    wait_until(lambda: agent.berth("logs", lease, "long")[1] == "one\n", SETTLE, "the first line")
    follow = agent.machine.popen("logs", "--follow", lease, "long", env={"BERTH_ADDR": agent.address}, stdout=subprocess.PIPE)
    assert read_line(follow.stdout) == "one\n"
    agent.wire.request("PUT", f"/v1/leases/{lease}/files/go", b"")
    assert read_line(follow.stdout) == "two\n" and follow.wait(30) == 0
    follow.stdout.close()
    assert agent.berth("logs", lease, "nothing")[0] == 2


def test_reset_gives_a_clean_slot_for_the_same_trajectory(agent):
    old = agent.ok("acquire", "--job", "pool", "--trajectory", "dirty").strip()
    agent.ok("exec", old, "--", "touch", "left")
    new = agent.lines("reset", old, "--wait", "30s")[0]
    assert new["lease"] != old and new["trajectory"] == "dirty"
    assert agent.ok("exec", new["lease"], "--", "ls") == ""
    agent.ok("release", new["lease"])


def test_events_are_told_and_resumed(agent):
    before = agent.lines("events")[-1]["id"]
    follow = agent.machine.popen("events", "--follow", "--json", "--after", before, env={"BERTH_ADDR": agent.address},
                                 stdout=subprocess.PIPE)
    lease = agent.ok("acquire", "--job", "pool", "--trajectory", "seen").strip()
    agent.ok("release", lease)
    seen = []
    while not any(event["event"] == "lease" and event["data"]["change"] == "ended" for event in seen):
        seen.append(json.loads(read_line(follow.stdout)))
    assert any(event["event"] == "lease" and event["data"]["trajectory"] == "seen" for event in seen)
    follow.send_signal(signal.SIGINT)
    assert follow.wait(30) == 130
    follow.stdout.close()
    after = agent.lines("events", "--after", before)
    assert [event["id"] for event in after][:len(seen)] == [event["id"] for event in seen]
    assert "seen" in agent.ok("events")


def test_run_at_an_agent_makes_its_pool_and_removes_it(agent, machine, job):
    code, out, err = agent.berth("run", job)
    assert code == 0 and "3 trajectories: 3 succeeded" in out, err
    assert [(machine.home / f"run/out/work-{i}.txt").read_text() for i in range(3)] == [f"given\n{i}\n" for i in range(3)]
    assert "work" not in names(agent) and agent.lines("leases") == []


def test_run_shares_a_pool_of_the_same_content_and_leaves_it(agent, job):
    agent.ok("apply", job)
    assert len(agent.lines("run", job)) == 6
    assert "work" in names(agent)
    code, _, err = agent.berth("run", job, "--set", "slots=3")
    assert code == 2 and "other content" in err
    assert agent.berth("run", job, "--set", "trajectories=1", "--set", "steps.1.expect.output=wrong")[0] == 1
    agent.ok("delete", "work", "--force")
    wait_until(lambda: "work" not in names(agent), SETTLE, "it has gone")


def test_run_keep_leaves_leases_that_exec_reaches(agent, job):
    code, _, err = agent.berth("run", job, "--keep", "--set", "trajectories=2")
    assert code == 0, err
    hints = re.findall(r"BERTH_ADDR=(\S+) berth exec (\S+) -- sh", err)
    assert len(hints) == 2 and all(address == agent.address for address, _ in hints)
    assert {agent.ok("exec", lease, "--", "tail", "-n", "1", "out.txt") for _, lease in hints} == {"0\n", "1\n"}
    agent.ok("delete", "work", "--force")
    wait_until(lambda: "work" not in names(agent), SETTLE, "it has gone")


def test_an_interrupted_run_at_an_agent_leaves_nothing_there(agent, job):
    process = agent.machine.popen("run", job, "--set", "steps.0.args.command=sleep 1000", "--set", "steps.0.timeout=10m",
                                  env={"BERTH_ADDR": agent.address}, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    wait_until(lambda: any(row["job"] == "work" and row["calls"] for row in agent.lines("leases")), SETTLE, "it runs")
    process.send_signal(signal.SIGINT)
    assert process.wait(30) == 130
    wait_until(lambda: "work" not in names(agent) and agent.lines("leases") == [], SETTLE, "nothing is left")


def test_keep_without_an_agent_serves_until_the_interrupt(machine):
    path = machine.write("keep.yaml", "job: keep\nslots: 1\nisolation: best-effort\nsteps:\n"
                                      "  - {name: a, tool: bash, args: {command: \"echo kept > f\"}}\n")
    process = machine.popen("run", "--keep", path, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
    line = read_line(process.stderr)
    while "BERTH_ADDR" not in line:
        assert line, "no address was printed"
        line = read_line(process.stderr)
    address, lease = re.search(r"BERTH_ADDR=(unix:\S+) berth exec (\S+)", line).groups()
    assert machine.berth("exec", lease, "--", "cat", "f", env={"BERTH_ADDR": address}) == (0, "kept\n", "")
    process.send_signal(signal.SIGINT)
    assert process.wait(30) == 0
    process.stderr.close()
    assert not os.path.exists(os.path.dirname(address[len("unix:"):]))


def test_completion_knows_every_command(machine):
    _, help_text, _ = machine.berth("--help")
    commands = re.findall(r"^  (\w+)  +\S", help_text.partition("Subcommands:")[2], re.MULTILINE)
    assert len(commands) > 15
    for shell in ("bash", "zsh"):
        code, script, _ = machine.berth("completion", shell)
        assert code == 0 and all(command in script for command in commands)
    _, script, _ = machine.berth("completion", "bash")
    ask = script + '\nCOMP_WORDS=(berth ac); COMP_CWORD=1; _berth; echo "${COMPREPLY[@]}"' \
                   '\nCOMP_WORDS=(berth acquire --tr); COMP_CWORD=2; _berth; echo "${COMPREPLY[@]}"'
    done = subprocess.run(["bash", "-c", ask], capture_output=True, text=True, timeout=30)
    assert done.stdout.splitlines() == ["acquire", "--trajectory"], done


def examples(page):
    """What the documents show: code blocks of a page, and the last cell of tables of commands."""
    text = (SOURCE / "docs" / page).read_text()
    blocks = re.findall(r"^```sh\n(.*?)^```", text, re.DOTALL | re.MULTILINE)
    lines = [line.split("  #")[0].strip() for block in blocks for line in block.splitlines()]
    cells = re.findall(r"^\| `berth .*\| `([^`]+)` \|$", text, re.MULTILINE)
    return [line for line in [*lines, *cells] if line]


EXAMPLES = [line for page in ("operating.md", "cli.md") for line in examples(page)]
# Run where they have what they need: tests/real runs the examples as jobs.
ELSEWHERE = re.compile(r"berth (run|exec --job) examples/")


def test_every_command_has_an_example(machine):
    _, help_text, _ = machine.berth("--help")
    commands = set(re.findall(r"^  (\w+)  +\S", help_text.partition("Subcommands:")[2], re.MULTILINE))
    shown = {line.split()[1] for line in EXAMPLES if line.startswith("berth ")} | {"completion"}
    assert commands <= shown, commands - shown


def test_the_examples_of_the_documents_run(agent, machine):
    lease = agent.ok("acquire", "--job", "pool", "--trajectory", "t1").strip()
    agent.wire.post(f"/v1/leases/{lease}/executions", {"execution_id": "shown", "tool": "bash", "args": {"command": "echo x"}})
    environment = {"PATH": f"{machine.folder}/bin:/usr/bin:/bin", "HOME": str(machine.home), "BERTH_ADDR": agent.address,
                   "EXECUTION": "shown", "LEASE": lease, "CONTAINER": agent.lines("containers")[0]["container"]}
    for line in [line for line in EXAMPLES if not ELSEWHERE.match(line)]:
        if line.startswith("berth release"):
            environment["LEASE"] = agent.ok("acquire", "--job", "pool", "--trajectory", "t1").strip()
        line = re.sub(r">(\S+)", f">{machine.home}/\\1", line)
        done = subprocess.run(["bash", "-euc", line], cwd=SOURCE, env=environment, capture_output=True, text=True, timeout=60)
        assert done.returncode == 0, f"{line}: exit {done.returncode}\n{done.stdout}\n{done.stderr}"

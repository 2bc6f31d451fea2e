# SPDX-License-Identifier: Apache-2.0
"""`berth agent`: what it starts with, what it refuses, what it leaves (wire.md 1.17, threat row 58)."""
import json
import os
import signal
import stat

import pytest

from agent_fixtures import fresh_machine as machine  # noqa: F401
from agent_harness import START_LIMIT, STOP_LIMIT, Agent
from harness import LEAK_LIMIT, alive, descendants, wait_until

REFUSED_LIMIT = 5 * 2


def test_it_serves_the_jobs_of_its_folder_and_leaves_nothing(machine):
    agent = Agent(machine).ready()
    assert [job["job"] for job in agent.wire.get("/v1/jobs").json()["jobs"]] == ["pool"]
    lease = agent.acquire()
    result = agent.wire.post(f"/v1/leases/{lease}/executions", {"tool": "bash", "args": {"command": "echo x"}}).json()
    assert result["output"] == "x"
    agent.stop()


def test_its_state_is_private(machine):
    agent = Agent(machine).serving()
    assert stat.S_IMODE(os.stat(agent.state).st_mode) == 0o700
    assert os.stat(agent.state).st_uid == machine.user
    agent.stop()


def test_a_state_folder_that_others_could_read_is_made_private(machine):
    state = machine.home / "state"
    state.mkdir(mode=0o755)
    machine.give(state)
    agent = Agent(machine, jobs=None).serving()
    assert stat.S_IMODE(os.stat(state).st_mode) == 0o700
    agent.stop()


def test_a_unix_socket_is_its_users_alone(machine):
    agent = Agent(machine, listen=f"unix:{machine.home}/sock").ready()
    facts = os.stat(machine.home / "sock")
    assert stat.S_ISSOCK(facts.st_mode) and stat.S_IMODE(facts.st_mode) & 0o077 == 0
    assert agent.lines("jobs")[0]["job"] == "pool"
    agent.stop()


def test_a_second_agent_on_the_same_state_is_refused_by_a_sentence(machine):
    agent = Agent(machine, jobs=None).serving()
    code, _, err = machine.berth("agent", "--listen", "127.0.0.1:0", "--state-dir", agent.state)
    assert code == 3
    assert f"another agent (process {agent.process.pid}) uses {agent.state}" in err and "hint:" in err
    agent.stop()


def test_an_address_in_use_is_refused_and_nothing_is_left(machine):
    agent = Agent(machine, jobs=None).serving()
    port = agent.address.rpartition(":")[2]
    code, _, err = machine.berth("agent", "--listen", f"127.0.0.1:{port}", "--state-dir", "other")
    assert code == 3 and port in err and "hint:" in err
    agent.stop()


@pytest.mark.parametrize("listen", ["0.0.0.0:0", "[::]:0", "192.0.2.1:0"])
def test_without_tokens_it_is_not_reachable_from_elsewhere(machine, listen):
    code, _, err = machine.berth("agent", "--listen", listen, "--state-dir", "state")
    assert code == 2 and "tokens" in err and "hint:" in err
    assert not (machine.home / "state").exists()


@pytest.mark.parametrize("arguments, named", [
    (["--listen", "nonsense"], "nonsense"), (["--listen", "example.org:1"], "example.org"), (["--log-level", "loud"], "--log-level"),
    (["--jobs", "nowhere"], "nowhere"), (["--tokens", "nowhere"], "nowhere"), (["--config", "nowhere.yaml"], "nowhere.yaml"),
    (["--slotd", "nowhere"], "nowhere"), (["--state-dir", "x" * 120], "bytes"), (["--no-such-flag"], "no-such-flag"), (["stray"], "stray")])
def test_a_bad_start_is_refused_by_name(machine, arguments, named):
    code, out, err = machine.berth("agent", "--listen", "127.0.0.1:0", "--state-dir", "state", *arguments)
    assert code in (2, 3) and named in err and not out


@pytest.mark.parametrize("text, place", [
    ("listen: 127.0.0.1:0\nlogg: {}\n", ":2:1:"), ("drain: 5\n", ":1:8:"), ("a: [\n", ":"), ("listen: x\nlisten: y\n", ":2:1:"),
    ("tls: {cert: a.pem, key: b.pem}\n", "a.pem"), ("relay: {batch_window: 5ms}\n", "batch_window")])
def test_a_bad_configuration_is_refused_by_its_place(machine, text, place):
    path = machine.write("agent.yaml", text)
    code, _, err = machine.berth("agent", "--config", path, "--state-dir", "state")
    assert code == 2 and place in err
    assert not (machine.home / "state").exists()


def test_max_timeout_bounds_every_call(machine):
    config = machine.write("agent.yaml", "max_timeout: 5s\n")
    agent = Agent(machine, "--config", config).ready()
    path = f"/v1/leases/{agent.acquire()}/executions"
    call = {"tool": "bash", "args": {"command": "echo x"}}
    assert agent.wire.post(path, {**call, "timeout": 5}).status == 200
    assert agent.wire.post(path, call).json()["output"] == "x"
    refused = agent.wire.post(path, {**call, "timeout": 5.1})
    assert refused.status == 400 and refused.json()["error"]["code"] == "bad_timeout"
    assert agent.wire.post(path, {**call, "timeout": None, "args": {"command": "sleep 60"}}).json()["metadata"]["cause"] == "timeout"
    agent.stop()


def test_keys_that_this_version_does_not_use_are_told(machine):
    text = "drivers: {nomad: {region: here}}\ndefault_job: pool\ntool_server: {url: \"http://127.0.0.1:9\"}\n"
    agent = Agent(machine, "--config", machine.write("agent.yaml", text), jobs=None).serving()
    assert "drivers.nomad" in agent.log() and agent.log().count(" warning ") == 1
    agent.stop()


def test_a_docker_engine_that_is_away_holds_up_nobody_else(machine):
    text = f"drivers: {{docker: {{host: unix://{machine.home}/nobody.sock}}}}\n"
    agent = Agent(machine, "--config", machine.write("agent.yaml", text)).ready()
    assert f"{machine.home}/nobody.sock does not answer" in agent.log()
    assert agent.ok("exec", "--job", "pool", "--", "echo", "local") == "local\n"
    agent.stop()


@pytest.mark.parametrize("host", ["tcp://192.0.2.1:2375", "ssh://somebody@127.0.0.1"])
def test_a_docker_host_that_cannot_be_used_is_refused_at_the_start(machine, host):
    code, _, err = machine.berth("agent", "--state-dir", "state", env={"DOCKER_HOST": host})
    assert code == 2 and host in err
    assert not (machine.home / "state").exists()


def test_tokens_guard_it(machine):
    machine.write("tokens", "# who\nops op-secret-0123456789 admin\nbot bot-secret-0123456789 use slots=1\n", 0o600)
    agent = Agent(machine, "--tokens", "tokens")
    agent.token = "op-secret-0123456789"
    agent.ready()
    assert agent.lines("jobs")
    code, _, err = agent.berth("jobs", env={"BERTH_TOKEN": ""})
    assert code == 2 and "BERTH_TOKEN" in err
    code, _, err = agent.berth("delete", "pool", env={"BERTH_TOKEN": "bot-secret-0123456789"})
    assert code == 2
    agent.stop()


def test_tokens_that_others_can_read_are_told(machine):
    machine.write("tokens", "ops op-secret-0123456789 admin\n", 0o644)
    agent = Agent(machine, "--tokens", "tokens", jobs=None).serving()
    assert "chmod 600" in agent.log()
    agent.stop()


def test_print_config_shows_each_value_with_its_origin(machine):
    path = machine.write("agent.yaml", "jobs: jobs\nlog: {level: error}\ndrain: 7s\n")
    code, out, _ = machine.berth("agent", "--config", path, "--print-config", "--log-level", "debug",
                                 env={"BERTH_SLOTD": "/from/environment", "NOMAD_TOKEN": "canary-nomad-token"})
    shown = dict(line.split(": ", 1) for line in (text.strip() for text in out.splitlines()) if ": " in line)
    assert code == 0
    assert shown["jobs"].split("#")[0].strip() == f"{machine.home}/jobs" and f"{path}:1:7" in shown["jobs"]
    assert shown["drain"].split() == ["7s", "#", f"{path}:3:8"]
    assert shown["level"].split() == ["debug", "#", "--log-level"]
    assert shown["slotd"].split() == ["/from/environment", "#", "BERTH_SLOTD"]
    assert shown["listen"].endswith("# default")
    assert "canary-nomad-token" not in out
    code, out, _ = machine.berth("agent", "--config", path, "--print-config", "--json")
    assert json.loads(out)["drain"] == {"value": "7s", "origin": f"{path}:3:8"}


def test_what_is_printed_is_a_configuration(machine):
    _, out, _ = machine.berth("agent", "--print-config", "--listen", "unix:sock")
    path = machine.write("again.yaml", out)
    code, again, err = machine.berth("agent", "--config", path, "--print-config", "--json")
    assert code == 0, err
    assert json.loads(again)["listen"]["value"] == f"unix:{machine.home}/sock"


def test_after_a_kill_nothing_runs_and_the_next_one_starts(machine):
    agent = Agent(machine).ready()
    lease = agent.acquire()
    agent.wire.post(f"/v1/leases/{lease}/executions", {"tool": "exec", "args": {"argv": ["sleep", "1000"], "background": True}})
    family = descendants(agent.process.pid)
    agent.process.kill()
    agent.process.wait()
    wait_until(lambda: not any(map(alive, family)), LEAK_LIMIT, "its processes are gone")
    Agent(machine).ready().stop()


def test_it_ends_when_stopped_while_it_starts(machine):
    agent = Agent(machine)
    agent.serving()
    agent.stop()


def test_signals_that_mean_nothing_do_not_end_it(machine):
    agent = Agent(machine, jobs=None).serving()
    for number in (signal.SIGPIPE, signal.SIGHUP, signal.SIGHUP):
        agent.process.send_signal(number)
    agent.wait_for_log("reloaded")
    assert agent.wire.get("/healthz").status == 200
    agent.stop()


def test_logs_as_json_are_one_object_a_line(machine):
    agent = Agent(machine, "--log-format", "json", "--log-level", "debug").ready()
    agent.acquire(trajectory="one")
    agent.stop()
    records = [json.loads(line) for line in agent.log().splitlines()]
    assert all({"time", "level", "message"} <= set(record) for record in records)
    granted = next(record for record in records if record["message"] == "lease granted")
    assert granted["trajectory"] == "one" and granted["lease"] and granted["slot"]


def test_inputs_of_a_job_in_the_folder_are_told_to_stay_out(machine):
    agent = Agent(machine, jobs="job: pool\nslots: 1\nisolation: best-effort\ninputs: [{from: x, to: /workspace/x}]\n").ready()
    agent.wait_for_log(r"warning inputs of a job in the folder are left out.* job=pool file=\S+pool\.yaml")
    agent.stop()

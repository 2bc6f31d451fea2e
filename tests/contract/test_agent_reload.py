# SPDX-License-Identifier: Apache-2.0
"""SIGHUP of `berth agent`: jobs, tokens and the log's level are read anew; what is bad changes nothing."""
import re

from agent_fixtures import fresh_machine as machine  # noqa: F401
from agent_harness import POOL, Agent
from harness import wait_until

SETTLE = 5 * 10


def jobs(agent):
    return {job["job"]: job for job in agent.wire.get("/v1/jobs").json()["jobs"]}


def test_new_changed_and_removed_files_are_followed_with_a_plan_first(machine):
    agent = Agent(machine).ready()
    machine.write("jobs/second.yml", "job: second\nslots: 1\nisolation: best-effort\n")
    machine.write("jobs/pool.yaml", POOL.replace("slots: 4", "slots: 2"))
    agent.hang_up()
    assert re.search(r"plan job=pool .*action=update .*slots: 4 -> 2.*replaces_containers=yes", agent.log())
    assert re.search(r"plan job=second .*action=create", agent.log())
    wait_until(lambda: jobs(agent)["pool"]["slots"]["available"] == 2 and jobs(agent)["second"]["state"] == "up", SETTLE, "both")
    (machine.home / "jobs/second.yml").unlink()
    agent.hang_up()
    assert re.search(r"plan job=second .*action=remove", agent.log())
    wait_until(lambda: set(jobs(agent)) == {"pool"}, SETTLE, "the removed one has gone")
    agent.stop()


def test_a_bad_file_is_told_by_its_place_and_changes_nothing(machine):
    agent = Agent(machine).ready()
    machine.write("jobs/pool.yaml", POOL.replace("slots", "slotz"))
    machine.write("jobs/other.yaml", "job: other\nslots: 1\nisolation: best-effort\n")
    agent.hang_up()
    assert f"{machine.home}/jobs/pool.yaml:2:1: unknown key" in agent.log() and "did you mean slots?" in agent.log()
    assert jobs(agent)["pool"]["slots"]["available"] == 4
    wait_until(lambda: jobs(agent)["other"]["state"] == "up", SETTLE, "the good one is up")
    machine.write("jobs/pool.yaml", POOL.replace("slots: 4", "slots: 3"))
    agent.hang_up()
    wait_until(lambda: jobs(agent)["pool"]["slots"]["available"] == 3, SETTLE, "the mended one")
    agent.stop()


def test_a_bad_file_at_the_start_leaves_the_others(machine):
    machine.write("jobs/bad.yaml", "job: [\n")
    agent = Agent(machine).ready()
    assert set(jobs(agent)) == {"pool"} and f"{machine.home}/jobs/bad.yaml:" in agent.log()
    agent.stop()


def test_the_second_file_of_a_job_is_refused(machine):
    machine.write("jobs/twin.yaml", POOL.replace("slots: 4", "slots: 1"))
    agent = Agent(machine).ready()
    assert "job pool stands in" in agent.log()
    assert jobs(agent)["pool"]["slots"]["available"] == 4
    agent.stop()


def test_an_unchanged_job_keeps_its_leases(machine):
    agent = Agent(machine).ready()
    lease = agent.acquire()
    agent.hang_up()
    assert "unchanged=1" in agent.log()
    assert agent.wire.get(f"/v1/leases/{lease}").status == 200
    agent.stop()


def test_a_job_of_a_file_is_not_changed_over_http(machine):
    agent = Agent(machine).ready()
    for method, body in (("PUT", POOL.replace("slots: 4", "slots: 1").encode()), ("DELETE", None)):
        reply = agent.wire.request(method, "/v1/jobs/pool", body)
        assert reply.status == 409 and "pool.yaml" in reply.json()["error"]["message"], (method, reply)
    code, _, err = agent.berth("delete", "pool")
    assert code == 2 and "SIGHUP" in err
    agent.stop()


def test_a_job_that_came_over_http_outlives_a_reload(machine):
    agent = Agent(machine).ready()
    path = machine.write("mine.yaml", "job: mine\nslots: 1\nisolation: best-effort\n")
    agent.ok("apply", path)
    agent.hang_up()
    assert "mine" in jobs(agent)
    agent.stop()


def test_tokens_are_read_anew_and_bad_ones_leave_the_earlier(machine):
    tokens = machine.write("tokens", "ops op-secret-0123456789 admin\n", 0o600)
    agent = Agent(machine, "--tokens", tokens)
    agent.token = "op-secret-0123456789"
    agent.ready()
    machine.write("tokens", "ops op-secret-0123456789 emperor\n", 0o600)
    agent.hang_up()
    assert "tokens not reloaded" in agent.log() and "tokens:1" in agent.log()
    assert agent.wire.get("/v1/jobs").status == 200
    assert agent.wire.get("/v1/jobs", headers={"Authorization": "Bearer no-such-token-at-all"}).status == 403
    machine.write("tokens", "ops other-secret-987654321 admin\n", 0o600)
    agent.hang_up()
    assert agent.wire.get("/v1/jobs").status in (401, 403)
    agent.wire.headers["Authorization"] = "Bearer other-secret-987654321"
    assert agent.wire.get("/v1/jobs").status == 200
    assert "secret" not in agent.log()
    agent.stop()


def test_the_logs_level_is_read_anew_and_what_cannot_be_is_told(machine):
    config = machine.write("agent.yaml", "log: {level: warning}\ndrain: 5s\n")
    agent = Agent(machine, "--config", config, "--log-level", "info").ready()
    machine.write("agent.yaml", "log: {level: warning}\ndrain: 6s\n")
    agent.hang_up()
    assert re.search(r"warning the new value is taken at the next start key=drain", agent.log())
    agent.stop()
    agent = Agent(machine, "--config", machine.write("agent.yaml", "log: {level: info}\n")).ready()
    assert " debug " not in agent.log()
    machine.write("agent.yaml", "log: {level: debug}\n")
    agent.hang_up()
    agent.acquire()
    agent.wait_for_log(r" debug slot slot=\S+ .*to=acquired")
    machine.write("agent.yaml", "log: {levell: debug}\n")
    agent.hang_up()
    assert "configuration refused" in agent.log() and ":1:7: unknown key" in agent.log()
    agent.stop()

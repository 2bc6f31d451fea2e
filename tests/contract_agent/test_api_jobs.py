# SPDX-License-Identifier: Apache-2.0
"""PUT, GET and DELETE /v1/jobs: plan before change, one text for YAML and JSON, removal that waits for leases."""
import json

import pytest

from agent_harness import SIGHT, Lease, refused, wait_until

JOB = "job: NAME\nslots: 2\nisolation: best-effort\n"


def put(agent, name, text, query=""):
    return agent.as_("root").request("PUT", f"/v1/jobs/{name}{query}", text.encode())


def job(name, more=""):
    return JOB.replace("NAME", name) + more


def remove(agent, name, query=""):
    return agent.as_("root").request("DELETE", f"/v1/jobs/{name}{query}")


def gone(agent, name):
    wait_until(lambda: agent.as_("root").get(f"/v1/jobs/{name}").status == 404, SIGHT, f"job {name} is gone")


def test_a_plan_changes_nothing(agent):
    plan = put(agent, "planned", job("planned"), "?plan=1")
    assert (plan.status, plan.json()["action"], plan.json()["applied"]) == (200, "create", False)
    refused(agent.as_("root").get("/v1/jobs/planned"), 404, "unknown_job")


def test_a_job_is_made_changed_and_removed(agent):
    made = put(agent, "made", job("made"))
    assert (made.status, made.json()["action"]) == (201, "create")
    same = put(agent, "made", job("made"))
    assert (same.status, same.json()["action"], same.json()["changes"]) == (200, "none", [])
    policy = put(agent, "made", job("made", "containers: {min: 1, max: 3}\n")).json()
    assert policy["changes"] == [{"key": "containers.max", "from": 1, "to": 3}]
    assert policy["replaces_containers"] is False
    inner = put(agent, "made", job("made", "slot: {pids: 77}\ncontainers: {min: 1, max: 3}\n"), "?plan=1").json()
    assert inner["action"] == "update" and inner["replaces_containers"] is True
    assert {"key": "slot.pids", "from": 128, "to": 77} in inner["changes"]
    assert remove(agent, "made").status == 202
    gone(agent, "made")
    refused(remove(agent, "made"), 404, "unknown_job")


def test_json_is_read_as_yaml_is(agent):
    text = json.dumps({"job": "in-json", "slots": 1, "isolation": "best-effort", "lease": {"idle": "5m"}})
    assert put(agent, "in-json", text).status == 201
    facts = agent.as_("eye").get("/v1/jobs/in-json").json()
    assert facts["slots"]["per_container"] == 1 and facts["spec"]["lease"]["idle"] == 300
    remove(agent, "in-json")
    gone(agent, "in-json")


def test_every_complaint_of_a_bad_job_is_told_with_its_place(agent):
    reply = put(agent, "bad", "job: bad\nslosts: 3\nslots: many\n")
    error = refused(reply, 400, "bad_job")
    assert any(text.startswith("body:2:1: ") and "slots" in text for text in error["complaints"])
    assert any(text.startswith("body:3:") for text in error["complaints"])


@pytest.mark.parametrize("text, code", [
    ("job: other\nisolation: best-effort\n", "bad_request"),
    ("job: here\nisolation: best-effort\nrootfs: /etc\n", "rootfs_refused"),
    ("job: here\nisolation: best-effort\ninputs: [{from: /etc/passwd, to: /workspace/p}]\n", "inputs_refused"),
    ("job: here\ndriver: nomad\nimage: x\n", "driver_unavailable"),
    ("", "bad_job"), ("[]", "bad_job"), ("{{{", "bad_job"), ("\0", "bad_job"), ("job: here\njob: here\n", "bad_job"),
])
def test_what_a_job_may_not_say_over_http(agent, text, code):
    refused(put(agent, "here", text), 400, code)


def test_no_file_of_the_agents_machine_is_read(agent):
    """A file of trajectories is for the command, not for the agent."""
    text = job("reads", "steps: [{name: a, tool: bash, args: {command: \"true\"}}]\ntrajectories: {from: /etc/passwd}\n")
    reply = put(agent, "reads", text, "?plan=1")
    assert b"root:" not in reply.body


def test_a_job_of_over_1_mib_is_413(agent):
    refused(put(agent, "large", "#" * (1 << 20) + "\n" + job("large")), 413, "body_too_large")


def test_removal_waits_for_leases_and_refuses_new_ones(agent):
    put(agent, "waits", job("waits"))
    lease = Lease(agent, job="waits")
    assert remove(agent, "waits").json() == {"job": "waits", "state": "removing", "leases": 1}
    refused(agent.as_("alice").post("/v1/leases", {"job": "waits"}), 409, "job_removed")
    assert lease.output("echo alive") == "alive"
    lease.release()
    gone(agent, "waits")


def test_force_ends_leases(agent):
    put(agent, "forced", job("forced"))
    lease = Lease(agent, job="forced")
    assert remove(agent, "forced", "?force=1").status == 202
    assert "job_removed" in refused(lease.bash("true"), 410, "lease_ended")["message"]
    gone(agent, "forced")


def test_a_job_of_the_folder_is_changed_there(start):
    agent = start(jobs=[job("kept")])
    refused(put(agent, "kept", job("kept", "containers: {max: 2}\n")), 409, "job_kept")
    refused(remove(agent, "kept"), 409, "job_kept")


def test_values_of_the_environment_are_told_to_nobody(agent):
    """Row 44: pool has env FROM_JOB."""
    texts = [agent.as_("root").get(path).body for path in ("/v1/jobs", "/v1/jobs/pool", "/v1/containers", "/v1/slots", "/metrics")]
    texts.append(put(agent, "pool", job("pool", "env: {FROM_JOB: another-canary}\n"), "?plan=1").body)
    assert not any(b"canary" in text for text in texts)
    assert b"FROM_JOB" in texts[1]


def test_readyz_says_which_job_is_not_up(start):
    agent = start()
    put(agent, "broken", job("broken", "setup: [\"exit 7\"]\n"))
    ready = wait_until(lambda: (found := agent.as_("eye").get("/readyz")).status == 503
                       and "failed" in found.json()["reasons"][0]["message"] and found, SIGHT, "the failure is told")
    assert ready.json()["reasons"][0]["job"] == "broken"
    assert agent.as_("eye").get("/v1/jobs/broken").json()["state"] == "failing"
    refused(agent.as_("alice").post("/v1/leases", {"job": "broken", "wait": "5s"}), 503, "container_failed")

# SPDX-License-Identifier: Apache-2.0
"""/metrics, /healthz, /readyz (issue 5 point 6): every queue, state, latency and cause; nothing that names a slot."""
import re
import signal

from agent_harness import SIGHT, Lease, refused, wait_until

FAMILIES = {
    "berth_jobs", "berth_containers", "berth_slots", "berth_acquires_waiting", "berth_link_calls", "berth_api_calls",
    "berth_api_call_bytes", "berth_api_kept_bytes", "berth_event_streams", "berth_draining", "berth_protocol_errors",
    "berth_leases_ended_total", "berth_slot_changes_total", "berth_container_changes_total", "berth_acquires_total",
    "berth_acquires_refused_total", "berth_calls_total", "berth_calls_refused_total", "berth_http_requests_total",
    "berth_http_denied_total", "berth_file_bytes_total", "berth_acquire_seconds", "berth_call_seconds",
    "berth_reset_seconds", "berth_container_start_seconds", "berth_http_request_seconds",
}


def metrics(agent):
    return agent.as_("eye").get("/metrics").body.decode()


def value(agent, series):
    for line in metrics(agent).splitlines():
        if line.startswith(series + " "):
            return float(line.rpartition(" ")[2])
    return None


def test_every_queue_state_latency_and_cause_is_there(agent):
    lease = Lease(agent)
    lease.output("true")
    lease.release()
    text = metrics(agent)
    assert FAMILIES <= set(re.findall(r"^# TYPE (\S+) ", text, re.M))
    form = re.compile(r'^(# (HELP|TYPE) \S+ .+|[a-z_]+(\{([a-z]+="[^"\\]*",?)+\})? -?[0-9.e+-]+)$')
    assert [line for line in text.splitlines() if not form.match(line)] == []


def test_no_label_names_a_slot_a_lease_or_a_trajectory(agent):
    lease = Lease(agent, trajectory="very-special")
    lease.output("true")
    lease.bash("true", execution_id="special-id")
    lease.call("tool-of-mine")
    text = metrics(agent)
    for name in (lease.id, "very-special", "special-id", lease.facts["container"], "tool-of-mine"):
        assert name not in text, name
    assert not re.search(r"slot_\d", text)
    lease.release()


def test_counts_follow_what_happens(agent):
    before = value(agent, 'berth_calls_total{tool="bash",cause="timeout"}') or 0
    lease = Lease(agent)
    lease.bash("sleep 60", timeout=0.1)
    assert value(agent, 'berth_calls_total{tool="bash",cause="timeout"}') == before + 1
    assert value(agent, 'berth_slots{job="pool",state="leased"}') >= 1
    resets = value(agent, "berth_reset_seconds_count")
    lease.release()
    wait_until(lambda: value(agent, "berth_reset_seconds_count") == resets + 1, SIGHT, "the reset is timed")


def test_a_stopping_agent_is_not_ready_and_leases_nothing(start):
    agent = start(drain="60s")
    agent.put_job("job: pool\nslots: 2\nisolation: best-effort\n")
    lease = Lease(agent)
    lease.bash("sleep 300", "?wait=0", execution_id="long", timeout=600)
    agent.signal(signal.SIGTERM)
    reply = wait_until(lambda: (found := agent.as_("eye").get("/readyz")).status == 503 and found, SIGHT, "it drains")
    assert "stopping" in reply.json()["reasons"][0]["message"]
    refused(agent.as_("bob").post("/v1/leases", {"job": "pool"}), 503, "agent_stopping")
    refused(agent.as_("root").request("PUT", "/v1/jobs/more", b"job: more\nisolation: best-effort\n"), 503, "agent_stopping")
    assert agent.as_(None).get("/healthz").json()["status"] == "ok"
    assert lease.execution("long").json()["state"] in ("queued", "running")
    lease.wire.request("DELETE", f"{lease.path}/executions/long")  # what ends the drain
    agent.process.wait(SIGHT)

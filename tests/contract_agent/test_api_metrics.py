# SPDX-License-Identifier: Apache-2.0
"""/metrics, /healthz, /readyz (issue 5 point 6): every queue, state, latency and cause; nothing that names a slot."""
import json
import re
import signal

import stand_in
from agent_harness import SIGHT, Lease, refused, wait_until
from executor_harness import Run

FAMILIES = {
    "berth_jobs", "berth_containers", "berth_slots", "berth_acquires_waiting", "berth_link_calls", "berth_api_calls",
    "berth_api_call_bytes", "berth_api_kept_bytes", "berth_event_streams", "berth_draining", "berth_protocol_errors_total",
    "berth_leases_ended_total", "berth_slot_changes_total", "berth_container_changes_total", "berth_acquires_total",
    "berth_acquires_refused_total", "berth_calls_total", "berth_calls_refused_total", "berth_http_requests_total",
    "berth_http_denied_total", "berth_file_bytes_total", "berth_acquire_seconds", "berth_call_seconds",
    "berth_reset_seconds", "berth_container_start_seconds", "berth_http_request_seconds", "berth_call_wait_seconds",
    "berth_transfers_waiting", "berth_link_batches_total", "berth_link_repeats_total", "berth_executor_calls",
    "berth_executor_call_bytes", "berth_executor_trajectories", "berth_executor_keyed_calls", "berth_executor_keyed_bytes",
    "berth_external_calls_total", "berth_external_call_seconds", "berth_http_connections", "berth_http_connections_most",
    "berth_http_refused_total", "berth_descriptors", "berth_descriptors_most", "berth_resident_bytes",
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


def test_queues_are_counted_while_they_are_full(start):
    agent = start(config="default_job: pool\n")
    agent.put_job("job: pool\nslots: 1\nisolation: best-effort\n")
    lease = Lease(agent)
    lease.bash("sleep 300", "?wait=0", execution_id="runs", timeout=600)
    lease.bash("true", "?wait=0", execution_id="waits", timeout=600)
    assert value(agent, "berth_link_calls") == 2 and value(agent, "berth_api_calls") == 2
    run, waiter = Run(agent, "waits"), agent.as_("bob").connection()
    sent = run.begin("terminal", {"command": "true"}, timeout_s=600)
    waiter.request("POST", "/v1/leases", '{"job": "pool", "wait": "1h"}', agent.as_("bob").headers)
    wait_until(lambda: value(agent, 'berth_acquires_waiting{job="pool"}') == 2, SIGHT, "both wait for a slot")
    assert value(agent, "berth_executor_calls") == 1 and value(agent, "berth_executor_trajectories") == 1
    assert value(agent, "berth_executor_call_bytes") > 0 and value(agent, "berth_http_connections") >= 3
    assert value(agent, "berth_resident_bytes") > 1 << 20 and value(agent, "berth_descriptors") > 10
    sent.close(), waiter.close()
    wait_until(lambda: value(agent, 'berth_acquires_waiting{job="pool"}') == 0, SIGHT, "nobody waits")
    wait_until(lambda: value(agent, "berth_executor_calls") == 0, SIGHT, "nor here")
    lease.release()


def test_the_way_of_a_call_is_told_apart_from_its_command(agent):
    lease = Lease(agent)
    waits, calls = value(agent, "berth_call_wait_seconds_sum"), value(agent, "berth_call_seconds_sum")
    lease.output("sleep 1.5")
    assert value(agent, "berth_call_seconds_sum") - calls >= 1.5
    assert value(agent, "berth_call_wait_seconds_sum") - waits < value(agent, "berth_call_seconds_sum") - calls - 1.4
    lease.release()


def unambiguous(line):
    """A record none of whose keys stands twice."""
    pairs = json.loads(line, object_pairs_hook=lambda pairs: pairs)
    assert len({key for key, _ in pairs}) == len(pairs), line
    return dict(pairs)


def test_the_log_tells_calls_with_their_ids(start):
    agent = start(config="log: {level: debug, format: json}\ndefault_job: pool\n")
    agent.put_job("job: pool\nslots: 2\nisolation: best-effort\n")
    lease, run = Lease(agent), Run(agent, "logged")
    lease.bash("exit 3", execution_id="named")
    lease.bash("true", execution_id="named")  # other content: refused by the slot
    run.call("terminal", {"command": "true"}, headers={"Idempotency-Key": "keyed"})
    held = run.leases()[0]["lease"]
    lease.release()
    told = lambda message: [record for record in map(unambiguous, agent.log().splitlines()) if record["message"] == message]
    wait_until(lambda: any(record["lease"] == lease.id for record in told("lease ended")), SIGHT, "the lease's end is told")
    ended = told("call ended")
    assert {"lease": lease.id, "execution": "named", "tool": "bash", "cause": "exit"}.items() <= ended[0].items()
    assert {"lease": lease.id, "execution": "named", "cause": "rejected"}.items() <= ended[1].items()
    assert {"lease": held, "execution": "keyed", "tool": "bash", "cause": "exit"}.items() <= ended[2].items()


def test_ready_means_that_the_tool_executor_has_its_job(start):
    agent = start(config="default_job: pool\n")
    reply = agent.as_("eye").get("/readyz")
    assert reply.status == 503 and reply.json()["reasons"][0]["job"] == "pool" and "default_job" in reply.json()["reasons"][0]["message"]
    agent.put_job("job: pool\nslots: 1\nisolation: best-effort\n")
    wait_until(lambda: agent.as_(None).get("/readyz").status == 200, SIGHT, "its job is up")


def test_ready_means_that_a_slot_can_be_had(start):
    """A container that cannot clean any of its slots is up, and of no use."""
    agent = start(prepare=stand_in.plant)
    agent.put_job("job: pool\nslots: 1\nisolation: best-effort\n")
    lease = Lease(agent)
    assert agent.as_("eye").get("/readyz").status == 200
    stand_in.Faults(agent.folder).set(reset="fail")
    lease.release()
    reply = wait_until(lambda: (found := agent.as_("eye").get("/readyz")).status == 503 and found, SIGHT, "it is not ready")
    assert reply.json()["reasons"][0]["message"] == "none of its 1 slots can be reset"
    stand_in.Faults(agent.folder).set()
    wait_until(lambda: agent.as_("eye").get("/readyz").status == 200, 2 * SIGHT, "it is ready again")


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

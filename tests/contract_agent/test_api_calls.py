# SPDX-License-Identifier: Apache-2.0
"""Executions over /v1: waiting, not waiting, streamed, by id, in batches over containers. Row 59 of the threats: an
answer that was lost is asked for again and never runs twice."""
import base64
import json
import threading
import time

import pytest

from agent_harness import SIGHT, SLOWER, Lease, refused, wait_until

FIVE = {"success", "output", "error", "execution_id", "metadata"}


def lines(lease, command, query="?stream=1", **fields):
    body = {"tool": "bash", "args": {"command": command}, **fields}
    return lease.wire.lines(f"{lease.path}/executions{query}", body)


def finished(lease, name):
    reply = lease.execution(name)
    return reply.status == 200 and reply.json()["state"] == "finished" and reply.json()


def test_a_call_is_answered_with_five_keys(lease):
    reply = lease.bash("echo out; echo err >&2; exit 3", execution_id="five")
    assert reply.status == 200 and set(reply.json()) == FIVE
    result = reply.json()
    assert (result["success"], result["execution_id"], result["metadata"]["exit_code"]) == (False, "five", 3)


def test_env_timeout_and_limits_reach_the_command(lease):
    assert lease.output("echo $A $FROM_JOB", env={"A": "1"}) == "1 canary-of-the-job"
    assert lease.bash("sleep 60", timeout=0.3).json()["metadata"]["cause"] == "timeout"
    reply = lease.bash("echo fits", limits={"memory": "64MiB", "pids": 20, "cpu_seconds": 5})
    assert reply.status == 200


def test_a_command_knows_its_trajectory_and_its_execution(agent):
    lease = Lease(agent, trajectory="one of mine\nand more")
    assert lease.output('echo "$BERTH_TRAJECTORY:$BERTH_EXECUTION"', execution_id="known") == "one of mine\nand more:known"
    lease.release()


def test_every_tool_can_be_called(lease):
    assert lease.call("write_file", {"path": "a.txt", "content": "text"}).json()["success"]
    assert lease.call("read_file", {"path": "a.txt"}).json()["output"] == "text"
    assert lease.call("exec", {"argv": ["/bin/echo", "no shell"]}).json()["output"] == "no shell"
    lease.call("bash_stateful", {"command": "export KEPT=yes"})
    assert lease.call("bash_stateful", {"command": "echo $KEPT"}).json()["output"].strip() == "yes"
    assert lease.call("nonsense").json()["metadata"]["cause"] == "rejected"


@pytest.mark.parametrize("body, code", [
    ({}, "bad_request"), ({"tool": ""}, "bad_request"), ({"tool": 1}, "bad_request"), ({"tool": "bash", "args": []}, "bad_request"),
    ({"tool": "bash", "timeout": 0}, "bad_timeout"), ({"tool": "bash", "timeout": -1}, "bad_timeout"),
    ({"tool": "bash", "timeout": 3601}, "bad_timeout"), ({"tool": "bash", "timeout": "30"}, "bad_timeout"),
    ({"tool": "bash", "timeout": True}, "bad_timeout"), ({"tool": "bash", "execution_id": ""}, "bad_execution_id"),
    ({"tool": "bash", "execution_id": "a/b"}, "bad_execution_id"), ({"tool": "bash", "execution_id": "x" * 129}, "bad_execution_id"),
    ({"tool": "bash", "execution_id": 5}, "bad_execution_id"), ({"tool": "bash", "env": {"A": 1}}, "bad_request"),
    ({"tool": "bash", "env": {"A=B": "1"}}, "bad_request"), ({"tool": "bash", "limits": {"memory": -1}}, "bad_request"),
    ({"tool": "bash", "limits": {"speed": 1}}, "bad_request"), ({"tool": "bash", "slot_id": "slot_1"}, "bad_request"),
    ({"tool": "bash", "generation": 7}, "bad_request"), ([], "bad_request"), (None, "bad_request"),
])
def test_a_bad_call_is_400_and_says_why(lease, body, code):
    refused(lease.wire.post(f"{lease.path}/executions", json.dumps(body).encode()), 400, code)


def test_the_same_id_is_the_one_execution(lease):
    """Row 59."""
    for _ in range(3):
        reply = lease.bash("echo run >> count; wc -l < count", execution_id="once")
        assert reply.json()["output"].strip() == "1"
    assert reply.json()["metadata"]["replayed"] is True
    refused(lease.bash("echo other", execution_id="once"), 409, "execution_id_reused")


def test_an_answer_that_was_lost_is_there_when_the_id_comes_again(lease):
    """Row 59: the connection is cut while the command runs; closing cancels nothing."""
    body = json.dumps({"tool": "bash", "args": {"command": "sleep 1; echo ran >> count; echo answer"}, "execution_id": "lost"})
    cut = lease.wire.connection()
    cut.request("POST", f"{lease.path}/executions", body, lease.wire.headers)
    wait_until(lambda: lease.execution("lost").status == 200, SIGHT, "it has begun")
    cut.close()
    reply = lease.wire.post(f"{lease.path}/executions", body.encode())
    assert reply.status == 200 and reply.json()["output"] == "answer"
    assert lease.output("cat count") == "ran"


def test_a_stream_that_was_cut_leaves_its_result(lease):
    reader = lines(lease, "echo first; sleep 1; echo last", execution_id="cut-stream")
    assert next(reader)["type"] == "start"
    reader.close()
    assert wait_until(lambda: finished(lease, "cut-stream"), SIGHT, "it ends")["result"]["output"] == "first\nlast"


def test_not_waiting_is_202_and_the_result_is_found_by_id(lease):
    reply = lease.bash("sleep 0.5; echo late", "?wait=0", execution_id="later")
    assert reply.status == 202 and reply.json() == {"execution_id": "later", "lease": lease.id, "state": "queued"}
    assert reply.headers["location"] == f"{lease.path}/executions/later"
    assert lease.execution("later").json()["state"] in ("queued", "running")
    assert wait_until(lambda: finished(lease, "later"), SIGHT, "it ends")["result"]["output"] == "late"


def test_calls_that_wait_for_their_turn_are_queued_and_can_be_taken_back(lease):
    lease.bash("sleep 300", "?wait=0", execution_id="first", timeout=600)
    lease.bash("touch never", "?wait=0", execution_id="second")
    assert lease.execution("second").json()["state"] == "queued"
    begin = time.monotonic()
    assert lease.wire.request("DELETE", f"{lease.path}/executions/second").status == 200
    second = wait_until(lambda: finished(lease, "second"), SIGHT, "it is taken back")
    assert second["result"]["metadata"] | {"cause": "cancelled", "started": False} == second["result"]["metadata"]
    assert lease.wire.request("DELETE", f"{lease.path}/executions/first").status == 200
    assert wait_until(lambda: finished(lease, "first"), SIGHT, "it is ended")["result"]["metadata"]["cause"] == "cancelled"
    assert time.monotonic() - begin < 5 * 3 * SLOWER
    assert lease.wire.request("DELETE", f"{lease.path}/executions/first").status == 200  # again: harmless
    assert lease.output("ls") == ""


@pytest.mark.parametrize("name", ["nobody", "%C2%84", "a%2Fb", "x" * 129, "%2e%2e", "a%20b"])
def test_unknown_executions_are_404(lease, name):
    for path in (f"/executions/{name}", f"/executions/{name}/output"):
        refused(lease.wire.get(lease.path + path), 404, "unknown_execution")
    refused(lease.wire.request("DELETE", f"{lease.path}/executions/{name}"), 404, "unknown_execution")


def test_output_is_read_while_the_command_runs(lease):
    lease.bash("printf abc; sleep 300", "?wait=0", execution_id="out", timeout=600)
    reply = wait_until(lambda: (part := lease.wire.get(f"{lease.path}/executions/out/output?wait=5")).body and part, SIGHT, "output")
    assert (reply.body, reply.headers["berth-offset"], reply.headers["berth-next"], reply.headers["berth-end"]) == (b"abc", "0", "3", "false")
    assert lease.wire.get(f"{lease.path}/executions/out/output?offset=1").body == b"bc"
    assert lease.wire.get(f"{lease.path}/executions/out/output?stream=stderr").body == b""
    for query in ("wait=x", "offset=-1", "stream=all"):
        assert lease.wire.get(f"{lease.path}/executions/out/output?{query}").status == 400, query
    lease.wire.request("DELETE", f"{lease.path}/executions/out")


def test_a_stream_tells_start_output_result_end_in_order(lease):
    told = list(lines(lease, "echo one; sleep 0.3; echo two >&2; printf '\\377'", execution_id="told"))
    assert [line["type"] for line in told if line["type"] not in ("output", "ping")] == ["start", "result", "end"]
    assert told[0]["type"] == "start" and told[0]["slot_id"] == lease.facts["slot"] and told[0]["index"] == 0
    streams = {"stdout": b"", "stderr": b""}
    for line in told:
        if line["type"] == "output":
            assert line["execution_id"] == "told" and line["offset"] == len(streams[line["stream"]])
            streams[line["stream"]] += line["text"].encode() if "text" in line else base64.b64decode(line["base64"])
    assert streams == {"stdout": b"one\n\xff", "stderr": b"two\n"}
    result = told[-2]
    assert FIVE <= set(result) and result["index"] == 0
    assert told[-1] == {"type": "end", "results": 1}


def test_output_comes_while_the_command_runs(lease):
    reader = lines(lease, "echo early; sleep 300", execution_id="live", timeout=600)
    assert next(reader)["type"] == "start" and next(reader)["text"] == "early\n"
    assert lease.execution("live").json()["state"] == "running"
    lease.wire.request("DELETE", f"{lease.path}/executions/live")
    assert [line["type"] for line in reader if line["type"] != "output"][-2:] == ["result", "end"]


def test_a_batch_runs_over_leases_and_bad_elements_fail_alone(agent):
    leases = [Lease(agent) for _ in range(3)]
    def element(lease, command, **more):
        return {"lease": lease.id, "tool": "bash", "args": {"command": command}, **more}
    body = [element(leases[0], "echo a"), {"lease": "nobody", "tool": "bash"}, 5, element(leases[1], "sleep 0.5; echo b"),
            element(leases[2], "echo c", timeout=-1), element(leases[0], "echo d"), {"tool": "bash"}]
    results = agent.as_("alice").post("/v1/batch", body).json()
    assert all(set(result) == FIVE for result in results)
    assert [result["output"] for result in results] == ["a", "", "", "b", "", "d", ""]
    codes = [result["metadata"].get("code") for result in results]
    assert codes == [None, "unknown_lease", "bad_request", None, "bad_timeout", None, "bad_request"]
    assert agent.as_("alice").post("/v1/batch", []).json() == []
    for lease in leases:
        lease.release()


def test_a_streamed_batch_tells_each_result_when_it_is_there(agent):
    slow, quick = Lease(agent), Lease(agent)
    body = [{"lease": slow.id, "tool": "bash", "args": {"command": "sleep 1; echo slow"}},
            {"lease": quick.id, "tool": "bash", "args": {"command": "echo quick"}}]
    told = list(agent.as_("alice").lines("/v1/batch?stream=1", body))
    assert [line.get("index") for line in told if line["type"] == "result"] == [1, 0]
    assert told[-1] == {"type": "end", "results": 2} and not any(line["type"] == "output" for line in told)
    told = list(agent.as_("alice").lines("/v1/batch?stream=1&output=1", body))
    assert {line["text"] for line in told if line["type"] == "output"} == {"slow\n", "quick\n"}
    slow.release(), quick.release()


def test_bounds_of_bodies(agent, lease):
    """Row 34 at the agent."""
    big = {"tool": "bash", "args": {"command": "true", "padding": "x" * (2 << 20)}}
    refused(lease.wire.post(f"{lease.path}/executions", big), 413, "body_too_large")
    one = {"lease": lease.id, "tool": "bash", "args": {"command": "true"}}
    refused(lease.wire.post("/v1/batch", [one] * 1001), 413, "json_too_large")
    results = lease.wire.post("/v1/batch", [one, {**big, "lease": lease.id}, one]).json()
    assert [result["metadata"].get("code") for result in results] == [None, "call_too_large", None]
    refused(lease.wire.post("/v1/batch", {"a": 1}), 400, "json_not_array")
    refused(lease.wire.request("POST", "/v1/batch", b"[" * 100000), 400, "json_syntax")
    connection = lease.wire.connection()
    connection.request("POST", "/v1/batch", headers={**lease.wire.headers, "Content-Length": str(65 << 20)})
    assert connection.getresponse().status == 413
    connection.close()


def test_calls_of_one_lease_run_in_order_and_leases_in_parallel(agent):
    leases = [Lease(agent) for _ in range(4)]
    begin = time.monotonic()
    body = [{"lease": lease.id, "tool": "bash", "args": {"command": f"sleep 0.5; echo {n} >> order; cat order"}}
            for n in range(2) for lease in leases]
    results = agent.as_("alice").post("/v1/batch", body).json()
    assert [result["output"] for result in results] == ["0"] * 4 + ["0\n1"] * 4
    assert time.monotonic() - begin < 8 * 0.5 * SLOWER  # what they would take one after the other
    for lease in leases:
        lease.release()


def test_a_slow_call_delays_nobody(agent):
    slow, quick = Lease(agent), Lease(agent)
    thread = threading.Thread(target=slow.bash, args=("sleep 30",), kwargs={"timeout": 60, "execution_id": "slow"})
    thread.start()
    begin = time.monotonic()
    for _ in range(20):
        quick.output("true")
    assert time.monotonic() - begin < 20
    slow.wire.request("DELETE", f"{slow.path}/executions/slow")
    thread.join()
    slow.release(), quick.release()

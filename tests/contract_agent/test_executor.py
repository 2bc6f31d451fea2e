# SPDX-License-Identifier: Apache-2.0
"""The tool-executor routes: points 72 to 80 of the contract, over HTTP, with real slot servers."""
import base64
import io
import json
import os
import pathlib
import subprocess
import sys
import tarfile
import threading
import time

import pytest

from agent_harness import SECRETS, SIGHT, wait_until
from executor_fixtures import agent, outside, run  # noqa: F401
from executor_harness import NO_SLOT, POOL, TOOL_SERVER_TOKEN, Run, begin, detail, queue_size

EXAMPLE = pathlib.Path(os.environ["BERTH_SOURCE_DIR"]) / "examples/executor_client.py"
EXAMPLE_SECONDS = 60 * 5
GRACE = 3 * 5  # a caller that went away keeps its call for so long at most


def test_72_open_routes(agent):
    nobody = agent.as_(None)
    assert nobody.get("/").json() == {"message": "Atropos-Agent Tool Executor"}
    assert nobody.get("/health").json() == {"status": "ok"}
    status = nobody.get("/status").json()
    assert set(status) == {"queue_size", "total_requests", "total_errors", "pool"}
    assert status["pool"]["total_slots"] >= 6 and status["pool"]["started"] is True


@pytest.mark.parametrize("path", ["/execute", "/release", "/artifacts/read", "/artifacts/list", "/artifacts/archive"])
def test_72_who_may_is_decided_before_the_body_is_read(agent, path):
    nobody = agent.as_(None)
    assert detail(nobody.post(path, b"{")) == (401, "Missing Authorization header")
    assert detail(nobody.post(path, b"{", headers={"Authorization": "Basic eDp5"})) == (401, "Invalid Authorization header")
    assert detail(nobody.post(path, b"{", headers={"Authorization": "Bearer wrong"})) == (403, "Invalid token")
    assert detail(agent.as_("eye").post(path, b"{")) == (403, "Invalid token")
    assert agent.as_(None).post(path, b"{", headers={"Authorization": f"bEARER  {SECRETS['alice']} "}).status == 422
    assert detail(agent.as_("alice").get(path)) == (405, "Method Not Allowed")
    assert detail(agent.as_("alice").post("/artifacts/other", {})) == (404, "Not Found")


TOOL = {"name": "terminal", "arguments": {"command": "echo x"}, "uniq_id": "u"}


@pytest.mark.parametrize("path, body, kind, place", [
    ("/execute", {"tool": TOOL}, "missing", ["body", "trajectory_id"]),
    ("/execute", {"trajectory_id": 5, "tool": TOOL}, "string_type", ["body", "trajectory_id"]),
    ("/execute", {"trajectory_id": "t"}, "missing", ["body", "tool"]),
    ("/execute", {"trajectory_id": "t", "tool": []}, "model_attributes_type", ["body", "tool"]),
    ("/execute", {"trajectory_id": "t", "tool": {**TOOL, "uniq_id": 7}}, "string_type", ["body", "tool", "uniq_id"]),
    ("/execute", {"trajectory_id": "t", "tool": {**TOOL, "arguments": None}}, "dict_type", ["body", "tool", "arguments"]),
    ("/execute", {"trajectory_id": "t", "tool": TOOL, "timeout_s": "x"}, "float_type", ["body", "timeout_s"]),
    ("/execute", [], "model_attributes_type", ["body"]),
    ("/execute", b"{", "json_invalid", ["body", 0]),
    ("/execute", b"", "missing", ["body"]),
    ("/release", {"trajectory_id": "t", "reset_workspace": "yes"}, "bool_type", ["body", "reset_workspace"]),
    ("/artifacts/read", {"trajectory_id": "t"}, "missing", ["body", "path"]),
    ("/artifacts/read", {"trajectory_id": "t", "path": "a", "encoding": "hex"}, "literal_error", ["body", "encoding"]),
    ("/artifacts/list", {"trajectory_id": "t", "max_entries": "many"}, "int_type", ["body", "max_entries"]),
    ("/artifacts/archive", {"trajectory_id": "t", "format": "zip"}, "literal_error", ["body", "format"]),
])
def test_72_80_a_malformed_body_is_422_for_its_caller_alone(agent, run, path, body, kind, place):
    status, faults = detail(run.wire.post(path, body))
    assert status == 422 and [(fault["type"], fault["loc"]) for fault in faults] == [(kind, place)]
    assert {"type", "loc", "msg", "input"} <= set(faults[0])
    assert run.sh("echo fine")["output"] == "fine"


def test_73_names_map_and_unknown_ones_are_told(run):
    assert run.sh("echo $0; exit 3")["metadata"]["exit_code"] == 3
    assert run.call("write_file", {"path": "a.txt", "content": "text"})["success"]
    assert run.call("read_file", {"path": "a.txt"})["output"] == "text"
    run.call("terminal_stateful", {"command": "export KEPT=yes"})
    assert run.call("terminal_stateful", {"command": "echo $KEPT"})["output"].strip() == "yes"
    assert run.call("tmux", {"action": "capture"})["success"]
    for name in ("bash", "bash_stateful"):  # reserved: the tool server never sees them
        assert run.call(name, {"command": "echo x"})["error"] == f"Unknown tool: {name}"
    background = run.call("terminal", {"command": "echo x", "background": True})
    assert background["error"] == "terminal background execution is not supported in sandbox"


def test_73_policy_is_the_job_s(run):
    """The job allows the network and asks for no isolation. What a model says of it would be refused, or narrow it."""
    for said in ({"allow_network": "false", "require_sandbox": "yes", "require_stateful_sandbox": "yes"},
                 {"allow_network": False}, {"allow_network": [], "timeout": None}):
        for tool in ("terminal", "terminal_stateful"):
            result = run.call(tool, {"command": "echo ran", **said})
            assert result["success"] and result["output"].strip() == "ran", result
            assert result["metadata"]["network_isolated"] is False, result
        assert run.call("tmux", {"action": "capture", **{key: said[key] for key in said if key != "timeout"}})["success"]


def test_74_one_slot_per_trajectory_until_its_release(agent, run):
    calls = [threading.Thread(target=run.sh, args=("echo x >> file",)) for _ in range(8)]
    for call in calls:
        call.start()
    for call in calls:
        call.join()
    assert run.sh("wc -l < file")["output"] == "8" and len(run.leases()) == 1
    run.release()
    assert run.leases() == []
    assert run.sh("ls -A | wc -l")["output"] == "0"
    Run(agent, "never heard of").release()


def test_74_a_trajectory_is_its_token_s_own(agent, run):
    run.sh("echo mine > file")
    other = Run(agent, run.name, "bob")
    assert other.sh("ls")["output"] == ""
    other.release()
    assert run.sh("cat file")["output"] == "mine"


def test_75_artifacts(run):
    for kind, extra in (("read", {"path": "a"}), ("list", {}), ("archive", {})):
        reply = run.wire.post(f"/artifacts/{kind}", {"trajectory_id": run.name, **extra})
        assert reply.status == 200 and (reply.json()["success"], reply.json()["error"]) == (False, NO_SLOT)
    assert run.leases() == []
    run.sh("mkdir d; printf 'h\\303\\251' > d/a.txt; head -c 3000000 /dev/zero > big")
    ask = lambda kind, **fields: run.wire.post(f"/artifacts/{kind}", {"trajectory_id": run.name, **fields}).json()
    read = ask("read", path="d/a.txt", include_sha256=True)
    assert (read["content"], read["bytes"], read["mime"], len(read["sha256"])) == ("h\u00e9", 3, "text/plain", 64)
    assert set(read) == {"success", "content", "error", "encoding", "truncated", "bytes", "file_size", "path", "mime", "sha256"}
    assert len(base64.b64decode(ask("read", path="big", encoding="base64")["content"])) == 3_000_000
    assert ask("read", path="d/a.txt", max_bytes=1)["truncated"] is True
    listed = ask("list", recursive=True)
    assert [each["path"] for each in listed["entries"]][-1] == "d/a.txt" and listed["error"] == ""
    packed = ask("archive", path="d")
    with tarfile.open(fileobj=io.BytesIO(base64.b64decode(packed["content"]))) as archive:
        assert archive.getnames() == ["d/a.txt"] and packed["entry_count"] == 1
    for kind in ("read", "list", "archive"):
        assert ask(kind, path="../other")["error"] == "Access denied: path outside workspace"


@pytest.mark.parametrize("fields, said, seconds", [
    ({"timeout_s": 0.1}, {"timeout": 50}, 1), ({"timeout_s": None}, {"timeout": 1.5}, 1.5), ({}, {"timeout": -3}, 1)])
def test_76_limits(run, fields, said, seconds):
    run.sh("true")
    begin_at = time.monotonic()
    result = run.call("terminal", {"command": "sleep 60", **said}, **fields)
    assert result["metadata"]["cause"] == "timeout" and seconds <= time.monotonic() - begin_at < 40


def test_77_external_tools(outside, run):
    result = run.call("web_search", {"query": "x"}, timeout_s=7)
    assert (result["success"], result["output"], result["metadata"]) == (True, "found", {"hits": 1})
    path, fields, body = outside.seen[-1]
    assert (path, fields["Authorization"]) == ("/base/execute", f"Bearer {TOOL_SERVER_TOKEN}")
    assert body == {"trajectory_id": run.name, "timeout_s": 7,
                    "tool": {"name": "web_search", "arguments": {"query": "x"}, "uniq_id": "u1"}}
    assert run.leases() == []
    run.sh("true")
    run.call("web_search", {"slot_id": "mine"})
    assert outside.seen[-1][2]["slot_id"].startswith("slot_") and outside.seen[-1][2]["container_addr"]
    for tool in ("broken", "unsaid", "busy"):
        assert run.call(tool)["error"].startswith("External tool failed: ")


def test_80_closing_ends_the_call_after_its_grace_unless_its_key_comes_back(run):
    run.sh("true")
    body = {"trajectory_id": run.name, "tool": {"name": "terminal", "arguments": {"command": "sleep 300"}, "uniq_id": "u"},
            "timeout_s": 300}
    for headers in ({}, {"Idempotency-Key": "gone"}):
        connection = run.wire.connection()
        connection.request("POST", "/execute", json.dumps(body), {**run.wire.headers, **headers})
        wait_until(lambda: run.leases()[0]["calls"] == 1, SIGHT, "it runs")
        connection.close()
        wait_until(lambda: run.leases()[0]["calls"] == 0, GRACE, "it has ended")
    body["tool"]["arguments"]["command"] = "echo run >> count; sleep 6; wc -l < count"
    connection = run.wire.connection()
    connection.request("POST", "/execute", json.dumps(body), {**run.wire.headers, "Idempotency-Key": "kept"})
    wait_until(lambda: run.leases()[0]["calls"] == 1, SIGHT, "it runs")
    connection.close()
    assert run.wire.post("/execute", body, headers={"Idempotency-Key": "kept"}).json()["output"] == "1"
    assert run.wire.post("/execute", body, headers={"Idempotency-Key": "a/b"}).status == 422


def test_77_without_a_tool_server_or_a_job(start):
    bare = start()
    run = Run(bare, "t")
    answer = run.call("web_search")
    assert answer["error"] == "Unknown tool: web_search"
    assert answer["metadata"]["hint"] == "External tool not available (ToolServer not configured): web_search"
    assert run.sh("echo x")["error"] == "No default job"


@pytest.fixture
def tight(user, request):
    """One slot."""
    idle = getattr(request, "param", "10m")
    one = begin(user, POOL.replace("slots: 6", "slots: 1").replace("max: 2", "max: 1") + f"lease: {{idle: {idle}}}\n")
    yield one
    one.stop()


@pytest.mark.parametrize("tight", ["2s"], indirect=True)
def test_74_80_a_lost_slot_is_told_once(tight):
    run = Run(tight, "t")
    run.sh("echo x > file")
    wait_until(lambda: run.leases() == [], SIGHT, "it idled out")
    lost = run.sh("ls")
    assert (lost["success"], lost["metadata"]["cause"]) == (False, "slot_lost") and run.leases() == []
    assert run.sh("ls -A | wc -l")["output"] == "0"


def test_78_79_80_the_holder_goes_on_and_who_waits_starts_after_it(tight):
    holder, waiter = Run(tight, "a"), Run(tight, "b")
    holder.sh("true")
    failed = waiter.sh("true", timeout_s=1)
    assert failed["error"].startswith("Failed to acquire slot: ") and waiter.leases() == []
    done = []
    threads = []
    for number, limit in enumerate((300, 600, 300)):
        command = f"echo {number} >> order; cat order"
        threads.append(threading.Thread(target=lambda c=command, t=limit: done.append(waiter.sh(c, timeout_s=t)["output"])))
        threads[-1].start()
        wait_until(lambda: queue_size(tight) == len(threads), SIGHT, "it waits")
        assert holder.sh("echo on")["output"] == "on"
    holder.release()
    for thread in threads:
        thread.join(SIGHT)
    assert sorted(done) == ["0", "0\n1", "0\n1\n2"]
    threads = [threading.Thread(target=lambda: done.append(holder.sh("true", timeout_s=300))) for _ in range(3)]
    for thread in threads:
        thread.start()
    wait_until(lambda: queue_size(tight) == 3, SIGHT, "they wait")
    holder.release()  # what still waits never runs
    for thread in threads:
        thread.join(SIGHT)
    assert [each["metadata"]["cause"] for each in done[3:]] == ["cancelled"] * 3
    waiter.release()
    assert holder.leases() == [] and waiter.leases() == []


def test_80_a_caller_that_goes_away_while_it_waits_gets_no_slot(tight):
    holder, waiter = Run(tight, "a"), Run(tight, "b")
    holder.sh("true")
    body = {"trajectory_id": "b", "tool": {"name": "terminal", "arguments": {"command": "true"}, "uniq_id": "u"}, "timeout_s": 600}
    connection = waiter.wire.connection()
    connection.request("POST", "/execute", json.dumps(body), waiter.wire.headers)
    wait_until(lambda: queue_size(tight) == 1, SIGHT, "it waits")
    connection.close()
    wait_until(lambda: queue_size(tight) == 0, GRACE, "it has gone")
    holder.release()
    assert holder.sh("echo on")["output"] == "on" and waiter.leases() == []


def test_the_example_drives_a_hundred_trajectories(agent):
    environment = {**os.environ, "BERTH_ADDR": f"http://127.0.0.1:{agent.port}", "BERTH_TOKEN": SECRETS["alice"]}
    done = subprocess.run([sys.executable, EXAMPLE], capture_output=True, text=True, env=environment, timeout=EXAMPLE_SECONDS,
                          check=False)
    assert done.returncode == 0 and done.stdout == "100 of 100 trajectories succeeded\n", done.stdout + done.stderr

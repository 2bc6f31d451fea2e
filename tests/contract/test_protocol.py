# SPDX-License-Identifier: Apache-2.0
"""The form of requests and answers: points 1 to 6, 24 and 32 of the conformance checklist."""
import json
import threading
import uuid

import pytest

from harness import Slot, wait_until
from wire import FIVE_KEYS, JSON_TYPE

POST_ROUTES = ["/execute", "/batch", "/reset", "/artifacts/read", "/artifacts/list", "/artifacts/archive"]
TWO_KEYS = {"success", "error"}


@pytest.mark.parametrize("name", ["slot_99", "", "nonsense"])
def test_p01_an_unknown_slot_is_answered_with_five_keys(server, name):
    result = server.wire.run(name, "bash", {"command": "true"}, execution_id="e1")
    assert result["success"] is False
    assert result["error"] == f"Unknown slot: {name}"
    assert result["execution_id"] == "e1"


def test_p01_an_absent_slot_is_an_unknown_one(server):
    reply = server.wire.post("/execute", {"tool": "bash", "args": {"command": "true"}})
    assert reply.status == 200 and reply.json()["error"] == "Unknown slot: "


@pytest.mark.parametrize("tool", ["nonsense", "", "Bash", "../bash"])
def test_p02_an_unknown_tool_is_answered_with_five_keys(server, tool):
    result = server.wire.run("slot_0", tool)
    assert result["success"] is False
    assert result["error"] == f"Unknown tool: {tool}"


def test_p02_the_slot_is_looked_at_before_the_tool(server):
    assert server.wire.run("slot_99", "nonsense")["error"] == "Unknown slot: slot_99"


@pytest.mark.parametrize("route", POST_ROUTES)
@pytest.mark.parametrize("body", [b"", b"{", b"not json", b"\xff\xfe", b"{}{}", b"[1,", b"NaN"], ids=repr)
def test_p03_a_body_that_is_not_json_is_400(server, route, body):
    reply = server.wire.post(route, body)
    assert reply.status == 400
    answer = reply.json()
    assert answer["success"] is False
    # A batch is taken apart element by element, so a text that is no array at all may be named as that.
    allowed = {"Invalid JSON", "Expected array of requests"} if route == "/batch" else {"Invalid JSON"}
    assert answer["error"] in allowed
    assert set(answer) - {"code"} == TWO_KEYS


@pytest.mark.parametrize("body", [[], "x", 7, b"null", True], ids=repr)
@pytest.mark.parametrize("route", ["/execute", "/reset"])
def test_a_body_that_is_no_object_is_refused_with_two_keys(server, route, body):
    reply = server.wire.post(route, body)
    assert reply.status in (400, 500)
    assert reply.json()["success"] is False and TWO_KEYS <= set(reply.json())


@pytest.mark.parametrize("body", [
    {"slot_id": "slot_0", "tool": "bash", "args": None}, {"slot_id": "slot_0", "tool": "bash", "args": [1]},
    {"slot_id": "slot_0", "tool": "bash", "args": "x"}, {"slot_id": ["slot_0"], "tool": "bash"},
    {"slot_id": {"a": 1}, "tool": "bash"}, {"slot_id": "slot_0", "tool": ["bash"]},
    {"slot_id": "slot_0", "tool": "bash", "env": [1]}, {"slot_id": "slot_0", "tool": "bash", "env": {"A": 1}},
    {"slot_id": "slot_0", "tool": "bash", "env": {"A=B": "x"}}, {"slot_id": "slot_0", "tool": "bash", "limits": 5},
    {"slot_id": "slot_0", "tool": "bash", "limits": {"memory": "lots"}},
    {"slot_id": "slot_0", "tool": "bash", "generation": "1"},
    {"slot_id": "slot_0", "tool": "bash", "generation": -1},
    {"slot_id": "slot_0", "tool": "bash", "generation": 1e300}], ids=json.dumps)
def test_a_field_of_the_wrong_type_is_refused_and_nothing_runs(server, body):
    reply = server.wire.post("/execute", body)
    assert reply.status in (400, 500), reply
    assert reply.json()["success"] is False and reply.json()["error"]


def test_unknown_fields_are_ignored(server):
    result = server.wire.run("slot_0", "bash", {"command": "echo x", "colour": 1}, flavour={"a": []})
    assert result["output"] == "x"


def test_p04_every_json_answer_has_the_media_type(server):
    wire = server.wire
    for reply in [wire.get("/health"), wire.get("/slots"), wire.execute("slot_0", "bash", {"command": "false"}),
                  wire.execute("slot_99", "bash"), wire.post("/execute", b"{"), wire.batch([]), wire.batch(b"{"),
                  wire.post("/reset", {"slot_id": "slot_99"}), wire.post("/reset", b"x")]:
        assert reply.headers["content-type"] == JSON_TYPE
        json.loads(reply.body)


@pytest.mark.parametrize("media", ["text/plain", "application/x-www-form-urlencoded", None])
def test_the_bodys_media_type_does_not_matter(server, media):
    headers = {} if media is None else {"Content-Type": media}
    body = {"slot_id": "slot_0", "tool": "bash", "args": {"command": "echo x"}}
    assert server.wire.post("/execute", body, headers=headers).json()["output"] == "x"


@pytest.mark.parametrize("route", POST_ROUTES)
@pytest.mark.parametrize("method", ["GET", "PUT", "DELETE"])
def test_p05_another_method_on_a_post_route_is_405(server, route, method):
    reply = server.wire.request(method, route)
    assert (reply.status, reply.body) == (405, b"405: Method Not Allowed")
    assert reply.headers["content-type"].startswith("text/plain")


@pytest.mark.parametrize("method, route", [("POST", "/health"), ("DELETE", "/slots"), ("POST", "/slots")])
def test_p05_a_get_route_refuses_other_methods(server, method, route):
    assert server.wire.request(method, route).status == 405


@pytest.mark.parametrize("path", ["/", "/nonsense", "/execute/", "/executex", "/EXECUTE", "/health/x", "/slots/slot_0/x",
                                  "//execute", "/%65xecutee", "/../execute"])
def test_p05_an_unknown_path_is_404(server, path):
    reply = server.wire.get(path)
    assert reply.status == 404, reply


def test_p05_the_text_of_an_unknown_path(server):
    reply = server.wire.get("/nonsense")
    assert (reply.body, reply.headers["content-type"].split(";")[0]) == (b"404: Not Found", "text/plain")


def test_head_answers_like_get_without_a_body(server):
    for path in ["/health", "/slots"]:
        reply = server.wire.request("HEAD", path)
        assert (reply.status, reply.body) == (200, b"")
        assert reply.headers["content-type"] == JSON_TYPE


@pytest.mark.parametrize("given", ["e-1", "A.b_c:d-9", None, 7, 1.5, True, ["a"], {"a": 1}], ids=repr)
def test_p06_the_execution_id_comes_back_unchanged(server, given):
    given = f"{given}-{uuid.uuid4()}" if isinstance(given, str) else given
    result = server.wire.run("slot_0", "bash", {"command": "true"}, execution_id=given)
    assert result["execution_id"] == given and type(result["execution_id"]) is type(given)


def test_p06_an_absent_execution_id_is_null(server):
    assert server.wire.run("slot_0", "bash", {"command": "true"})["execution_id"] is None


def test_p24_an_empty_batch_is_an_empty_answer(server):
    reply = server.wire.batch([])
    assert (reply.status, reply.json()) == (200, [])


@pytest.mark.parametrize("body", [b"{}", {"slot_id": "slot_0"}, "x", 1, b"null"], ids=repr)
def test_p24_a_batch_that_is_no_array_is_400(server, body):
    reply = server.wire.batch(body)
    assert reply.status == 400
    assert reply.json()["error"] == "Expected array of requests" and reply.json()["success"] is False


def test_p32_slots_are_listed_in_order_with_their_four_keys(server):
    listed = server.wire.get("/slots").json()["slots"]
    assert [entry["slot_id"] for entry in listed] == [f"slot_{i}" for i in range(len(listed))]
    for entry in listed:
        assert {"slot_id", "state", "workspace_dir", "current_execution_id"} <= set(entry)
        assert entry["workspace_dir"].endswith("/" + entry["slot_id"])


def test_p32_a_running_call_shows_in_the_list(server, slot):
    name = f"show-{uuid.uuid4()}"
    slot.output("mkfifo /workspace/go")
    call = threading.Thread(target=slot.run, args=("bash", {"command": "cat /workspace/go"}),
                            kwargs={"execution_id": name, "timeout": 60})
    call.start()

    def entry():
        return next(e for e in server.wire.get("/slots").json()["slots"] if e["slot_id"] == slot.name)

    try:
        wait_until(lambda: entry()["state"] == "executing", 20, "state executing")
        assert entry()["current_execution_id"] == name
    finally:
        server.wire.request("DELETE", f"/slots/{slot.name}/executions/{name}")
        call.join()
    wait_until(lambda: entry()["state"] == "available", 20, "state available")
    assert entry()["current_execution_id"] is None


def test_an_answer_that_is_not_200_keeps_the_connection_usable(server):
    connection = server.wire.connection()
    try:
        for body in [b"{", b'{"slot_id":"slot_99","tool":"bash"}', b"["]:
            connection.request("POST", "/execute", body)
            response = connection.getresponse()
            response.read()
        connection.request("GET", "/health")
        assert connection.getresponse().status == 200
    finally:
        connection.close()


def test_five_keys_also_for_tools_that_fail(server):
    for tool, args in [("bash", {"command": 7}), ("exec", {}), ("exec", {"argv": []}), ("exec", {"argv": "ls"}),
                       ("exec", {"argv": [""]}), ("exec", {"argv": ["a\0b"]}), ("read_file", {"path": 5}),
                       ("write_file", {"path": "x"}), ("bash", {"command": "a\0b"}), ("exec", {"argv": ["nonsense-x"]})]:
        result = Slot(server, "slot_0").run(tool, args)
        assert result["success"] is False and result["error"], (tool, args, result)
        assert set(result) == FIVE_KEYS
        assert result["metadata"]["started"] is False or tool in ("read_file",), (tool, args, result)

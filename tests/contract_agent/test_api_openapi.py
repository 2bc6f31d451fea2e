# SPDX-License-Identifier: Apache-2.0
"""/openapi.json describes every route, and every route answers as it says. The answers of real requests are checked
against their schemas."""
import functools
import hashlib
import json
import os
import pathlib
import re
import urllib.parse

import jsonschema
import pytest

from agent_harness import SECRETS, Lease

SOURCE = pathlib.Path(os.environ["BERTH_SOURCE_DIR"]) / "agent"
METHODS = ("get", "put", "post", "patch", "delete")


@functools.cache
def document():
    return json.loads((SOURCE / "api/openapi.json").read_text())


def operations():
    return {(method, path): operation for path, item in document()["paths"].items()
            for method, operation in item.items() if method in METHODS}


def resolved(value):
    """Schemas as JSON Schema wants them: references followed, nullable spelled out."""
    if isinstance(value, list):
        return [resolved(each) for each in value]
    if not isinstance(value, dict):
        return value
    if "$ref" in value:
        place = document()
        for step in value["$ref"].removeprefix("#/").split("/"):
            place = place[step]
        return resolved(place)
    plain = {key: resolved(each) for key, each in value.items() if key != "nullable"}
    if plain.get("exclusiveMinimum") is True:
        plain["exclusiveMinimum"] = plain.pop("minimum")
    return {"anyOf": [plain, {"type": "null"}]} if value.get("nullable") else plain


def table_of_routes():
    text = (SOURCE / "api/routes.cpp").read_text() + (SOURCE / "executor/executor.cpp").read_text()
    return {(method.lower(), path.replace("...}", "}")) for method, path in re.findall(r'Route\{"(\w+)", "([^"]+)"', text)}


def test_every_route_is_described_and_no_other():
    assert set(operations()) == table_of_routes()


def test_the_program_carries_this_text(agent):
    assert agent.as_(None).get("/openapi.json").json() == document()


def test_every_reference_leads_somewhere():
    resolved(document()["paths"])


def check(reply, method, pattern):
    described = operations()[method, pattern]["responses"]
    assert str(reply.status) in described, f"{method} {pattern} answered {reply.status}: {reply.body[:300]}"
    content = resolved(described[str(reply.status)]).get("content")
    if content is None:
        assert reply.body == b"", (method, pattern, reply.status, reply.body)
        return
    sent = reply.headers["content-type"].partition(";")[0]
    by_type = {kind.partition(";")[0]: each for kind, each in content.items()}
    assert sent in by_type, (method, pattern, reply.status, sent)
    if sent == "application/json":
        jsonschema.validate(json.loads(reply.body), by_type[sent]["schema"])


def requests(lease):
    """Good and bad requests to every operation."""
    job = b"job: described\nslots: 1\nisolation: best-effort\n"
    call = {"tool": "bash", "args": {"command": "echo x"}}
    for path in ("/healthz", "/readyz", "/openapi.json", "/metrics", "/v1/jobs", "/v1/containers", "/v1/slots", "/v1/leases"):
        yield "get", path, path, None
    yield "get", "/v1/events", "/v1/events?follow=0", None
    yield "get", "/v1/containers", "/v1/containers?usage=1", None
    for name, query in ((lease.facts["container"], ""), (lease.facts["container"], "?after=1"), (lease.facts["container"], "?after=x"), ("nobody", "")):
        yield "get", "/v1/containers/{container}/log", f"/v1/containers/{name}/log{query}", None
    for name, body in (("described", job), ("described", b"{{"), ("other", job)):
        for query in ("?plan=1", ""):
            yield "put", "/v1/jobs/{job}", f"/v1/jobs/{name}{query}", body
    for name in ("described", "nobody"):
        yield "get", "/v1/jobs/{job}", f"/v1/jobs/{name}", None
        yield "delete", "/v1/jobs/{job}", f"/v1/jobs/{name}?force=1", None
    tar, none = b"\0" * 10_240, "sha256:" + "0" * 64
    kept = "sha256:" + hashlib.sha256(tar).hexdigest()
    for name in (kept, kept, none, "nobody"):
        yield "put", "/v1/inputs/{input}", f"/v1/inputs/{name}", tar
        yield "get", "/v1/inputs/{input}", f"/v1/inputs/{name}", None
    for body in ({"job": "pool", "trajectory": "api"}, {"job": "pool", "trajectory": "api"}, {"job": "nobody"}, {"job": 1}, []):
        yield "post", "/v1/leases", "/v1/leases", body
    for name in (lease.id, "nobody"):
        base = f"/v1/leases/{name}"
        yield "get", "/v1/leases/{lease}", base, None
        yield "patch", "/v1/leases/{lease}", base, {"idle": "5m"}
        yield "patch", "/v1/leases/{lease}", base, {"idle": "never"}
        for query, body in (("", call), ("?wait=0", {**call, "execution_id": "known"}), ("?stream=1", call), ("", {"tool": 1}),
                            ("", {**call, "execution_id": "known", "args": {"command": "other"}})):
            yield "post", "/v1/leases/{lease}/executions", f"{base}/executions{query}", body
        for execution in ("known", "nobody"):
            place = f"{base}/executions/{execution}"
            yield "get", "/v1/leases/{lease}/executions/{execution}", place, None
            yield "get", "/v1/leases/{lease}/executions/{execution}/output", place + "/output", None
            yield "get", "/v1/leases/{lease}/executions/{execution}/output", place + "/output?wait=x", None
            yield "delete", "/v1/leases/{lease}/executions/{execution}", place, None
        for path in ("dir/file", "%2e%2e/x"):
            for method, query, body in (("put", "", b"data"), ("get", "", None), ("get", "?tar=1", None), ("delete", "", None), ("get", "", None)):
                yield method, "/v1/leases/{lease}/files/{path}", f"{base}/files/{path}{query}", body
    for query in ("", "?stream=1", "?stream=1&output=1"):
        yield "post", "/v1/batch", "/v1/batch" + query, [{"lease": lease.id, **call}, {"lease": "nobody", **call}, 5]
    yield "post", "/v1/batch", "/v1/batch", {}
    yield from executor_requests()


def executor_requests():
    """Good and bad requests to the tool-executor routes."""
    one = {"trajectory_id": "described"}
    artifacts = {"read": {"path": "file"}, "list": {"recursive": True}, "archive": {}}
    for path in ("/", "/health", "/status"):
        yield "get", path, path, None
    for kind, fields in artifacts.items():
        yield "post", f"/artifacts/{kind}", f"/artifacts/{kind}", {**one, **fields}
    for name, arguments in (("terminal", {"command": "echo x > file"}), ("terminal", {"background": True}), ("bash", {}),
                            ("read_file", {"path": "none"}), ("web_search", {})):
        yield "post", "/execute", "/execute", {**one, "tool": {"name": name, "arguments": arguments, "uniq_id": "u"}}
    for kind, fields in artifacts.items():
        for more in ({}, {"path": "nothing"}, {"path": 5}):
            yield "post", f"/artifacts/{kind}", f"/artifacts/{kind}", {**one, **fields, **more}
    for body in ({}, [], b"{", b"", b"x" * (3 << 20)):
        yield "post", "/execute", "/execute", body
        yield "post", "/release", "/release", body
    yield "post", "/release", "/release", one


def test_every_answer_is_as_described(agent):
    lease = Lease(agent, "root")
    tried = set()
    for method, pattern, path, body in requests(lease):
        for token in ("root", "eye", None):
            if token == "eye" and method != "get" or token is None and pattern == "/v1/events":
                continue
            reply = agent.as_(token).request(method.upper(), path, body)
            check(reply, method, pattern)
            tried.add((method, pattern))
    check(lease.release(), "delete", "/v1/leases/{lease}")
    check(agent.as_("root").request("DELETE", "/v1/leases/nobody"), "delete", "/v1/leases/{lease}")
    check(agent.as_("root").get(lease.path), "get", "/v1/leases/{lease}")
    assert tried | {("delete", "/v1/leases/{lease}")} == set(operations())


@pytest.mark.parametrize("method", ["PUT", "POST", "PATCH", "DELETE", "OPTIONS", "TRACE", "BREW"])
def test_methods_that_are_not_described_are_405(agent, method):
    for path, item in document()["paths"].items():
        if method.lower() in item:
            continue
        place = re.sub(r"\{\w+\}", "x", path)
        reply = agent.as_("root").request(method, place, b"")
        assert reply.status == 405, (method, place, reply.status)
        assert set(reply.headers["allow"].lower().split(", ")) == {each for each in item if each in METHODS}


def test_a_flag_with_another_value_is_400(agent):
    flags = [(method, path, each["name"]) for (method, path), operation in operations().items()
             for each in operation.get("parameters", []) if each["schema"].get("enum") == ["0", "1"]]
    assert len(flags) >= 9
    for method, path, name in flags:
        reply = agent.as_("root").request(method.upper(), re.sub(r"\{\w+\}", "x", path) + f"?{name}=true", b"")
        assert reply.status == 400 and name in reply.json()["error"]["message"], (method, path, name, reply.status)


def test_no_secret_is_in_any_answer(agent):
    lease = Lease(agent, "root")
    for method, _, path, body in requests(lease):
        reply = agent.as_("root").request(method.upper(), path, body)
        assert not any(secret.encode() in reply.body for secret in SECRETS.values()), urllib.parse.quote(path)
    lease.release()
    assert not any(secret in agent.log() for secret in SECRETS.values())

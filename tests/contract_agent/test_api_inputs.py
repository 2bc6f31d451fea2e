# SPDX-License-Identifier: Apache-2.0
"""Inputs of jobs: tars that come to the agent once, under their digests, and are in every slot that is leased."""
import hashlib
import io
import socket
import tarfile

import pytest

from agent_harness import SIGHT, Lease, bearer, refused, wait_until

MOST = 1 << 30  # of one tar
HEAD = "isolation: best-effort\n"


def tar_of(**files):
    """A tar of files by name; "__" stands for a slash."""
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w") as tar:
        for name, content in files.items():
            entry = tarfile.TarInfo(name.replace("__", "/"))
            entry.size = len(content)
            tar.addfile(entry, io.BytesIO(content))
    return packed.getvalue()


def name_of(tar):
    return "sha256:" + hashlib.sha256(tar).hexdigest()


def send(agent, tar, name=None, token="root"):
    return agent.as_(token).request("PUT", f"/v1/inputs/{name or name_of(tar)}", tar)


def there(agent, name, token="root"):
    return agent.as_(token).get(f"/v1/inputs/{name}")


def job(name, *inputs, more=""):
    text = f"job: {name}\nslots: 2\n{HEAD}{more}inputs:\n"
    return text + "".join(f'  - {{from: "{source}", to: "{to}"}}\n' for source, to in inputs)


def put(agent, name, text, query=""):
    return agent.as_("root").request("PUT", f"/v1/jobs/{name}{query}", text.encode())


def made(agent, name, *inputs, more=""):
    reply = put(agent, name, job(name, *inputs, more=more))
    assert reply.status in (200, 201), (reply.status, reply.body)
    return reply.json()


def remove(agent, name):
    agent.as_("root").request("DELETE", f"/v1/jobs/{name}?force=1")
    wait_until(lambda: agent.as_("root").get(f"/v1/jobs/{name}").status == 404, SIGHT, f"job {name} is gone")


def kept(agent):
    """The files of the store."""
    folder = agent.folder / "state/inputs"
    return sorted(path.name for path in folder.iterdir()) if folder.is_dir() else []


@pytest.fixture
def tar(agent, request):
    """A tar of the test's own that the agent has."""
    one = tar_of(a=request.node.name.encode(), sub__b=b"below\n")
    assert send(agent, one).status == 201
    return one


def test_every_slot_that_is_leased_has_them(agent, tar):
    other = tar_of(note=b"for the workspace itself\n")
    assert send(agent, other).status == 201
    made(agent, "two", (name_of(tar), "/workspace/project"), (name_of(other), "/workspace"))
    leases = [Lease(agent, job="two"), Lease(agent, "bob", job="two")]
    assert leases[0].facts["slot"] != leases[1].facts["slot"]
    for lease in leases:
        assert lease.facts["calls"] == 0
        assert lease.output("ls; cat project/sub/b note") == "note\nproject\nbelow\nfor the workspace itself"
    remove(agent, "two")


def test_a_tar_comes_once(agent, tar):
    again = send(agent, tar)
    assert (again.status, again.json()) == (200, {"input": name_of(tar), "bytes": len(tar)})
    found = there(agent, name_of(tar))
    assert (found.status, found.json()) == (200, {"input": name_of(tar), "bytes": len(tar)})
    assert kept(agent).count(name_of(tar).removeprefix("sha256:")) == 1
    with socket.create_connection(("127.0.0.1", agent.port), timeout=SIGHT) as peer:
        peer.sendall(f"PUT /v1/inputs/{name_of(tar)} HTTP/1.1\r\nHost: x\r\nAuthorization: {bearer('root')['Authorization']}\r\n"
                     f"Content-Length: {len(tar)}\r\n\r\n".encode())
        assert peer.recv(100).startswith(b"HTTP/1.1 200 ")  # not a byte of it was sent


def test_what_it_holds_is_told_to_nobody(agent, tar):
    reply = agent.as_("root").request("HEAD", f"/v1/inputs/{name_of(tar)}")
    assert (reply.status, reply.body) == (200, b"")
    assert tar[:200] not in there(agent, name_of(tar)).body


def test_a_body_with_another_digest_is_400_and_kept_nowhere(agent):
    before = kept(agent)
    tar, other = tar_of(a=b"sent"), tar_of(a=b"announced")
    error = refused(send(agent, tar, name_of(other)), 400, "wrong_digest")
    assert name_of(tar) in error["message"]
    refused(there(agent, name_of(other)), 404, "unknown_input")
    wait_until(lambda: kept(agent) == before, SIGHT, "no part of it is left")


def test_a_body_in_chunks_is_taken(agent):
    tar = tar_of(chunks=b"x" * 300_000)
    connection = agent.as_("root").connection()
    pieces = iter([tar[:7], tar[7:100_000], tar[100_000:]])
    connection.request("PUT", f"/v1/inputs/{name_of(tar)}", pieces, bearer("root"), encode_chunked=True)
    assert connection.getresponse().status == 201
    connection.close()
    assert there(agent, name_of(tar)).json()["bytes"] == len(tar)


def test_a_body_over_1_gib_is_413_before_it_is_sent(agent):
    name = "sha256:" + "1" * 64
    with socket.create_connection(("127.0.0.1", agent.port), timeout=SIGHT) as peer:
        peer.sendall(f"PUT /v1/inputs/{name} HTTP/1.1\r\nHost: x\r\nAuthorization: {bearer('root')['Authorization']}\r\n"
                     f"Content-Length: {MOST + 1}\r\n\r\n".encode())
        assert peer.recv(100).startswith(b"HTTP/1.1 413 ")


def test_an_upload_that_is_cut_leaves_nothing(agent):
    before = kept(agent)
    tar = tar_of(half=b"x" * 900_000)
    with socket.create_connection(("127.0.0.1", agent.port), timeout=SIGHT) as peer:
        peer.sendall(f"PUT /v1/inputs/{name_of(tar)} HTTP/1.1\r\nHost: x\r\nAuthorization: {bearer('root')['Authorization']}\r\n"
                     f"Content-Length: {len(tar)}\r\n\r\n".encode() + tar[:500_000])
        wait_until(lambda: len(kept(agent)) == len(before) + 1, SIGHT, "it has begun")
    wait_until(lambda: kept(agent) == before, SIGHT, "no part of it is left")
    refused(there(agent, name_of(tar)), 404, "unknown_input")


@pytest.mark.parametrize("token, status", [("alice", 403), ("few", 403), ("eye", 403), (None, 401)])
def test_only_who_applies_jobs_sends_and_finds_them(agent, token, status):
    before = kept(agent)
    tar = tar_of(a=b"of somebody else")
    refused(send(agent, tar, token=token), status, "unauthorized")
    refused(there(agent, name_of(tar), token), status, "unauthorized")
    assert kept(agent) == before


@pytest.mark.parametrize("name", ["0" * 64, "sha256:" + "0" * 63, "sha256:" + "A" * 64, "sha256:..%2f..%2f" + "0" * 58, "md5:" + "0" * 32])
def test_what_is_no_digest_is_400(agent, name):
    refused(send(agent, b"x", name), 400, "bad_request")
    refused(there(agent, name), 400, "bad_request")


def test_a_digest_that_is_not_there_is_409_with_what_to_do(agent):
    missing = name_of(b"never sent")
    text = job("missing", (missing, "/workspace/a"))
    assert put(agent, "missing", text, "?plan=1").json()["action"] == "create"
    error = refused(put(agent, "missing", text), 409, "input_missing")
    assert missing in error["message"] and f"PUT it to /v1/inputs/{missing}" == error["hint"]
    refused(agent.as_("root").get("/v1/jobs/missing"), 404, "unknown_job")


def test_paths_stay_refused_and_read_nothing(agent, tar):
    for source in ("/etc/passwd", "sha256", "sha256:" + "A" * 64, "./project"):
        error = refused(put(agent, "paths", job("paths", (name_of(tar), "/workspace/a"), (source, "/workspace/b"))), 400, "inputs_refused")
        assert "berth apply" in error["hint"]
    assert b"root:" not in put(agent, "paths", job("paths", ("/etc/passwd", "/workspace/b")), "?plan=1").body


@pytest.mark.parametrize("to", ["/etc", "/workspace/../etc", "/workspace/{{index}}", "/workspace/{{item.a}}", "/workspace/{{vars.none}}"])
def test_a_place_that_is_no_slots_own_is_refused(agent, tar, to):
    refused(put(agent, "places", job("places", (name_of(tar), to))), 400, "bad_job")


def test_a_plan_shows_them_and_who_holds_a_slot_keeps_it(agent, tar):
    made(agent, "changes", (name_of(tar), "/workspace/old"))
    held = Lease(agent, job="changes")
    newer = tar_of(a=b"newer")
    send(agent, newer)
    text = job("changes", (name_of(newer), "/workspace/new"))
    plan = put(agent, "changes", text, "?plan=1").json()
    assert {change["key"] for change in plan["changes"]} == {"inputs.0.from", "inputs.0.to"}
    assert plan["action"] == "update" and plan["replaces_containers"] is False
    assert put(agent, "changes", text).status == 200 and put(agent, "changes", text).json()["action"] == "none"
    assert agent.as_("eye").get("/v1/jobs/changes").json()["spec"]["inputs"] == [{"from": name_of(newer), "to": "/workspace/new"}]
    assert held.output("ls") == "old"
    other = Lease(agent, job="changes")
    assert other.output("ls; cat new/a") == "new\nnewer" and other.facts["container"] == held.facts["container"]
    remove(agent, "changes")


def test_after_a_reset_they_are_there_afresh(agent, tar):
    made(agent, "afresh", (name_of(tar), "/workspace/p"), more="containers: {max: 1}\n")
    for _ in range(3):  # more leases than slots
        lease = Lease(agent, job="afresh")
        assert lease.output("ls; cat p/sub/b") == "p\nbelow"
        lease.output("echo spoilt > p/sub/b; rm p/a; touch more")
        lease.release()
    remove(agent, "afresh")


def test_the_trajectorys_live_lease_keeps_what_it_made_of_them(agent, tar):
    made(agent, "again", (name_of(tar), "/workspace/p"))
    lease = Lease(agent, job="again", trajectory="t")
    lease.output("echo mine > p/sub/b; rm p/a")
    again = Lease(agent, job="again", trajectory="t")
    assert again.id == lease.id and again.output("ls p; cat p/sub/b") == "sub\nmine"
    remove(agent, "again")


def test_what_does_not_fit_is_told_and_the_slot_comes_back_clean(agent):
    large = tar_of(zeros=bytes(24 << 20))
    assert send(agent, large).status == 201
    made(agent, "small", (name_of(large), "/workspace/p"), more="slot: {disk: 8MiB}\n")
    for _ in range(3):  # more tries than slots: none is lost
        error = refused(agent.as_("alice").post("/v1/leases", {"job": "small", "wait": "30s"}), 503, "inputs_failed")
        assert "slot.disk" in error["hint"]
    assert agent.as_("alice").get("/v1/leases?job=small").json()["leases"] == []
    wait_until(lambda: {slot["state"] for slot in agent.as_("eye").get("/v1/slots?job=small").json()["slots"]} == {"available"},
               SIGHT, "the slots are clean")
    reply = put(agent, "small", f"job: small\nslots: 2\n{HEAD}slot: {{disk: 8MiB}}\n")
    assert (reply.status, reply.json()["replaces_containers"]) == (200, False)
    assert Lease(agent, job="small").output("ls -A") == ""
    remove(agent, "small")


def test_what_is_no_tar_is_told(agent):
    garbage = b"this is no tar " * 100
    assert send(agent, garbage).status == 201
    made(agent, "garbage", (name_of(garbage), "/workspace/p"))
    error = refused(agent.as_("alice").post("/v1/leases", {"job": "garbage", "wait": "30s"}), 503, "inputs_failed")
    assert "tar" in error["message"]
    remove(agent, "garbage")


def test_a_tar_leads_nowhere_out_of_the_slot(agent):
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w") as tar:
        tar.addfile(tarfile.TarInfo("../../up"))
    evil = packed.getvalue()
    assert send(agent, evil).status == 201
    made(agent, "evil", (name_of(evil), "/workspace/p"))
    refused(agent.as_("alice").post("/v1/leases", {"job": "evil", "wait": "30s"}), 503, "inputs_failed")
    remove(agent, "evil")


def test_the_first_call_of_a_trajectory_finds_them(start):
    agent = start(config="default_job: filled\n")
    tar = tar_of(a=b"given")
    send(agent, tar)
    made(agent, "filled", (name_of(tar), "/workspace/p"))
    body = {"trajectory_id": "t", "tool": {"name": "terminal", "arguments": {"command": "cat p/a"}, "uniq_id": "u"}, "timeout_s": 60}
    answer = agent.as_("alice").post("/execute", body).json()
    assert (answer["success"], answer["output"]) == (True, "given"), answer


def test_an_agent_begins_with_none_and_leaves_none(start):
    """What lies there of an earlier life, whole or not, is nobody's."""

    def prepare(folder):
        (folder / "state/inputs").mkdir(parents=True)
        (folder / "state").chmod(0o700)
        (folder / "state/inputs" / hashlib.sha256(b"old").hexdigest()).write_bytes(b"old")
        (folder / "state/inputs/part-0").write_bytes(b"half")
        return ""

    agent = start(prepare=prepare)
    assert kept(agent) == []
    refused(there(agent, name_of(b"old")), 404, "unknown_input")
    assert send(agent, b"new").status == 201 and kept(agent) == [hashlib.sha256(b"new").hexdigest()]
    agent.process.terminate()
    agent.process.wait(SIGHT)
    assert not (agent.folder / "state/inputs").exists()

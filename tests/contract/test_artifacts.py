# SPDX-License-Identifier: Apache-2.0
"""/artifacts/read, /list and /archive: points 33 to 39 of the conformance checklist, and W20, W44 to W47."""
import base64
import gzip
import hashlib
import io
import tarfile
import threading
import time

import pytest

from harness import Slot, allowed, wait_until
from wire import JSON_TYPE

OUTSIDE = "Access denied: path outside workspace"
READ_KEYS = {"success", "content", "encoding", "truncated", "bytes", "file_size", "path", "mime", "sha256"}
ROUTES = ["read", "list", "archive"]
QUICK = 5 * 1.0  # a refusal that needs no work, with a loaded machine in mind


def ask(slot, route, **fields):
    reply = slot.wire.post(f"/artifacts/{route}", {"slot_id": slot.name, **fields})
    assert reply.headers["content-type"] == JSON_TYPE
    return reply.status, reply.json()


def good(slot, route, **fields):
    status, answer = ask(slot, route, **fields)
    assert status == 200 and answer["success"] is True, answer
    return answer


def unpacked(answer):
    packed = base64.b64decode(answer["content"], validate=True)
    assert (answer["encoding"], answer["format"], answer["bytes"]) == ("base64", "tar.gz", len(packed))
    assert packed[:2] == b"\x1f\x8b"
    return tarfile.open(fileobj=io.BytesIO(gzip.decompress(packed)))


# 33

@pytest.mark.parametrize("route", ROUTES)
def test_p33_an_unknown_slot_is_404(server, route):
    for name in ["slot_99", "", "slot_0/", ["slot_0"], 7, None]:
        status, answer = ask(Slot(server, name), route, path="/etc/passwd")
        assert status == 404 and answer["error"].startswith("Unknown slot: ") and answer["success"] is False


@pytest.mark.parametrize("route", ROUTES)
@pytest.mark.parametrize("path", ["..", "../x", "/etc/passwd", "/etc/missing", "out", "dir/passwd", "dir/missing", "root/etc/passwd", 7, None, ["x"], "x\0"], ids=repr)
def test_p33_outside_is_403(slot, route, path):
    slot.output("ln -s /etc/passwd out; ln -s /etc dir; ln -s / root; echo x > x")
    status, answer = ask(slot, route, path=path)
    assert (status, answer["error"], answer["success"]) == (403, OUTSIDE, False)


@pytest.mark.parametrize("route", ROUTES)
@pytest.mark.parametrize("path", ["missing", "a/missing", "file/x", "/workspace/missing", "dangling"])
def test_p33_missing_is_404_and_names_the_path_as_given(slot, route, path):
    slot.output("mkdir a; touch file; ln -s nowhere dangling")
    assert ask(slot, route, path=path) == (404, {"success": False, "error": f"Not found: {path}", "code": "not_found"})


def test_p33_the_wrong_type_is_400(slot):
    slot.output("mkdir d; mkfifo fifo; python3 -c \"import socket; socket.socket(socket.AF_UNIX).bind('sock')\"")
    for path in ["d", "fifo", "sock", "", ".", "/workspace"]:
        status, answer = ask(slot, "read", path=path)
        assert (status, answer["error"]) == (400, f"Not a file: {path}")
    for route in ["list", "archive"]:
        for path in ["fifo", "sock"]:
            status, answer = ask(slot, route, path=path)
            assert (status, answer["error"]) == (400, f"Unsupported path type: {path}")


def test_p33_the_order_of_the_checks(slot):
    slot.output("touch x")
    assert ask(slot, "read", path="../x", encoding="nonsense")[0] == 403
    assert ask(slot, "read", path="missing", encoding="nonsense")[0] == 404
    assert ask(slot, "read", path=".", encoding="nonsense")[1]["error"] == "Not a file: ."
    assert ask(slot, "read", path="x", encoding="Nonsense ")[1]["error"] == "Unsupported encoding: nonsense"
    status, answer = ask(slot, "archive", path="../x", format="zip")
    assert (status, answer["error"]) == (400, "Unsupported archive format: zip")
    assert slot.wire.post("/artifacts/archive", {"slot_id": "slot_99", "format": "zip"}).status == 404


@pytest.mark.parametrize("encoding", [5, True, ["text"], {"a": 1}], ids=repr)
def test_an_encoding_that_is_no_text_is_400_in_json(slot, encoding):
    slot.output("touch x")
    status, answer = ask(slot, "read", path="x", encoding=encoding)
    assert status == 400 and answer["error"].startswith("Unsupported encoding: ")


@pytest.mark.parametrize("route", ROUTES)
@pytest.mark.parametrize("body", [[], "x", 7, b"null", True], ids=repr)
def test_a_body_that_is_no_object_is_400_in_json(server, route, body):
    reply = server.wire.post(f"/artifacts/{route}", body)
    assert reply.status == 400 and reply.json() == {"success": False, "error": "Expected an object"}


# 34

def test_p34_the_nine_keys(slot):
    slot.output("mkdir a; printf 'hello' > a/x.txt")
    assert good(slot, "read", path="a/x.txt") == {
        "success": True, "content": "hello", "encoding": "text", "truncated": False, "bytes": 5, "file_size": 5, "path": "a/x.txt", "mime": "text/plain", "sha256": None}
    answer = good(slot, "read", path="/workspace/a//x.txt", encoding=" BASE64 ", include_sha256=True, max_bytes=2)
    assert READ_KEYS <= set(answer)
    assert (answer["content"], answer["encoding"], answer["truncated"], answer["bytes"], answer["file_size"]) == ("aGU=", "base64", True, 2, 5)
    # W44: what the digest covers is said.
    assert (answer["sha256"], answer["sha256_of"]) == (hashlib.sha256(b"he").hexdigest(), "content")
    answer = good(slot, "read", path="a/x.txt", include_sha256=1)
    assert (answer["sha256"], answer["sha256_of"]) == (hashlib.sha256(b"hello").hexdigest(), "file")


def test_p34_any_bytes_in_both_encodings(slot):
    data = bytes(range(256)) * 2000
    slot.put("all", data)
    assert base64.b64decode(good(slot, "read", path="all", encoding="base64")["content"]) == data
    assert good(slot, "read", path="all")["content"] == data.decode(errors="replace")
    text = "\u20ac\U0001f600a\r\n\"\\\x00\x1f" * 40_000
    slot.put("text", text.encode())
    assert good(slot, "read", path="text")["content"] == text


def test_p34_a_cut_text_ends_with_a_whole_character(slot):
    slot.put("x", "a\u20acb".encode())
    for most, content in [(1, "a"), (2, "a"), (3, "a"), (4, "a\u20ac"), (5, "a\u20acb")]:
        answer = good(slot, "read", path="x", max_bytes=most)
        assert (answer["content"], answer["bytes"], answer["truncated"]) == (content, len(content.encode()), most < 5)
    assert good(slot, "read", path="x", max_bytes=2, encoding="base64")["bytes"] == 2


def test_p34_no_more_than_five_million_bytes(slot):
    slot.output("truncate -s 5000000 fits; truncate -s 5000001 more")
    for path, truncated in [("fits", False), ("more", True)]:
        answer = good(slot, "read", path=path, encoding="base64", max_bytes=1 << 60)
        assert (answer["bytes"], answer["truncated"]) == (5_000_000, truncated)


def test_p34_links_inside_are_followed_and_the_path_is_the_real_one(slot):
    slot.output("mkdir -p a/b; echo x > a/b/f.json; ln -s a/b l; ln -s /workspace/l/f.json abs.png")
    for path in ["l/f.json", "abs.png", "a/../l/f.json", f"{slot_dir(slot)}/abs.png"]:
        answer = good(slot, "read", path=path)
        assert (answer["path"], answer["mime"], answer["content"]) == ("a/b/f.json", "application/json", "x\n")


def slot_dir(slot):
    return next(one["workspace_dir"] for one in slot.wire.get("/slots").json()["slots"] if one["slot_id"] == slot.name)


def test_p34_media_types(slot):
    types = {"a.PNG": "image/png", "a.jpg": "image/jpeg", "a.jpeg": "image/jpeg", "a.webp": "image/webp", "a.gif": "image/gif", "a.log": "text/plain", "a.xml": "application/xml",
             "a.html": "text/html", "a.md": "text/markdown", "a.tgz": "application/gzip", "a.tar.gz": "application/octet-stream", "a": "application/octet-stream", ".txt": "application/octet-stream"}
    slot.output("touch " + " ".join(types))
    assert {name: good(slot, "read", path=name)["mime"] for name in types} == types


# 35, 36

def test_p35_a_directory_is_sorted_with_facts(slot):
    slot.output("mkdir -p d/sub; printf 12345 > d/b; touch -d @1700000000.25 d/b; touch d/a; echo > top")
    answer = good(slot, "list", path="d")
    assert [entry["path"] for entry in answer["entries"]] == ["d/a", "d/b", "d/sub"] and answer["truncated"] is False
    assert answer["entries"][1] == {"path": "d/b", "is_dir": False, "size": 5, "mtime": 1700000000.25, "type": "file"}
    assert answer["entries"][2]["is_dir"] is True and all(isinstance(entry["mtime"], float) for entry in answer["entries"])
    assert [entry["path"] for entry in good(slot, "list")["entries"]] == ["d", "top"]
    assert [entry["path"] for entry in good(slot, "list", path="d/b")["entries"]] == ["d/b"]


def test_p35_recursive_lists_directories_first(slot):
    slot.output("mkdir -p a/x b; touch a/f a/x/g b/h z; ln -s a l")
    assert [entry["path"] for entry in good(slot, "list", recursive=True)["entries"]] == ["a", "b", "l", "z", "a/x", "a/f", "a/x/g", "b/h"]
    assert [entry["path"] for entry in good(slot, "list", path="a", recursive=True)["entries"]] == ["a/x", "a/f", "a/x/g"]


def test_p35_links_keep_their_names_and_outside_ones_are_left_out(slot):
    """W45: a link is told by its own name, once, with its text; a dangling one is not hidden."""
    slot.output("printf 123 > f; ln -s f rel; ln -s /workspace/f abs; ln -s nowhere dangling; ln -s /etc/passwd out; ln -s /etc dir; ln -s loop loop; mkfifo pipe")
    entries = {entry["path"]: entry for entry in good(slot, "list")["entries"]}
    assert set(entries) == {"f", "rel", "abs", "dangling", "pipe"}
    assert (entries["rel"]["type"], entries["rel"]["link"], entries["rel"]["size"]) == ("link", "f", 3)
    assert (entries["abs"]["link"], entries["dangling"]["link"], entries["pipe"]["type"]) == ("/workspace/f", "nowhere", "fifo")


def test_p35_a_name_that_is_no_utf8_has_lone_surrogates(slot):
    slot.output("touch \"$(printf 'bad\\377')\" \"$(printf 'eu\\342\\202\\254')\" \"$(printf 'half\\342\\202')\"")
    assert [entry["path"] for entry in good(slot, "list")["entries"]] == ["bad\udcff", "eu\u20ac", "half\udce2\udc82"]


def test_p36_truncated_is_exact(slot):
    slot.output("mkdir d; for i in 1 2 3 4 5; do touch d/$i; done")
    for recursive in [False, True]:
        for most, truncated in [(4, True), (5, False), (6, False)]:
            answer = good(slot, "list", path="d", max_entries=most, recursive=recursive)
            assert (len(answer["entries"]), answer["truncated"]) == (min(most, 5), truncated)


def test_a_huge_directory_is_listed_in_order_within_bounds(slot):
    slot.python("for i in range(30_000): open(f'{i:06d}-{\"x\" * 60}', 'w').close()\nprint(1)")
    before = slot.server.rss_bytes()
    answer = good(slot, "list")
    assert [entry["path"][:6] for entry in answer["entries"]] == [f"{i:06d}" for i in range(5000)] and answer["truncated"] is True
    assert slot.server.rss_bytes() - before < allowed(20 << 20)
    reply = slot.wire.get(f"/slots/{slot.name}/files/?tar=1")
    assert [member.name[:6] for member in tarfile.open(fileobj=io.BytesIO(reply.body))] == [f"{i:06d}" for i in range(30_000)]


# 37, 38, 39

def test_p37_an_archive_holds_the_files_by_their_names_in_the_workspace(slot):
    slot.output("mkdir -p a/b; printf one > a/one; printf two > a/b/two; printf top > top; chmod 750 a/one")
    answer = good(slot, "archive")
    with unpacked(answer) as tar:
        assert tar.getnames() == ["a/b/two", "a/one", "top"] and answer["entry_count"] == 3 and answer["truncated"] is False
        assert tar.extractfile("a/b/two").read() == b"two" and tar.getmember("a/one").mode == 0o750
    with unpacked(good(slot, "archive", path="a", format=" TGZ ")) as tar:
        assert tar.getnames() == ["a/b/two", "a/one"]
    with unpacked(good(slot, "archive", path="a/one", format=None)) as tar:
        assert tar.getnames() == ["a/one"]


def test_p37_an_empty_directory_is_a_valid_archive(slot):
    slot.output("mkdir e")
    answer = good(slot, "archive", path="e")
    assert answer["entry_count"] == 0
    with unpacked(answer) as tar:
        assert tar.getnames() == []


def test_p37_links_stay_links_and_empty_directories_stay(slot):
    """W46: no copies of what links lead to, nothing lost; what leads outside is left out."""
    slot.output("mkdir -p d/e; echo x > f; ln -s ../f d/rel; ln -s /workspace/f d/abs; ln -s ../../workspace/f d/up; ln -s /etc/passwd out; ln -s d dl; mkfifo pipe")
    answer = good(slot, "archive")
    with unpacked(answer) as tar:
        links = {member.name: member.linkname for member in tar if member.issym()}
        assert links == {"d/rel": "../f", "d/abs": "../f", "d/up": "../f", "dl": "d"}
        assert set(tar.getnames()) == {"d/e", "f", *links} and answer["entry_count"] == 5


def test_p37_beyond_max_entries_the_answer_says_so(slot):
    slot.output("touch a b c")
    for most, truncated in [(2, True), (3, False)]:
        answer = good(slot, "archive", max_entries=most)
        assert (answer["entry_count"], answer["truncated"]) == (most, truncated)


def test_p33_an_archive_that_is_too_large_is_413_with_its_size(slot):
    slot.output("head -c 3000 /dev/urandom > x")
    size = good(slot, "archive")["bytes"]
    assert ask(slot, "archive", max_bytes=10) == (413, {"success": False, "error": f"Archive too large: {size} bytes (max 10)", "bytes": size, "code": "too_large"})
    assert good(slot, "archive", max_bytes=size)["bytes"] == size
    slot.output("head -c 6000000 /dev/urandom > x")
    status, answer = ask(slot, "archive")
    assert status == 413 and 5_000_000 < answer["bytes"] < 6_100_000


def test_p38_a_sparse_giant_is_refused_at_once_and_leaves_nothing(slot):
    slot.output("truncate -s 50G x")
    before = set(slot.server.data_dir.iterdir())
    begin = time.monotonic()
    status, answer = ask(slot, "archive")
    assert time.monotonic() - begin < QUICK and status == 413 and answer["bytes"] > 5_000_000
    assert set(slot.server.data_dir.iterdir()) == before


def test_p38_a_refused_gigabyte_costs_little_memory(slot):
    slot.output("truncate -s 1000000000 x")  # zeros: nearly a megabyte once packed, and known only at the end
    status, answer = ask(slot, "archive", max_bytes=970_000)
    assert status == 413 and answer["bytes"] > 970_000
    assert slot.server.rss_bytes() < allowed(32_000_000)


@pytest.mark.parametrize("value", [0, -4, "abc", None, [], 1e300, -1e300, True, "3", 2.9], ids=repr)
def test_p39_odd_limits_are_clamped_or_defaulted(slot, value):
    slot.output("printf 12345 > x; touch y")
    clamped = {0: 1, -4: 1, -1e300: 1, True: 1, "3": 3, 2.9: 2}.get(value if isinstance(value, (int, float, str)) else None, 5)
    assert good(slot, "read", path="x", max_bytes=value)["bytes"] == clamped
    assert len(good(slot, "list", max_entries=value)["entries"]) == min(clamped, 2)
    assert good(slot, "archive", max_entries=value)["entry_count"] == min(clamped, 2)
    assert ask(slot, "archive", max_bytes=value)[0] == (413 if clamped <= 3 else 200)


# 2.9: the slot's queue, and W20: nobody else waits

def test_they_take_their_turn_after_the_calls_before_them(slot):
    slot.output("mkfifo go")
    calls, answers = [], []
    call = threading.Thread(target=lambda: calls.append(slot.bash("cat go; echo done > x")["success"]))
    call.start()
    wait_until(lambda: state(slot) == "executing", 20, "the call runs")
    reads = [threading.Thread(target=lambda r=route: answers.append(ask(slot, r, path="x")[0])) for route in ROUTES]
    for thread in reads:
        thread.start()
    wait_until(lambda: queued(slot) == len(ROUTES), 20, "they wait")
    other = Slot(slot.server, next(f"slot_{i}" for i in range(6) if f"slot_{i}" != slot.name))
    assert ask(other, "list")[0] == 200  # another slot's is not held up
    assert calls == answers == []
    slot_release(slot)
    for thread in [call, *reads]:
        thread.join()
    assert calls == [True] and answers == [200, 200, 200], "before the call's end there was no x"


def facts(slot):
    return next(one for one in slot.wire.get("/slots").json()["slots"] if one["slot_id"] == slot.name)


def state(slot):
    return facts(slot)["state"]


def queued(slot):
    return facts(slot)["queued"]


def slot_release(slot):
    """Writes to the FIFO from beside the queue."""
    slot.run("exec", {"argv": ["/bin/sh", "-c", "echo > go"], "background": True})


def test_a_reset_ends_those_that_wait(slot):
    slot.output("mkfifo go")
    call = threading.Thread(target=slot.bash, args=("cat go",))
    call.start()
    wait_until(lambda: state(slot) == "executing", 20, "the call runs")
    answers = []
    waiting = threading.Thread(target=lambda: answers.append(ask(slot, "list")))
    waiting.start()
    wait_until(lambda: queued(slot) == 1, 20, "it waits")
    slot.reset()
    call.join()
    waiting.join()
    assert answers[0][0] == 409


def test_a_caller_that_leaves_frees_the_slot(slot):
    slot.output("truncate -s 900M x")
    connection = slot.wire.connection()
    connection.request("POST", "/artifacts/archive", f'{{"slot_id": "{slot.name}"}}'.encode())
    connection.close()
    begin = time.monotonic()
    assert slot.output("echo x") == "x"
    assert time.monotonic() - begin < QUICK


def test_the_generation_counts(slot):
    for route in ROUTES:
        assert ask(slot, route, path=".", generation="x")[0] == 400
        status, answer = ask(slot, route, path=".", generation=0)
        assert (status, answer["code"]) == (409, "stale_generation")
    reply = slot.wire.post("/artifacts/list", {"slot_id": slot.name}, headers={"Berth-Boot": "another"})
    assert (reply.status, reply.json()["code"]) == (409, "wrong_boot")

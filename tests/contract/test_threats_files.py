# SPDX-License-Identifier: Apache-2.0
"""Rows 4 and 22 to 24 of facts/threats.md through HTTP: paths, links, races and strange files (P45)."""
import base64
import gzip
import hashlib
import io
import tarfile
import time

import pytest

from harness import Slot, allowed, is_sanitized

ANSWER_LIMIT = 0.05 * 5 * 2  # row 24: 50 ms; twice more for two requests on a loaded machine

PATHS = ["..", "../..", "/", "//etc/passwd", "/etc/passwd", "a/../../etc/passwd", "./../etc/passwd", "..//etc/passwd", "/workspace/../etc/passwd",
         "/proc/self/root/etc/passwd", "\uff0e\uff0e/etc/passwd", "%2e%2e/etc/passwd", "..%2fetc%2fpasswd", "..\\etc\\passwd", "~/x", "$HOME/../etc/passwd",
         "a/b/../../../etc/passwd", "/workspace/../../etc/passwd", "x" * 5000, "a/" * 2500 + "x", "\x00", "x\x00y", "/etc/passwd\x00.txt", "..\u2215etc", "file:///etc/passwd"]


@pytest.mark.parametrize("path", PATHS, ids=lambda path: repr(path[:24]))
def test_row22_no_spelling_of_a_path_leads_outside(slot, path):
    before = slot.output("cat /etc/passwd | md5sum; ls / /etc /tmp | md5sum")
    read, written = slot.read(path), slot.write(path, "evil")
    assert read["success"] is False and "root:" not in read["output"]
    assert slot.output("cat /etc/passwd | md5sum; ls / /etc /tmp | md5sum") == before
    if written["success"]:
        assert slot.read(path)["output"] == "evil" and slot.output("find . -type f | wc -l") == "1"


@pytest.mark.parametrize("path", PATHS, ids=lambda path: repr(path[:24]))
def test_row22_nor_does_one_that_is_read_listed_or_archived(slot, path):
    for route in ["read", "list", "archive"]:
        status, answer = ask(slot, route, path=path)
        # A spelling that means something only elsewhere is a name that is not there.
        assert status in (400, 403, 404) and set(answer) <= {"success", "error", "code"} and answer["success"] is False


def ask(slot, route, **fields):
    reply = slot.wire.post(f"/artifacts/{route}", {"slot_id": slot.name, **fields})
    return reply.status, reply.json()


def test_row22_a_slash_at_the_end_changes_nothing(slot):
    slot.output("mkdir d; echo x > d/f")
    assert slot.write("d/f/", "y")["success"] and slot.read("d/f//")["output"] == "y"
    assert ask(slot, "read", path="d/f/")[1]["content"] == "y" and ask(slot, "list", path="d//")[1]["entries"][0]["path"] == "d/f"


ALLOWED = {"d", "l", "d/passwd", "l/passwd", "d/planted", "l/planted", "race"}


def members_of(answer):
    if not answer["success"]:
        return []
    with tarfile.open(fileobj=io.BytesIO(base64.b64decode(answer["content"]))) as tar:
        return [name for name in tar.getnames() if not name.rpartition("/")[2].startswith(".berth-")]


def test_row23_a_raced_link_never_leads_outside(slot, probe):
    slot.put("race", probe("race"))
    slot.output("chmod 755 race; mkdir d; echo inside > d/passwd; ln -s /etc l; cp /etc/passwd /tmp/before")
    slot.run("exec", {"argv": ["./race", "d", "l"], "background": True})
    seen = set()
    end = time.monotonic() + 10  # the million is Race.* of fault_test
    rounds = 0
    while time.monotonic() < end:
        elements = [{"slot_id": slot.name, "tool": "read_file", "args": {"path": "d/passwd"}}] * 100
        elements += [{"slot_id": slot.name, "tool": "write_file", "args": {"path": "d/planted", "content": "evil"}}] * 100
        for route, path in [("read", "d/passwd"), ("list", "d"), ("archive", "d"), ("list", "."), ("archive", ".")]:
            status, answer = ask(slot, route, path=path, recursive=True)
            assert status in (200, 403, 404), (route, answer)
            assert route != "read" or answer.get("content") in (None, "inside\n")
            assert route != "list" or not any(entry["path"].endswith("/shadow") for entry in answer.get("entries", []))
            assert route != "archive" or all(name in ALLOWED for name in members_of(answer)), members_of(answer)
        for result in slot.wire.batch(elements).json():
            seen.add(result["output"] if result["success"] else result["error"].split(":")[0])
        rounds += 1
    assert not any("root:" in text for text in seen), seen
    assert "inside\n" in seen and "Access denied" in seen, (rounds, seen)
    assert slot.output("ls /etc/planted 2>/dev/null | wc -l; cmp /etc/passwd /tmp/before && echo same") == "0\nsame"


def test_row23_magic_links_are_not_followed(slot):
    slot.output("ln -s /proc/self/root root; ln -s /proc/1/root keeper; ln -s /proc/self/fd/0 fd; ln -s /proc/self/environ env; ln -s /dev/fd/3 three")
    for path in ["root/etc/passwd", "keeper/etc/passwd", "fd", "env", "three"]:
        result = slot.read(path)
        assert result["success"] is False and result["output"] == "", (path, result)


STRANGE = {"fifo": "mkfifo fifo", "socket": "python3 -c \"import socket; socket.socket(socket.AF_UNIX).bind('socket')\"", "directory": "mkdir directory",
           "sparse": "truncate -s 1T sparse", "loop": "ln -s loop loop", "locked": "echo x > locked; chmod 000 locked; mkdir -p in; chmod 000 in",
           "null": "ln -s /dev/null null", "zero": "ln -s /dev/zero zero", "proc": "ln -s /proc/self/status proc", "in/x": "mkdir in; echo x > in/x; chmod 000 in"}


@pytest.mark.parametrize("name", STRANGE)
def test_row24_strange_files_get_a_quick_typed_answer(slot, name):
    slot.bash(STRANGE[name])
    begin = time.monotonic()
    result = slot.read(name)
    reply = slot.wire.get(f"/slots/{slot.name}/files/{name}", headers={"Range": "bytes=0-9"})
    assert time.monotonic() - begin < ANSWER_LIMIT
    assert len(result["output"]) <= 100_000 and (result["success"] or result["error"])
    begin = time.monotonic()
    for route in ["read", "list", "archive"]:
        status, answer = ask(slot, route, path=name)
        assert status in (200, 400, 403, 404, 413) and (answer["success"] or answer["error"])
    assert time.monotonic() - begin < ANSWER_LIMIT * (40 if is_sanitized() else 2)
    assert reply.status < 500 and len(reply.body) < 1 << 20
    assert slot.output("echo alive") == "alive"


def test_row24_a_fifo_is_not_written_to(slot):
    slot.output("mkfifo fifo")
    begin = time.monotonic()
    slot.write("fifo", "x")
    assert time.monotonic() - begin < 5 and slot.output("echo alive") == "alive"


def test_row24_a_file_that_grows_and_shrinks_is_bounded(slot):
    slot.run("exec", {"argv": ["sh", "-c", "while :; do head -c 90000 /dev/zero > f; : > f; head -c 200000 /dev/zero >> f; done"], "background": True})
    for _ in range(50):
        result = slot.read("f")
        assert len(result["output"]) <= 100_000
        assert result["success"] or result["error"]
        status, answer = ask(slot, "read", path="f", encoding="base64", include_sha256=True, max_bytes=50_000)
        data = base64.b64decode(answer["content"]) if status == 200 else b""
        assert status in (200, 404) and len(data) <= 50_000
        if status == 200:  # the digest is that of the bytes that came, and says whether these were the file
            assert answer["sha256"] == hashlib.sha256(data).hexdigest()
            assert answer["sha256_of"] == ("content" if answer["file_size"] > len(data) else "file")
        status, answer = ask(slot, "archive")
        assert status == 200 and tar_is_whole(answer)


def tar_is_whole(answer):
    with tarfile.open(fileobj=io.BytesIO(base64.b64decode(answer["content"]))) as tar:
        return all(len(tar.extractfile(member).read()) == member.size for member in tar if member.isfile())


def test_row04_hostile_trees_are_gone_after_reset_and_targets_untouched(slot):
    slot.exec("/usr/bin/python3", "-c", """
import os, socket
os.symlink('/usr', 'evil'); os.symlink('a', 'b'); os.symlink('b', 'a'); os.mkfifo('pipe'); socket.socket(socket.AF_UNIX).bind('sock')
open(b'\\xff\\xfe', 'w'); open('new\\nline', 'w'); open('-rf', 'w')
for i in range(20000): os.close(os.open(f'f{i}', os.O_CREAT))
os.mkdir('locked'); open('locked/x', 'w'); os.chmod('locked', 0)
for _ in range(4000):
    os.mkdir('d'); os.chdir('d')
""", timeout=120)
    slot.reset()
    assert slot.output("ls -A /workspace /tmp | wc -l; test -e /usr/bin/env && echo there").split()[-1] == "there"
    assert slot.output("find /workspace /tmp | wc -l") == "2"


@pytest.mark.parametrize("name", [".atropos_stateful_init.sh", ".asciinema.cast", ".berth-0000", "stdout", "stdin", "sock", "slotd.log", "data"])
def test_row27_planted_names_never_make_the_server_write(slot, name):
    slot.output(f"ln -s /workspace/canary {name}; echo canary > canary; mkfifo /tmp/{name}")
    slot.output("echo x")
    slot.write("other", "y")
    slot.put("third", b"z")
    slot.wire.request("PUT", f"/slots/{slot.name}/files/in?tar=1", empty_tar())
    for route in ["read", "list", "archive"]:
        ask(slot, route, path="other")
    assert slot.output("cat canary") == "canary"
    assert slot.output("ls -A | sort | tr '\\n' ' '").split() == sorted([name, "canary", "in", "other", "third"])


def empty_tar():
    stream = io.BytesIO()
    tarfile.open(fileobj=stream, mode="w").close()
    return stream.getvalue()


def tar_of(*members):
    """A tar of (name, kind, link target, mode, data)."""
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w") as tar:
        for name, kind, target, mode, data in members:
            member = tarfile.TarInfo(name)
            member.type, member.linkname, member.mode = kind, target, mode
            member.size = len(data)
            tar.addfile(member, io.BytesIO(data))
    return stream.getvalue()


def file(name, data=b"evil", mode=0o644):
    return name, tarfile.REGTYPE, "", mode, data


def special(name, kind, target=""):
    return name, kind, target, 0o644, b""


def put_tar(slot, data, folder="in"):
    reply = slot.wire.request("PUT", f"/slots/{slot.name}/files/{folder}?tar=1", data)
    return reply.status, reply.json()


HOSTILE = {"absolute": [file("/etc/planted")], "dotdot": [file("../../etc/planted")], "deep dotdot": [file("a/../../planted")], "empty name": [file("")],
           "link then write": [special("l", tarfile.SYMTYPE, "/etc"), file("l/planted")], "link above": [special("l", tarfile.SYMTYPE, ".."), file("l/planted")],
           "hardlink out": [special("h", tarfile.LNKTYPE, "/etc/passwd")], "hardlink above": [special("h", tarfile.LNKTYPE, "../secret")],
           "hardlink through link": [special("l", tarfile.SYMTYPE, "/etc"), special("h", tarfile.LNKTYPE, "l/passwd")],
           "hardlink to link": [special("l", tarfile.SYMTYPE, "/etc/passwd"), special("h", tarfile.LNKTYPE, "l")],
           "device": [special("dev", tarfile.CHRTYPE)], "block device": [special("dev", tarfile.BLKTYPE)], "fifo": [special("pipe", tarfile.FIFOTYPE)]}


@pytest.mark.parametrize("kind", HOSTILE)
def test_row25_a_hostile_archive_is_refused_and_leaves_nothing(slot, kind):
    slot.output("echo secret > secret; mkdir in; echo old > in/old")
    before = slot.output("md5sum /etc/passwd; ls /etc /tmp / | md5sum")
    status, answer = put_tar(slot, tar_of(file("first/a/b"), *HOSTILE[kind]))
    assert status in (400, 403) and answer["success"] is False and answer["error"]
    assert slot.output("md5sum /etc/passwd; ls /etc /tmp / | md5sum") == before
    assert slot.output("find . | sort | tr '\\n' ' '") == ". ./in ./in/old ./secret"


def test_row25_set_id_bits_do_not_come_along(slot):
    assert put_tar(slot, tar_of(file("suid", mode=0o6755), ("dir", tarfile.DIRTYPE, "", 0o7777, b"")))[0] == 200
    assert slot.output("stat -c %a in/suid in/dir") == "755\n777"


def test_row25_of_duplicate_names_the_last_counts(slot):
    members = [file("x", b"one"), special("x", tarfile.SYMTYPE, "/etc/passwd"), file("x", b"two"), file("d/f", b"1"), file("d/f", b"2")]
    assert put_tar(slot, tar_of(*members))[0] == 200
    assert slot.output("cat in/x in/d/f; test -L in/x || echo file") == "two2file"


def test_row25_too_many_entries_are_refused_and_taken_back(start):
    slot = Slot(start(slots=1, config={"slot": {"disk_bytes": 1 << 30, "memory_bytes": 1 << 30}}), "slot_0")
    one = tar_of(special("x", tarfile.SYMTYPE, "y"))[:512]
    begin = time.monotonic()
    status, answer = put_tar(slot, one * 1_000_001)
    assert (status, answer["code"]) == (413, "too_many") and time.monotonic() - begin < 120
    assert slot.output("ls -A . in; echo") == ".:\nin\n\nin:"


def lying(size, content):
    header = bytearray(tar_of(file("big", b""))[:512])
    header[124:136] = b"%011o\0" % size
    header[148:156] = b" " * 8
    header[148:156] = b"%06o\0 " % sum(header)
    return bytes(header) + content


@pytest.mark.parametrize("data, code", [
    (lying(4 << 30, b"x" * 512), "too_large"), (lying(8 ** 11 - 1, b""), "too_large"), (lying(100_000, b"x" * 512), "bad_archive"),
    (gzip.compress(bytes(4 << 20)), "bad_archive"), (b"nonsense" * 200, "bad_archive"), (tar_of(file("a"))[:600], "bad_archive")],
    ids=["says 4 GiB", "says 8 GiB", "holds less than it says", "compressed", "no tar", "cut"])
def test_row25_what_lies_about_its_size_is_refused_early(slot, data, code):
    begin = time.monotonic()
    status, answer = put_tar(slot, data)
    assert answer["success"] is False and answer["code"] == code and status == (413 if code == "too_large" else 400), answer
    assert time.monotonic() - begin < 5
    assert slot.output("find in -type f | wc -l; du -s in | cut -f1") == "0\n0"


def test_row25_a_bomb_of_holes_is_refused_by_what_it_says(slot):
    """42 kB that unpack to 4 GiB: a sparse member."""
    records = b"".join(b"%d %s\n" % (len(text) + 4, text) for text in [
        b"GNU.sparse.major=1", b"GNU.sparse.minor=0", b"GNU.sparse.realsize=4294967296"])
    pax = tarfile.TarInfo("pax")
    pax.type, pax.size = tarfile.XHDTYPE, len(records)
    map_block = (b"1\n4294966784\n512\n").ljust(512, b"\0")
    body = tarfile.TarInfo("bomb")
    body.size = 1024
    data = pax.tobuf() + records.ljust(512, b"\0") + body.tobuf() + map_block + b"x" * 512 + bytes(1024)
    status, answer = put_tar(slot, data)
    assert status in (400, 413) and answer["success"] is False, answer
    assert slot.output("find in -type f | wc -l") == "0"


def test_row25_more_than_the_slots_disk_is_refused_while_it_comes(start):
    server = start(slots=1, config={"slot": {"disk_bytes": 8 << 20}})
    slot = Slot(server, "slot_0")
    status, answer = put_tar(slot, tar_of(file("x", bytes(9 << 20))))
    assert status in (413, 507) and answer["success"] is False
    assert slot.output("find in -type f | wc -l; df --output=used -k . | tail -1").split()[0] == "0"
    assert server.rss_bytes() < allowed(32_000_000)


# row 26

def test_row26_a_hostile_tree_comes_out_tame(slot):
    slot.output("mkdir -p a/b; echo x > a/b/f; ln -s /etc/passwd a/out; ln -s / a/root; ln -s a a/self; mkfifo a/pipe; touch 'a/new\nline' -- a/-rf \"$(printf 'a/\\377')\"")
    whole = slot.wire.get(f"/slots/{slot.name}/files/a?tar=1").body
    with tarfile.open(fileobj=io.BytesIO(whole)) as tar:
        assert all(not name.startswith("/") and ".." not in name.split("/") for name in tar.getnames())
        assert {member.name for member in tar if member.issym()} == {"out", "root", "self"} and "pipe" not in tar.getnames()
        assert tar.getnames() == sorted(tar.getnames(), key=lambda name: name.encode(errors="surrogateescape").split(b"/"))
    assert slot.wire.get(f"/slots/{slot.name}/files/a?tar=1").body == whole
    first, second = ask(slot, "archive", path="a")[1], ask(slot, "archive", path="a")[1]
    assert first["content"] == second["content"]
    with tarfile.open(fileobj=io.BytesIO(base64.b64decode(first["content"]))) as tar:
        assert not {"a/out", "a/root", "a/pipe"} & set(tar.getnames()) and "a/b/f" in tar.getnames()


def test_row26_a_link_swapped_during_the_walk(slot, probe):
    slot.put("race", probe("race"))
    slot.output("chmod 755 race; mkdir t t/d; for i in $(seq 300); do echo inside > t/d/$i; done; echo inside > t/d/passwd; ln -s /etc t/l; echo inside > t/f; ln -s /etc/passwd t/m")
    for pair in [("t/d", "t/l"), ("t/f", "t/m")]:
        slot.run("exec", {"argv": ["./race", *pair], "background": True})
    names = {"d", "l", "f", "m"} | {f"{folder}/{i}" for folder in "dl" for i in [*range(1, 301), "passwd"]}
    for _ in range(30):
        with tarfile.open(fileobj=io.BytesIO(slot.wire.get(f"/slots/{slot.name}/files/t?tar=1").body)) as tar:
            members = tar.getmembers()
            assert {member.name for member in members} <= names
            assert all(tar.extractfile(member).read() == b"inside\n" for member in members if member.isfile())
        with tarfile.open(fileobj=io.BytesIO(base64.b64decode(ask(slot, "archive", path="t")[1]["content"]))) as tar:
            assert {member.name.removeprefix("t/") for member in tar.getmembers()} <= names
            assert all(tar.extractfile(member).read() == b"inside\n" for member in tar if member.isfile())


def test_row26_depth_and_number_have_limits_that_hold(slot):
    slot.python("import os\nfor _ in range(4000):\n    os.mkdir('d'); os.chdir('d')\nopen('deep', 'w')\nprint(1)")
    for route, key in [("list", "entries"), ("archive", "content")]:
        status, answer = ask(slot, route, recursive=True)
        assert status == 200 and answer["truncated"] is True and answer[key] is not None
    assert len(ask(slot, "list", recursive=True)[1]["entries"]) > 1000

# SPDX-License-Identifier: Apache-2.0
"""read_file and write_file: points 15 to 21 of the conformance checklist; files in and out as bytes (wire.md 1.7)."""
import hashlib
import io
import tarfile
import threading

import pytest

from harness import Slot, wait_until

OUTSIDE = "Access denied: path outside workspace"
LIMIT = 100_000


def files(slot, method, path, body=None, query="", **options):
    return slot.wire.request(method, f"/slots/{slot.name}/files/{path}{query}", body, **options)


def test_p15_write_then_read_and_parents_are_made(slot):
    text = "one\ntwo\n"
    written = slot.write("a/b/c.txt", text)
    assert (written["success"], written["output"]) == (True, f"Successfully wrote {len(text)} bytes to a/b/c.txt")
    assert written["metadata"]["size"] == len(text)
    read = slot.read("a/b/c.txt")
    assert (read["success"], read["output"], read["error"]) == (True, text, "")
    assert read["metadata"]["size"] == len(text) and read["metadata"]["path"].endswith("a/b/c.txt")


@pytest.mark.parametrize("text", ["a\r\nb\r\n", "a\rb", "no newline", "\n\n x \n", "", "tab\t\x00nul", "\u20ac \U0001f600",
                                  "\ufeffmark", "\x7f\x1b[31m"], ids=repr)
def test_p16_the_round_trip_is_exact(slot, text):
    assert slot.write("x", text)["success"]
    assert slot.read("x")["output"] == text


def test_p16_what_bash_wrote_is_read_byte_for_byte(slot):
    slot.output("printf 'a\\r\\nb\\rc' > x")
    assert slot.read("x")["output"] == "a\r\nb\rc"
    slot.output("printf 'a\\377b' > y")
    assert slot.read("y")["output"] == "a\ufffdb"


@pytest.mark.parametrize("path", ["../other", "/etc/passwd", "..", "/", "a/../../etc/passwd", "/workspace/../etc/passwd",
                                  "/workspacex", "/proc/self/environ", "link", "dirlink/passwd", "chain", "rootlink/etc/passwd"])
def test_p17_read_leads_nowhere_outside(slot, path):
    slot.output("ln -s /etc/passwd link; ln -s /etc dirlink; ln -s link chain; ln -s / rootlink; mkdir a")
    result = slot.read(path)
    assert (result["success"], result["error"], result["output"]) == (False, OUTSIDE, "")


@pytest.mark.parametrize("path", ["../other", "/etc/passwd", "/etc/new-file", "a/../../tmp/x", "link", "dirlink/x",
                                  "danglingout", "/workspacex", "rootlink/tmp/x"])
def test_p17_write_leads_nowhere_outside(slot, path):
    slot.output("ln -s /etc/passwd link; ln -s /etc dirlink; ln -s /etc/new-file danglingout; ln -s / rootlink; mkdir a")
    before = slot.output("md5sum /etc/passwd; ls /etc /tmp / | md5sum")
    assert slot.write(path, "evil")["error"] == OUTSIDE
    assert slot.output("md5sum /etc/passwd; ls /etc /tmp / | md5sum") == before


def test_p17_links_that_stay_inside_work(slot):
    slot.output("mkdir d; echo deep > d/f; ln -s d/f rel; ln -s /workspace/d/f abs; ln -s ../workspace/d/f up; ln -s d dl")
    for path in ["rel", "abs", "dl/f", "d/../d/f", "./d//f"]:
        assert slot.read(path)["output"] == "deep\n", path
    assert slot.write("rel", "new")["success"]
    assert slot.output("cat d/f; test -L rel && echo link") == "newlink"


def test_p18_workspace_is_a_name_of_the_root(slot):
    slot.write("/workspace/x", "content")
    assert slot.read("x")["output"] == slot.read("/workspace/x")["output"] == "content"


def test_p19_the_three_errors_of_reading(slot):
    assert slot.read("missing")["error"] == "File not found: missing"
    slot.output("mkdir d")
    assert slot.read("d")["error"] == "Not a file: d"
    assert slot.read("")["error"] == "Not a file: "
    slot.output(f"head -c {LIMIT + 1} /dev/zero | tr '\\0' x > big; head -c {LIMIT} big > fits")
    assert slot.read("big")["error"] == f"File too large: {LIMIT + 1} bytes (max {LIMIT})"
    assert slot.read("fits")["output"] == "x" * LIMIT


@pytest.mark.parametrize("path", ["missing/x", "file/x", "x" * 300, "x/" * 3000], ids=lambda path: path[:12])
def test_p19_other_bad_paths_are_errors_with_a_reason(slot, path):
    slot.output("touch file")
    result = slot.read(path)
    assert result["success"] is False and result["error"]


def test_p20_content_over_the_limit_is_refused_before_the_path_is_looked_at(slot):
    for path in ["x", "../x"]:
        assert slot.write(path, "y" * (LIMIT + 1))["error"] == f"Content too large: {LIMIT + 1} bytes (max {LIMIT})"
    assert slot.write("x", "y" * LIMIT)["success"]
    assert slot.output("wc -c < x") == str(LIMIT)


def test_p20_whatever_can_be_written_can_be_read_back(slot):
    text = "\U0001f600" * 80_000
    assert slot.write("x", text)["success"] and slot.read("x")["output"] == text


@pytest.mark.parametrize("args", [{"path": "x"}, {"path": "x", "content": None}, {"path": "x", "content": 5},
                                  {"content": "y"}, {"path": ["x"], "content": "y"}, {"path": "x\0", "content": "y"},
                                  {"path": "", "content": "y"}, {"path": ".", "content": "y"},
                                  {"path": "d", "content": "y"}, {"path": "x/y", "content": "y"}], ids=str)
def test_p21_a_failed_write_leaves_the_old_content(slot, args):
    slot.output("echo old > x; mkdir d")
    result = slot.run("write_file", args)
    assert result["success"] is False and result["error"]
    assert slot.output("cat x; ls -A") == "old\nd\nx"


def test_p21_a_write_to_a_full_disk_leaves_the_old_content(start):
    slot = Slot(start(config={"slot": {"disk_bytes": 1 << 20}}), "slot_0")
    slot.write("x", "old")
    slot.bash("head -c 10000000 /dev/zero > fill")
    result = slot.write("x", "n" * LIMIT)
    assert result["success"] is False and result["metadata"]["cause"] == "disk"
    assert slot.output("cat x; ls -A") == "oldfill\nx"


def test_p21_no_reader_sees_half_a_file(slot):
    slot.write("x", "a" * 90_000)
    reader = "while :; do cat < x > copy; wc -c < copy >> sizes; tr -s ab < copy >> seen; echo >> seen; done"
    slot.run("exec", {"argv": ["sh", "-c", reader], "background": True})

    def write_and_count():
        for letter in "ba":
            assert slot.write("x", letter * 90_000)["success"]
        return int(slot.output("cat sizes 2>/dev/null | wc -l")) >= 200

    wait_until(write_and_count, 60, "the reader has looked two hundred times")
    assert set(slot.output("sort -u sizes").split()) == {"90000"}
    assert set(slot.output("sort -u seen").split()) <= {"a", "b"}
    assert slot.output("ls -A | sort | tr '\\n' ' '") == "copy seen sizes x"


def test_p21_the_mode_is_kept_and_new_files_are_ordinary(slot):
    slot.output("touch x; chmod 750 x")
    slot.write("x", "new")
    slot.write("fresh", "new")
    assert slot.output("stat -c %a x fresh") == "750\n644"


def test_files_out_and_in_are_bytes(slot):
    data = bytes(range(256)) * 4000
    assert files(slot, "PUT", "a/b.bin", data).status in (200, 201, 204)
    reply = files(slot, "GET", "a/b.bin")
    assert (reply.status, reply.body) == (200, data)
    assert slot.output("sha256sum < a/b.bin | cut -d' ' -f1") == hashlib.sha256(data).hexdigest()
    assert files(slot, "DELETE", "a/b.bin").status in (200, 204)
    assert files(slot, "GET", "a/b.bin").status == 404


@pytest.mark.parametrize("asked, start, end", [("bytes=0-9", 0, 10), ("bytes=5-", 5, 100), ("bytes=-7", 93, 100),
                                               ("bytes=99-200", 99, 100), ("bytes=50-50", 50, 51)])
def test_files_in_ranges(slot, asked, start, end):
    data = bytes(range(100))
    files(slot, "PUT", "x", data)
    reply = files(slot, "GET", "x", headers={"Range": asked})
    assert (reply.status, reply.body) == (206, data[start:end])
    assert reply.headers["content-range"] == f"bytes {start}-{end - 1}/100"


def test_files_beyond_the_end_are_416(slot):
    files(slot, "PUT", "x", b"0123456789")
    assert files(slot, "GET", "x", headers={"Range": "bytes=10-"}).status == 416


@pytest.mark.parametrize("path", ["../x", "..%2fx", "%2e%2e/x", "%2Fetc%2Fpasswd", "/etc/passwd", "a/../../x", "link",
                                  "dirlink/passwd"])
@pytest.mark.parametrize("method", ["GET", "PUT", "DELETE"])
def test_files_lead_nowhere_outside(slot, method, path):
    slot.output("ln -s /etc/passwd link; ln -s /etc dirlink; mkdir a")
    reply = files(slot, method, path, b"evil" if method == "PUT" else None)
    if method == "DELETE" and path == "link":  # removing the link itself is the owner's right
        assert slot.output("test -f /etc/passwd && echo there") == "there"
        return
    assert 400 <= reply.status < 500, reply
    assert b"root:" not in reply.body
    assert slot.output("grep -c evil /etc/passwd; ls / | grep -c '^x$'; true") == "0\n0"


@pytest.mark.parametrize("path", ["missing", "%00", "a%", "%zz"])
def test_files_with_a_bad_path_are_4xx(slot, path):
    assert 400 <= files(slot, "GET", path).status < 500


def test_files_of_an_unknown_slot_are_404(server):
    for method in ["GET", "PUT", "DELETE"]:
        assert server.wire.request(method, "/slots/slot_99/files/x", b"" if method == "PUT" else None).status == 404


def test_a_cut_upload_leaves_the_old_file(slot):
    files(slot, "PUT", "x", b"old")
    head = f"PUT /slots/{slot.name}/files/x HTTP/1.1\r\nHost: h\r\nContent-Length: 1000\r\n\r\n".encode()
    with slot.wire.socket() as plain:
        plain.sendall(head + b"half")
    assert slot.output("cat x; ls -A") == "oldx"


def test_a_large_file_travels_both_ways(slot):
    data = hashlib.sha256(b"seed").digest() * (1 << 20)  # 32 MiB
    assert files(slot, "PUT", "big", data).status in (200, 201, 204)
    assert files(slot, "GET", "big").body == data


def test_a_tree_goes_out_and_comes_in_as_tar(slot):
    slot.output("mkdir -p t/sub/empty; echo one > t/a; printf two > t/sub/b; ln -s a t/link; chmod 755 t/a")
    reply = files(slot, "GET", "t", query="?tar=1")
    assert reply.status == 200
    names = {member.name.rstrip("/"): member for member in tarfile.open(fileobj=io.BytesIO(reply.body)).getmembers()}
    assert not any(name.startswith(("/", "..")) for name in names), names
    assert any(name.endswith("sub/b") for name in names) and any(name.endswith("empty") for name in names)
    assert files(slot, "PUT", "copy", reply.body, query="?tar=1").status in (200, 201, 204)
    assert slot.output("find copy -name b -exec cat {} +; find copy -name link -exec readlink {} +") == "twoa"


def test_many_writers_of_one_file_leave_one_of_their_contents(slot):
    bodies = [bytes([65 + i]) * 50_000 for i in range(8)]
    threads = [threading.Thread(target=files, args=(slot, "PUT", "x", body)) for body in bodies]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert files(slot, "GET", "x").body in bodies
    assert slot.output("ls -A") == "x"

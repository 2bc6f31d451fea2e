# SPDX-License-Identifier: Apache-2.0
"""Rows 1 and 7 to 11 of facts/threats.md through HTTP: what a slot's user can reach of servers and other slots (P44)."""
import hashlib
import os
import pathlib
import secrets
import time
import uuid

import pytest

from harness import Slot, alive, descendants, wait_until
from wire import FIVE_KEYS

CONNECT = """
import json, socket, sys
port, answers = int(sys.argv[1]), {}
addresses = ["127.0.0.1", "0.0.0.0", "::1", "localhost"] + sys.argv[2:]
for address in addresses:
    try:
        plain = socket.create_connection((address, port), 2)
        plain.sendall(b"GET /slots HTTP/1.1\\r\\nHost: h\\r\\n\\r\\n")
        answers[address] = plain.recv(100).decode()
    except OSError as error:
        answers[address] = type(error).__name__
print(json.dumps(answers))
"""


def own_addresses():
    lines = os.popen("hostname -I 2>/dev/null").read().split()
    return [address for address in lines if address.count(".") == 3]


@pytest.mark.local_only("in a container it listens on a socket that no slot sees: no port could be tried")
def test_row01_the_server_cannot_be_reached_from_a_slot(server, slot):
    answers = slot.python(CONNECT, str(server.wire.address), *own_addresses())
    assert not any(answer.startswith("HTTP") for answer in answers.values()), answers


def test_row01_nothing_but_the_own_loopback_is_there(slot):
    seen = slot.python("""
import json, socket
results = {}
for name, family, kind, address in [("dns", socket.AF_INET, socket.SOCK_DGRAM, ("8.8.8.8", 53)),
                                    ("udp6", socket.AF_INET6, socket.SOCK_DGRAM, ("2001:4860:4860::8888", 53)),
                                    ("metadata", socket.AF_INET, socket.SOCK_STREAM, ("169.254.169.254", 80)),
                                    ("private", socket.AF_INET, socket.SOCK_STREAM, ("10.0.0.1", 80))]:
    plain = socket.socket(family, kind)
    plain.settimeout(2)
    try:
        plain.connect(address)
        plain.send(b"x")
        results[name] = "connected"
    except OSError as error:
        results[name] = "refused"
one, two = socket.create_server(("127.0.0.1", 0)), None
two = socket.create_connection(one.getsockname(), 2)
results["loopback"] = "connected"
print(json.dumps(results))
""")
    assert seen.pop("loopback") == "connected" and set(seen.values()) == {"refused"}, seen


def test_row07_processes_of_others_cannot_be_seen_or_signalled(slots):
    one, two = slots
    two.run("exec", {"argv": ["sleep", "31337"], "background": True})
    seen = one.output("for p in /proc/[0-9]*; do tr '\\0' ' ' < $p/cmdline; echo; done; ls /proc | grep '^[0-9]*$'")
    assert "31337" not in seen
    numbers = [int(line) for line in seen.split() if line.isdigit()]
    assert len(numbers) <= 8, seen
    result = one.exec("/usr/bin/python3", "-c", """
import os
survivors = 0
for pid in range(2, 33000):
    if pid == os.getpid(): continue
    try:
        os.kill(pid, 0)
        survivors += 1
    except (ProcessLookupError, PermissionError):
        pass
print(survivors)
""")
    assert int(result["output"]) == 0


@pytest.mark.parametrize("path", ["exe", "root", "cwd", "environ", "mem", "maps", "ns/mnt", "stack", "syscall", "auxv"])
def test_row07_the_keeper_shows_nothing_of_itself(slot, path):
    result = slot.bash(f"cat /proc/1/{path} > /workspace/got 2>/dev/null; ls /proc/1/{path}/ > /workspace/listed 2>/dev/null; cat got listed | wc -c")
    assert result["output"] == "0", result


def test_row07_the_keepers_descriptors_lead_nowhere(slot):
    assert slot.output("readlink /proc/1/fd/* /proc/1/ns/*; for f in /proc/1/fd/*; do ls $f/ 2>/dev/null; cat $f 2>/dev/null; done; true") == ""


def test_row07_killing_pid_1_or_everything_leaves_the_server_unharmed(server, slot):
    slot.bash("kill -9 1; kill -15 1; kill -STOP 1; kill -SEGV 1")
    assert slot.output("echo alive") == "alive"
    slot.bash("kill -9 -1", timeout=20)
    assert server.wire.health()["slots"]
    slot.reset()
    assert slot.output("echo alive") == "alive"


CHANNELS = """
import json, os, socket, sys, ctypes, fcntl
role, secret = sys.argv[1], sys.argv[2]
libc, found = ctypes.CDLL(None, use_errno=True), {}
def attempt(name, write, read):
    try:
        found[name] = bool(write() if role == "send" else secret.encode() in (read() or b""))
    except Exception:
        found[name] = False
keep = []
def bind_abstract():
    s = socket.socket(socket.AF_UNIX); s.bind("\\0berth-channel"); s.listen(); keep.append(s); return True
def dial_abstract():
    s = socket.socket(socket.AF_UNIX); s.connect("\\0berth-channel"); return secret.encode()
attempt("abstract", bind_abstract, dial_abstract)
def put(path):
    def write():
        with open(path, "w") as f: f.write(secret)
        return True
    return write
def get(path): return lambda: open(path, "rb").read()
for path in ["/tmp/channel", "/dev/shm/channel", "/workspace/channel", "/var/tmp/channel", "/run/channel", "/dev/channel", "/etc/channel", "/usr/channel", "/channel"]:
    attempt(path, put(path), get(path))
def shm_write():
    key = libc.shmget(4242, 4096, 0o1666); p = libc.shmat; p.restype = ctypes.c_void_p
    ctypes.memmove(p(key, None, 0), secret.encode(), len(secret)); return key >= 0
def shm_read():
    key = libc.shmget(4242, 4096, 0o666)
    if key < 0: return b""
    p = libc.shmat; p.restype = ctypes.c_void_p
    return ctypes.string_at(p(key, None, 0), len(secret))
attempt("sysv_shm", shm_write, shm_read)
attempt("sysv_msg", lambda: libc.msgget(4242, 0o1666) >= 0, lambda: secret.encode() if libc.msgget(4242, 0o666) >= 0 else b"")
attempt("sysv_sem", lambda: libc.semget(4242, 1, 0o1666) >= 0, lambda: secret.encode() if libc.semget(4242, 1, 0o666) >= 0 else b"")
attempt("keyring", lambda: libc.syscall(248, b"user", b"berth", secret.encode(), len(secret), -4) >= 0, lambda: secret.encode() if libc.syscall(249, b"user", b"berth", None, 0) >= 0 else b"")
def vsock():
    s = socket.socket(40, socket.SOCK_STREAM); s.bind((0xffffffff, 4242)); s.listen(); keep.append(s); return True
attempt("vsock", vsock, lambda: secret.encode() if socket.socket(40, socket.SOCK_STREAM).connect((1, 4242)) is None else b"")
def tcp():
    s = socket.create_server(("127.0.0.1", 42424)); keep.append(s); return True
attempt("tcp", tcp, lambda: secret.encode() if socket.create_connection(("127.0.0.1", 42424), 1) else b"")
print(json.dumps(found), flush=True)
if role == "send":
    import time; time.sleep(1000)
"""


def test_row08_no_channel_carries_a_secret_to_another_slot(slots):
    sender, receiver = slots
    secret = secrets.token_hex(8)
    sender.run("write_file", {"path": "c.py", "content": CHANNELS})
    sender.run("exec", {"argv": ["sh", "-c", f"python3 c.py send {secret} > sent"], "background": True})
    wait_until(lambda: sender.output("cat sent 2>/dev/null; true"), 30, "the sender has tried everything")
    import json
    sent = json.loads(sender.output("cat sent"))
    assert sent["abstract"] and sent["/tmp/channel"] and sent["tcp"], "the probe itself works"
    received = receiver.python(CHANNELS, "receive", secret)
    assert not any(received.values()), received


SLOT_NAMES = ["../slot_1", "slot_01", "slot_\uff10", "", "s" * 300, "slot_0\0", "slot_0\n", "SLOT_0", "slot_-1", "slot_1e0", "/slot_0",
              "slot_0/", "slot_0/../slot_1", ".", "slot_999999999999999999999", "slot_+0", " slot_0"]


@pytest.mark.parametrize("name", SLOT_NAMES, ids=repr)
def test_row09_a_strange_slot_name_is_unknown_everywhere(server, name):
    before = sorted(os.listdir(server.data_dir))
    result = server.wire.run(name, "bash", {"command": "true"})
    assert result["error"] == f"Unknown slot: {name}" and set(result) == FIVE_KEYS
    assert server.wire.batch([{"slot_id": name, "tool": "bash"}]).json()[0]["error"] == f"Unknown slot: {name}"
    assert server.wire.reset(name)["error"] == f"Unknown slot: {name}"
    from urllib.parse import quote
    for kind in ["files/x", "executions/x"]:
        assert server.wire.get(f"/slots/{quote(name, safe='')}/{kind}").status in (400, 404)
    assert sorted(os.listdir(server.data_dir)) == before


def test_row10_a_late_call_of_an_earlier_lease_is_fenced(slot):
    def generation():
        return next(s for s in slot.wire.get("/slots").json()["slots"] if s["slot_id"] == slot.name)["generation"]
    old = generation()
    call = {"slot_id": slot.name, "tool": "bash", "args": {"command": "touch late"}, "generation": old, "execution_id": f"l-{uuid.uuid4()}"}
    slot.wire.reset(slot.name, generation=old + 1)
    reply = slot.wire.post("/execute", call)
    assert reply.status == 409 and reply.json()["metadata"]["started"] is False
    assert slot.output("ls") == ""


@pytest.mark.parametrize("target", ["/proc/self/exe", "/proc/1/exe", "/usr/bin/env", "/bin/sh", "/proc/self/map_files", "/proc/1/root/bin/sh"])
def test_row11_programs_of_the_machine_cannot_be_overwritten(server, slot, target):
    watched = ["/usr/bin/env", "/bin/sh", str(server.binary), "/usr/bin/python3"]
    before = [hashlib.sha256(pathlib.Path(path).read_bytes()).hexdigest() for path in watched]
    slot.run("exec", {"argv": ["sh", "-c", f"while :; do echo evil >> {target}; : > {target}; dd if=/dev/zero of={target} count=1 conv=notrunc; done"],
                      "background": True})
    for _ in range(20):
        slot.exec("/usr/bin/python3", "-c", "pass")
    slot.reset()
    assert [hashlib.sha256(pathlib.Path(path).read_bytes()).hexdigest() for path in watched] == before
    assert slot.output("echo alive") == "alive"


def test_no_process_is_left_after_many_calls(server, slot):
    before = len(descendants(server.process.pid))
    for _ in range(20):
        assert all(r["success"] for r in slot.wire.batch([{"slot_id": slot.name, "tool": "exec", "args": {"argv": ["true"]}}] * 50).json())
    wait_until(lambda: len(descendants(server.process.pid)) <= before, 5, "nothing of a thousand calls is left")

# SPDX-License-Identifier: Apache-2.0
"""Point 44: inside an unprivileged container no slot reaches a route of the server, a file or a process of another slot. The
first two tests say that what follows could be reached if nothing hid it: the same questions, asked from the container."""
import json
import subprocess

import pytest

PORT = 8099
SECRET = "secret-of-slot-1"
MARK = "mark-31337"

# What of a server, a file and a process can be reached: sockets by name, ports, files by content, processes by arguments.
LOOK = """
import json, os, socket, stat, sys
port, secret, mark = int(sys.argv[1]), sys.argv[2].encode(), sys.argv[3].encode()
found = {"routes": [], "files": [], "processes": []}
ASK = b"GET /slots HTTP/1.1\\r\\nHost: h\\r\\nConnection: close\\r\\n\\r\\n"

def ask(name, family, address):
    with socket.socket(family, socket.SOCK_STREAM) as plain:
        plain.settimeout(2)
        try:
            plain.connect(address)
            plain.sendall(ASK)
            if plain.recv(100).startswith(b"HTTP"):
                found["routes"].append(name)
        except OSError:
            pass

for address in ("127.0.0.1", "0.0.0.0", socket.gethostname()):
    try:
        ask(address, socket.AF_INET, (socket.gethostbyname(address), port))
    except OSError:
        pass
ask("::1", socket.AF_INET6, ("::1", port))
for line in open("/proc/net/unix").read().splitlines()[1:]:
    name = line.split()[-1]
    if name.startswith("@"):
        ask(name, socket.AF_UNIX, "\\0" + name[1:])

def look(path):
    facts = os.lstat(path)
    if stat.S_ISSOCK(facts.st_mode):
        ask(path, socket.AF_UNIX, path)
    if stat.S_ISREG(facts.st_mode) and facts.st_size < 100:
        with open(path, "rb") as file:
            if secret in file.read():
                found["files"].append(path)

# By way of the other processes' roots and directories too.
tops = ["/"] + [f"/proc/{pid}/{way}/" for pid in os.listdir("/proc") if pid.isdigit() for way in ("root", "cwd")]
for top in tops:
    for folder, folders, files in os.walk(top):
        if top == "/" and folder == "/":
            folders[:] = [each for each in folders if each not in ("proc", "sys")]
        if top != "/" and folder == top:
            folders[:] = [each for each in folders if each not in ("proc", "sys", "usr", "lib", "bin", "sbin", "lib64", "var", "etc")]
        for name in files:
            try:
                look(os.path.join(folder, name))
            except OSError:
                pass
for pid in os.listdir("/proc"):
    try:
        if pid.isdigit() and int(pid) != os.getpid() and mark in open(f"/proc/{pid}/cmdline", "rb").read():
            found["processes"].append(pid)
            os.kill(int(pid), 0)
    except OSError:
        pass
print(json.dumps(found))
"""


@pytest.fixture(scope="module", params=["unix", "port"])
def server(request, contained):
    where = {"listen": "127.0.0.1", "port": PORT} if request.param == "port" else {}
    # Its data is the container's own, so that nothing of this machine is bound into what is looked through.
    slotd = contained(slots=2, data_dir="/.berth/data", **where).connect()
    yield slotd
    slotd.stop()


@pytest.fixture
def victim(slots):
    """Slot 1 with a file of its own in each of its places, and a process."""
    other = slots[1]
    other.output(f"for place in /workspace /tmp /dev/shm $HOME; do echo {SECRET} > $place/own; done")
    assert other.run("exec", {"argv": ["/bin/sh", "-c", f"sleep 1000; : {MARK}"], "background": True})["success"]
    # It was handed over; that it runs is seen by its arguments. What looks for them does not find itself.
    other.output(f"until grep -qs '[{MARK[0]}]{MARK[1:]}' /proc/[0-9]*/cmdline; do sleep 0.02; done")
    return other


def test_the_container_is_unprivileged(server):
    host = server.engine.inspect(server.container)["HostConfig"]
    assert not host["Privileged"] and not host["CapAdd"] and not host["Devices"] and not host["PidMode"] and host["NetworkMode"] == "none"


def test_the_container_itself_sees_all_of_it(server, victim):
    """Or looking from a slot would prove nothing."""
    pid = str(server.process.pid)
    look = ["nsenter", "--target", pid, "--mount", "--net", "--pid", "--root", "--wd", "--", "/usr/bin/python3", "-", str(PORT), SECRET, MARK]
    done = subprocess.run(look, input=LOOK, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert found["routes"] and found["files"] and found["processes"], found


def test_p44_a_slot_reaches_no_route_no_file_and_no_process_of_another(server, slots, victim):
    assert slots[0].python(LOOK, str(PORT), SECRET, MARK) == {"routes": [], "files": [], "processes": []}
    own = victim.python(LOOK, str(PORT), SECRET, MARK)
    assert own["files"] and own["processes"] and not own["routes"], own


def test_p44_nobody_elses_slot_is_named_by_what_a_slot_can_send(server, slots, victim):
    """Tools and files name slots by the request, which only the server's callers send: paths lead to no other slot."""
    one = slots[0]
    for path in ("../slot_1/own", "/.berth/data/slot_1/own", "/proc/1/root/.berth/run/sock", "/proc/1/cwd/own"):
        said = one.read(path)
        assert said["success"] is False and SECRET not in json.dumps(said), (path, said)
        reply = one.wire.request("GET", f"/slots/{one.name}/files/{path.lstrip('/')}")
        assert SECRET.encode() not in reply.body and reply.status >= 400, (path, reply)
    assert victim.output("cat /workspace/own") == SECRET

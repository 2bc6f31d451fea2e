#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""A slot server between the agent and the real one, which it starts: it passes everything on, but for what the file
`faults.json` beside it says. The agent's key `slotd` names it. As a module: plant() and Faults.

    health: deaf | cut                          /health is not answered, or its connection is cut
    reset: fail                                 resets are answered, and fail
    batch: before | after | silent              cut before the request is passed on, or when its answer begins; never answered
    batch: foreign | swapped | twice | beyond | deep | huge | endless | fields | length     an answer that lies"""
import contextlib
import json
import os
import pathlib
import shutil
import signal
import socket
import subprocess
import sys
import threading

HERE = pathlib.Path(sys.argv[0] if __name__ == "__main__" else __file__).resolve().parent
NDJSON = b"HTTP/1.1 200 OK\r\nContent-Type: application/x-ndjson; charset=utf-8\r\n"
LIMIT = 60


class Faults:
    """What the stand-ins in `folder` do wrong from now on; `seen` tells what they have done."""

    def __init__(self, folder):
        self.folder = pathlib.Path(folder)

    def set(self, **faults):
        part = self.folder / "faults.part"
        part.write_text(json.dumps(faults))
        part.chmod(0o644)
        part.rename(self.folder / "faults.json")

    def seen(self):
        try:
            return (self.folder / "seen").read_text().split()
        except FileNotFoundError:
            return []


def plant(folder):
    """Puts the stand-in beside the real server; returns the line of the agent's configuration."""
    path = pathlib.Path(folder) / "stand-in"
    shutil.copy(__file__, path)
    path.chmod(0o755)
    Faults(folder).set()
    return f"slotd: {path}\n"


def fault(kind):
    return json.loads((HERE / "faults.json").read_text()).get(kind)


def saw(what):
    with open(HERE / "seen", "a", encoding="ascii") as seen:
        seen.write(what + "\n")


def cut(peer):
    """At once, also for who waits for its bytes in another thread."""
    peer.shutdown(socket.SHUT_RDWR)


def read_request(peer, begun):
    """(first line, body, all bytes) of a request; None at the end."""
    data = begun
    while b"\r\n\r\n" not in data:
        part = peer.recv(65536)
        if not part:
            return None
        data += part
    head, _, body = data.partition(b"\r\n\r\n")
    fields = dict(line.lower().split(b": ", 1) for line in head.split(b"\r\n")[1:])
    while len(body) < int(fields.get(b"content-length", b"0")):
        part = peer.recv(65536)
        if not part:
            return None
        body += part
    return head.split(b"\r\n")[0].decode(), body, head + b"\r\n\r\n" + body


def result(index, name, output, **metadata):
    return json.dumps({"type": "result", "index": index, "success": True, "output": output, "error": "", "execution_id": name,
                       "metadata": {"cause": "exit", **metadata}}).encode() + b"\n"


def end(count):
    return json.dumps({"type": "end", "results": count}).encode() + b"\n"


def chunk(data):
    return b"%x\r\n%s\r\n" % (len(data), data)


def streamed(*lines):
    return NDJSON + b"Transfer-Encoding: chunked\r\n\r\n" + b"".join(chunk(line) for line in lines) + b"0\r\n\r\n"


def secret(call):
    """What belongs to this call alone."""
    return f"secret of {call['slot_id']} {call['execution_id']}"


def lies(kind, calls):
    """The bytes of a lying answer, in parts; they may have no end."""
    names = [call["execution_id"] for call in calls]
    true = [result(i, name, secret(call)) for i, (name, call) in enumerate(zip(names, calls))]
    if kind == "foreign":  # under an id of somebody else's
        yield streamed(*(result(i, f"not-{name}", secret(call)) for i, (name, call) in enumerate(zip(names, calls))), end(len(calls)))
    if kind == "swapped":  # in each other's places; a single one in a place that is none
        turned = calls[1:] + calls[:1]
        where = [len(calls)] if len(calls) == 1 else range(len(calls))
        yield streamed(*(result(i, call["execution_id"], secret(call)) for i, call in zip(where, turned)), end(len(calls)))
    if kind == "twice":  # the second one is the lie
        yield streamed(true[0], result(0, names[0], "another output"), *true[1:], end(len(calls)))
    if kind == "beyond":
        yield streamed(result(10**18, names[0], "x"))
    if kind == "deep":
        deep = b'{"type":"result","index":0,"success":true,"output":"x","error":"","execution_id":"' + names[0].encode()
        yield streamed(deep + b'","metadata":' + b'{"a":' * 100_000 + b"1" + b"}" * 100_000 + b"}\n")
    if kind == "huge":
        yield NDJSON + b"Content-Length: 99999999999999999999\r\n\r\n"
    if kind == "length":  # shorter than it says, then the end
        yield NDJSON + b"Content-Length: 9999\r\n\r\n" + b"".join(true)
    if kind == "fields":
        yield b"HTTP/1.1 200 OK\r\n" + b"".join(b"X-%d: y\r\n" % n for n in range(100_000)) + b"\r\n"
    if kind == "endless":
        yield NDJSON + b"Transfer-Encoding: chunked\r\n\r\n"
        while True:
            yield chunk(b"x" * 65536)


class Peer:
    """One connection of the agent's, and the one to the real server that stands behind it."""

    def __init__(self, client, address):
        self.client, self.address = client, address
        self.server = None
        self.cut_answer = False

    def serve(self):
        with contextlib.suppress(OSError, ValueError), self.client:
            begun = b""
            while request := read_request(self.client, begun):
                begun = b""
                if not self.spoil(*request[:2]):
                    self.pass_on(request[2])

    def spoil(self, line, body):
        """Whether the request has been dealt with."""
        path = line.split(" ")[1].partition("?")[0]
        how = fault(path.strip("/")) if path in ("/health", "/reset", "/batch") else None
        if how is None:
            return False
        saw(f"{path}:{how}")
        if path == "/reset":
            text = json.dumps({"success": False, "output": "", "error": "Failed to reset workspace: told to", "execution_id": None,
                               "metadata": {}})
            self.client.sendall(b"HTTP/1.1 200 OK\r\nContent-Type: application/json; charset=utf-8\r\nContent-Length: %d\r\n\r\n%s"
                                % (len(text), text.encode()))
            return True
        if how in ("deaf", "silent"):
            while self.client.recv(65536):
                pass
        if how in ("cut", "before"):
            cut(self.client)
        self.cut_answer = how == "after"
        if self.cut_answer:
            return False
        for part in lies(how, json.loads(body) if path == "/batch" else []):
            self.client.sendall(part)
        self.client.close()
        return True

    def pass_on(self, data):
        if self.server is None:
            self.server = socket.socket(socket.AF_UNIX)
            self.server.connect(self.address)
            threading.Thread(target=self.bring_answers, daemon=True).start()
        self.server.sendall(data)

    def bring_answers(self):
        with contextlib.suppress(OSError), self.server:
            while part := self.server.recv(65536):
                if self.cut_answer:
                    return cut(self.client)
                self.client.sendall(part)
        with contextlib.suppress(OSError):
            self.client.shutdown(socket.SHUT_RDWR)


def main(arguments):
    place = arguments.index("--listen") + 1
    path = arguments[place].removeprefix("unix:")
    arguments[place] = f"unix:{path}-real"
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(path)
    listener.listen(64)
    ready, lifeline = (int(arguments[arguments.index(flag) + 1]) for flag in ("--ready-fd", "--lifeline-fd"))
    server = subprocess.Popen([HERE / "berth-slotd", *arguments], pass_fds=(ready, lifeline))
    os.close(ready)
    os.close(lifeline)
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: server.terminate())

    def accept():
        while True:
            client, _ = listener.accept()
            threading.Thread(target=Peer(client, f"{path}-real").serve, daemon=True).start()

    threading.Thread(target=accept, daemon=True).start()
    os._exit(max(server.wait(), 0))  # whatever its connections do


if __name__ == "__main__":
    main(sys.argv[1:])

# SPDX-License-Identifier: Apache-2.0
"""A small internet on loopback addresses: a name server, web servers, an echo. It stands where the slot server is, in its
network namespace if that is another one."""
import contextlib
import ctypes
import os
import queue
import socket
import ssl
import struct
import threading
import urllib.parse

PUBLIC = "127.77.0.1"   # what the slot server is told to take for public
INSIDE = "127.0.0.1"    # what must never be reached
RANGE = "127.77.0.0/16"
LIMIT = 60
CLONE_NEWNET = 0x40000000


def in_network_of(pid, work):
    """Runs `work` in a process's network: sockets stay in the one that they were made in."""
    if pid is None:
        return work()
    results = queue.Queue()

    def enter():
        try:
            namespace = os.open(f"/proc/{pid}/ns/net", os.O_RDONLY)
            try:
                assert ctypes.CDLL(None, use_errno=True).setns(namespace, CLONE_NEWNET) == 0, os.strerror(ctypes.get_errno())
            finally:
                os.close(namespace)
            results.put(work())
        except BaseException as error:  # noqa: B036: it is raised again by the caller
            results.put(error)

    threading.Thread(target=enter).start()
    result = results.get(timeout=LIMIT)
    if isinstance(result, BaseException):
        raise result
    return result


def listening_pair(port):
    """A socket on each of the two addresses, with one port."""
    for _ in range(100):
        inside = socket.create_server((INSIDE, port))
        with contextlib.suppress(OSError):
            return inside, socket.create_server((PUBLIC, inside.getsockname()[1]))
        inside.close()
    raise OSError("no port is free on both addresses")


def labels(packet, at):
    name = []
    while packet[at]:
        name.append(packet[at + 1:at + 1 + packet[at]].decode())
        at += 1 + packet[at]
    return ".".join(name).lower(), at + 1


class Internet:
    """`names`: {name: [addresses] or None for no answer}; a list of lists is one answer after the other. `tls`: an
    ssl.SSLContext of the web server that speaks it. `ports`: of the web, its TLS, the echo and the names; 0: any."""

    def __init__(self, tls=None, pid=None, ports=(0, 0, 0, 0)):
        self.names = {}
        self.questions = []   # (name, "A" or "AAAA")
        self.arrived = []     # what connected: "web", "inside", "tls", "echo"
        self.requests = []    # heads that the web server got
        self.silent = 0       # requests that are never answered
        self.closed = threading.Event()
        self.open = set()     # connections to the echo
        self.tls = tls
        (self.inside, self.web), self.tls_socket, self.echo, self.names_socket = in_network_of(pid, lambda: (
            listening_pair(ports[0]), socket.create_server((PUBLIC, ports[1])), socket.create_server((PUBLIC, ports[2])),
            self._name_socket(ports[3])))
        self.port, self.tls_port, self.echo_port, self.names_port = (
            each.getsockname()[1] for each in (self.web, self.tls_socket, self.echo, self.names_socket))
        self._run(self._answer_names)
        for listener, name, serve in ((self.inside, "inside", self._serve_web), (self.web, "web", self._serve_web),
                                      (self.tls_socket, "tls", self._serve_tls), (self.echo, "echo", self._serve_echo)):
            self._run(self._accept, listener, name, serve)

    @staticmethod
    def _name_socket(port):
        plain = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        plain.bind((PUBLIC, port))
        return plain

    @staticmethod
    def _run(work, *arguments):
        threading.Thread(target=work, args=arguments, daemon=True).start()

    def close(self):
        self.closed.set()
        for each in (self.inside, self.web, self.tls_socket, self.echo, self.names_socket):
            with contextlib.suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)
            each.close()

    def _accept(self, listener, name, serve):
        with contextlib.suppress(OSError):
            while True:
                plain = listener.accept()[0]
                plain.settimeout(LIMIT)
                self.arrived.append(name)
                self._run(self._guarded, serve, plain)

    @staticmethod
    def _guarded(serve, plain):
        with plain, contextlib.suppress(OSError):
            serve(plain)

    def _answer_names(self):
        with contextlib.suppress(OSError):
            while True:
                packet, asker = self.names_socket.recvfrom(4096)
                if not packet:
                    return  # closed
                answer = self._answer(packet)
                if answer:
                    self.names_socket.sendto(answer, asker)

    def _answer(self, packet):
        name, end = labels(packet, 12)
        kind = struct.unpack("!H", packet[end:end + 2])[0]
        known = self.names.get(name, [])
        if known is None:
            return None
        rounds = bool(known) and isinstance(known[0], list)
        family, word = (socket.AF_INET6, "AAAA") if kind == 28 else (socket.AF_INET, "A")
        asked = self.questions.count((name, word))
        self.questions.append((name, word))
        addresses = known[min(asked, len(known) - 1)] if rounds else known
        found = [socket.inet_pton(family, each) for each in addresses if (":" in each) == (family == socket.AF_INET6)]
        head = packet[:2] + struct.pack("!HHHHH", 0x8180 if name in self.names else 0x8183, 1, len(found), 0, 0)
        body = b"".join(struct.pack("!HHHIH", 0xC00C, kind, 1, 0, len(each)) + each for each in found)
        return head + packet[12:end + 4] + body

    def _serve_tls(self, plain):
        with self.tls.wrap_socket(plain, server_side=True) as secure:
            self._serve_web(secure)

    def _serve_echo(self, plain):
        self.open.add(plain)
        try:
            while data := plain.recv(65536):
                plain.sendall(data)
            plain.sendall(b"bye")
        finally:
            self.open.discard(plain)

    def _serve_web(self, plain):
        data = b""
        while b"\r\n\r\n" not in data:
            more = plain.recv(65536)
            if not more:
                return
            data += more
        head, _, body = data.partition(b"\r\n\r\n")
        self.requests.append(head)
        path = urllib.parse.urlsplit(head.split()[1].decode())
        query = dict(urllib.parse.parse_qsl(path.query))
        getattr(self, "_web_" + path.path.strip("/"), self._web_missing)(plain, head.lower(), body, query)

    @staticmethod
    def _reply(plain, body, status="200 OK", fields=""):
        plain.sendall(f"HTTP/1.1 {status}\r\nContent-Length: {len(body)}\r\n{fields}\r\n".encode() + body)

    def _web_missing(self, plain, _head, _body, _query):
        self._reply(plain, b"nothing here", "404 Not Found")

    def _web_hello(self, plain, _head, _body, _query):
        self._reply(plain, b"hello", fields="Set-Cookie: a=1\r\nSet-Cookie: b=2\r\nConnection: x-mine\r\nX-Mine: 1\r\n")

    def _web_silence(self, plain, _head, _body, _query):
        """Never answers, and does not end when the other side does."""
        self.silent += 1
        while plain.recv(65536):
            pass
        self.closed.wait(LIMIT)

    def _web_redirect(self, plain, _head, _body, query):
        self._reply(plain, b"", "302 Found", f"Location: {query['to']}\r\n")

    def _web_body(self, plain, head, body, _query):
        """The body of the request, as it was meant."""
        if b"\r\ntransfer-encoding: chunked" in head:
            while not body.endswith(b"0\r\n\r\n"):
                body += plain.recv(65536)
            whole = b""
            while (size := int(body.split(b"\r\n")[0], 16)) > 0:
                start = body.index(b"\r\n") + 2
                whole, body = whole + body[start:start + size], body[start + size + 2:]
            return self._reply(plain, whole)
        length = next((int(line.split(b":")[1]) for line in head.split(b"\r\n") if line.startswith(b"content-length:")), 0)
        while len(body) < length:
            body += plain.recv(65536)
        self._reply(plain, body)

    def _web_chunked(self, plain, _head, _body, _query):
        plain.sendall(b"HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\nHTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
        for part in (b"one ", b"two ", b"three"):
            plain.sendall(f"{len(part):x}\r\n".encode() + part + b"\r\n")
        plain.sendall(b"0\r\nX-Trailer: 1\r\n\r\n")

    def _web_endless(self, plain, _head, _body, query):
        """As much as the reader takes; ends with the connection."""
        plain.sendall(b"HTTP/1.1 200 OK\r\n\r\n")
        left = int(query["bytes"])
        while left > 0:
            left -= plain.send(b"x" * min(left, 65536))

    def _web_lies(self, plain, _head, _body, query):
        plain.sendall({
            "both": b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
            "garbage": b"SSH-2.0-x\r\n\r\n",
            "nothing": b"",
            "lengths": b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nab",
            "upgrade": b"HTTP/1.1 101 Switching Protocols\r\n\r\n",
        }[query["how"]])

# SPDX-License-Identifier: Apache-2.0
"""Speaks the slot server's protocol with nothing but Python's own http.client and sockets: an independent client."""
import collections
import http.client
import json
import re
import select
import socket
import time

HTTP_LIMIT = 120  # no answer takes longer; only a hang meets it
FIVE_KEYS = {"success", "output", "error", "execution_id", "metadata"}
JSON_TYPE = "application/json; charset=utf-8"


class Reply(collections.namedtuple("Reply", "status headers body")):
    """headers: lower-case name -> value."""

    def json(self):
        assert self.headers.get("content-type") == JSON_TYPE, (self.status, self.headers, self.body[:300])
        return json.loads(self.body)


def unix_socket(path, timeout):
    """Connected; a server that has not yet accepted as many as it lets wait is tried again."""
    plain = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    plain.settimeout(timeout)
    end = time.monotonic() + timeout
    while True:
        try:
            plain.connect(path)
            return plain
        except BlockingIOError:
            if time.monotonic() > end:
                raise
            time.sleep(0.01)


class UnixConnection(http.client.HTTPConnection):
    def __init__(self, path, timeout):
        super().__init__("localhost", timeout=timeout)
        self.path = path

    def connect(self):
        self.sock = unix_socket(self.path, self.timeout)


def encoded(body):
    return body if body is None or isinstance(body, bytes) else json.dumps(body).encode()


class Wire:
    """One server's address: a port of 127.0.0.1, spoken to over TLS where an ssl.SSLContext is given, or the path of a unix
    socket. Each request has its own connection."""

    def __init__(self, address, headers=None, tls=None):
        self.address = address
        self.tls = tls
        self.headers = dict(headers or {})

    def connection(self, timeout=HTTP_LIMIT):
        if isinstance(self.address, str):
            return UnixConnection(self.address, timeout)
        if self.tls:
            return http.client.HTTPSConnection("127.0.0.1", self.address, timeout=timeout, context=self.tls)
        return http.client.HTTPConnection("127.0.0.1", self.address, timeout=timeout)

    def request(self, method, path, body=None, headers=None, timeout=HTTP_LIMIT):
        connection = self.connection(timeout)
        try:
            connection.request(method, path, encoded(body), {**self.headers, **(headers or {})})
            response = connection.getresponse()
            fields = {name.lower(): value for name, value in response.getheaders()}
            return Reply(response.status, fields, response.read())
        finally:
            connection.close()

    def get(self, path, **options):
        return self.request("GET", path, **options)

    def post(self, path, body, **options):
        return self.request("POST", path, body, **options)

    def execute(self, slot, tool, args=None, **fields):
        """The whole reply of POST /execute."""
        return self.post("/execute", {"slot_id": slot, "tool": tool, "args": {} if args is None else args, **fields})

    def run(self, slot, tool, args=None, **fields):
        """The result of a call that is answered 200 with the five keys, as every outcome of a tool is."""
        reply = self.execute(slot, tool, args, **fields)
        assert reply.status == 200, (reply.status, reply.body[:500])
        result = reply.json()
        assert set(result) == FIVE_KEYS, result
        assert isinstance(result["metadata"], dict) and isinstance(result["output"], str), result
        return result

    def batch(self, elements, query=""):
        return self.post("/batch" + query, elements)

    def reset(self, slot, **fields):
        reply = self.post("/reset", {"slot_id": slot, **fields})
        assert reply.status == 200, (reply.status, reply.body[:500])
        return reply.json()

    def health(self):
        return self.get("/health").json()

    def lines(self, path, body, headers=None, timeout=HTTP_LIMIT):
        """The NDJSON lines of a streamed answer, one by one as they come."""
        connection = self.connection(timeout)
        try:
            connection.request("POST", path, encoded(body), {**self.headers, **(headers or {})})
            response = connection.getresponse()
            assert response.status == 200, (response.status, response.read(500))
            assert response.getheader("Content-Type") == "application/x-ndjson; charset=utf-8"
            while line := response.readline():
                yield json.loads(line)
        finally:
            connection.close()

    def socket(self, timeout=HTTP_LIMIT):
        if isinstance(self.address, str):
            return unix_socket(self.address, timeout)
        plain = socket.create_connection(("127.0.0.1", self.address), timeout)
        return self.tls.wrap_socket(plain, server_hostname="127.0.0.1") if self.tls else plain

    def raw(self, *parts, limit=30, quiet=1.0):
        """Sends bytes as they are. Returns (what came back, whether the server closed)."""
        with self.socket() as plain:
            try:
                for part in parts:
                    plain.sendall(part)
            except (BrokenPipeError, ConnectionResetError):
                pass  # refused before it was all sent; the answer may still be there
            return read_until_quiet(plain, limit, quiet)


def read_until_quiet(plain, limit, quiet):
    received = b""
    end = time.monotonic() + limit
    wait = limit  # the first byte may take its time; after it silence means that no more comes
    while (left := min(wait, end - time.monotonic())) > 0:
        if not select.select([plain], [], [], left)[0]:
            break
        try:
            chunk = plain.recv(65536)
        except ConnectionResetError:
            return received, True
        if not chunk:
            return received, True
        received += chunk
        wait = quiet
    return received, False


def statuses(received):
    """The status codes of the answers in raw bytes, whatever their bodies end with."""
    return [int(code) for code in re.findall(rb"HTTP/1\.1 (\d{3}) ", received)]

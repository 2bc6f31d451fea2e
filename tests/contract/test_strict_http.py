# SPDX-License-Identifier: Apache-2.0
"""The battery of facts/threats.md section 1 against the live server: every ambiguous or oversized message is refused
and the connection closes, and what was smuggled behind it never runs."""
import time

import pytest

from harness import Slot
from wire import statuses

CALL = b'{"slot_id":"slot_0","tool":"bash","args":{"command":"echo smuggled >> /workspace/smuggled"}}'
# What an attacker hides behind an ambiguous message, whole and valid.
SMUGGLED = b"POST /execute HTTP/1.1\r\nHost: h\r\nContent-Length: %d\r\n\r\n%s" % (len(CALL), CALL)


def post(fields, body=b"", version=b"1.1", host=b"Host: h\r\n", path=b"/execute"):
    return b"POST " + path + b" HTTP/" + version + b"\r\n" + host + fields + b"\r\n" + body


def chunk(data):
    return b"%x\r\n%s\r\n" % (len(data), data)


CL5 = b"Content-Length: 5\r\n"
TE = b"Transfer-Encoding: chunked\r\n"
EMPTY_CHUNKS = b"0\r\n\r\n"
AMBIGUOUS = {
    "length_then_chunked": post(CL5 + TE, EMPTY_CHUNKS), "chunked_then_length": post(TE + CL5, EMPTY_CHUNKS),
    "two_lengths": post(CL5 + b"Content-Length: 6\r\n", b"aaaaaa"),
    "equal_lengths": post(CL5 + CL5, b"aaaaa"), "length_list": post(b"Content-Length: 5, 5\r\n", b"aaaaa"),
    "plus_length": post(b"Content-Length: +5\r\n", b"aaaaa"), "minus_length": post(b"Content-Length: -5\r\n", b"aaaaa"),
    "hex_length": post(b"Content-Length: 0x5\r\n", b"aaaaa"), "huge_length": post(b"Content-Length: 18446744073709551616\r\n"),
    "empty_length": post(b"Content-Length: \r\n"), "word_length": post(b"Content-Length: five\r\n"),
    "float_length": post(b"Content-Length: 5.0\r\n", b"aaaaa"), "spaced_length": post(b"Content-Length: 5 5\r\n"),
    "gzip_and_length": post(b"Transfer-Encoding: gzip\r\n" + CL5, b"aaaaa"),
    "gzip": post(b"Transfer-Encoding: gzip\r\n"), "chunked_gzip": post(b"Transfer-Encoding: chunked, gzip\r\n", EMPTY_CHUNKS),
    "gzip_chunked": post(b"Transfer-Encoding: gzip, chunked\r\n", EMPTY_CHUNKS),
    "xchunked": post(b"Transfer-Encoding: xchunked\r\n", EMPTY_CHUNKS), "identity": post(b"Transfer-Encoding: identity\r\n"),
    "chunked_twice": post(TE + TE, EMPTY_CHUNKS), "quoted_chunked": post(b'Transfer-Encoding: "chunked"\r\n', EMPTY_CHUNKS),
    "chunked_in_1_0": post(TE, EMPTY_CHUNKS, version=b"1.0"), "two_hosts": post(b"Host: h\r\nContent-Length: 0\r\n"),
    "no_host": post(b"Content-Length: 0\r\n", host=b""), "folded": post(b"X: a\r\n b\r\nContent-Length: 0\r\n"),
    "folded_first": post(b" X: a\r\nContent-Length: 0\r\n"), "space_before_colon": post(b"Content-Length : 0\r\n"),
    "tab_before_colon": post(b"Content-Length\t: 0\r\n"), "nul_in_value": post(b"X: a\0b\r\nContent-Length: 0\r\n"),
    "nul_in_name": post(b"X\0: a\r\nContent-Length: 0\r\n"), "bare_cr": post(b"X: a\rb\r\nContent-Length: 0\r\n"),
    "bare_lf": b"POST /execute HTTP/1.1\nHost: h\nContent-Length: 0\n\n", "lf_in_field": post(b"X: a\nContent-Length: 0\r\n"),
    "no_colon": post(b"Nonsense\r\nContent-Length: 0\r\n"), "empty_name": post(b": x\r\nContent-Length: 0\r\n"),
    "high_name": post(b"X\xff: a\r\nContent-Length: 0\r\n"), "version_2": post(b"Content-Length: 0\r\n", version=b"2.0"),
    "version_1_2": post(b"Content-Length: 0\r\n", version=b"1.2"), "version_0_9": post(b"", version=b"0.9"),
    "no_version": b"GET /health\r\n\r\n", "lower_version": b"GET /health http/1.1\r\nHost: h\r\n\r\n",
    "two_spaces": b"GET  /health HTTP/1.1\r\nHost: h\r\n\r\n", "space_in_target": b"GET /hea lth HTTP/1.1\r\nHost: h\r\n\r\n",
    "nul_in_target": b"GET /hea\0lth HTTP/1.1\r\nHost: h\r\n\r\n", "high_target": b"GET /\xff HTTP/1.1\r\nHost: h\r\n\r\n",
    "tab_for_space": b"GET\t/health\tHTTP/1.1\r\nHost: h\r\n\r\n", "no_target": b"GET HTTP/1.1\r\nHost: h\r\n\r\n",
    "fragment": b"GET /health#x HTTP/1.1\r\nHost: h\r\n\r\n", "garbage": b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n",
    "authority_target": b"CONNECT h:1 HTTP/1.1\r\nHost: h\r\n\r\n", "connection_eats_length":
    post(b"Connection: Content-Length\r\nContent-Length: 0\r\nTransfer-Encoding: chunked\r\n", EMPTY_CHUNKS),
}

BROKEN_CHUNKS = {
    "negative": b"-1\r\naaaaa", "overflow": b"ffffffffffffffff1\r\naa", "hex_prefix": b"0x5\r\naaaaa\r\n0\r\n\r\n",
    "plus": b"+5\r\naaaaa\r\n0\r\n\r\n", "no_crlf_after_data": b"5\r\naaaaa0\r\n\r\n", "long_data": b"5\r\naaaaaa\r\n0\r\n\r\n",
    "bare_lf": b"5\naaaaa\n0\n\n", "empty_size": b"\r\naaaaa\r\n0\r\n\r\n", "space_in_size": b"5 5\r\naaaaa\r\n0\r\n\r\n",
    "word": b"five\r\n", "huge_extension": b"5;" + b"e" * 65536 + b"\r\naaaaa\r\n0\r\n\r\n",
    "leading_zeros": b"0" * 10_000 + b"5\r\naaaaa\r\n0\r\n\r\n",
}


@pytest.fixture
def canary(server):
    slot = Slot(server, "slot_0")
    slot.reset()
    yield slot
    assert slot.read("smuggled")["error"] == "File not found: smuggled", "a smuggled request ran"
    assert server.wire.health()["status"] == "ok"


@pytest.mark.parametrize("name", AMBIGUOUS)
def test_an_ambiguous_message_is_refused_and_closes(server, canary, name):
    received, closed = server.wire.raw(AMBIGUOUS[name] + SMUGGLED)
    assert closed, received
    assert len(statuses(received)) <= 1, received
    assert statuses(received) in ([400], [501], [505], [413], [405]), received


@pytest.mark.parametrize("name", ["length_then_chunked", "equal_lengths", "chunked_gzip", "two_hosts", "folded"])
def test_refusals_do_not_depend_on_how_the_bytes_arrive(server, canary, name):
    message = AMBIGUOUS[name] + SMUGGLED
    for at in range(1, len(AMBIGUOUS[name]), 7):
        with server.wire.socket() as plain:
            try:
                plain.sendall(message[:at])
                time.sleep(0.001)
                plain.sendall(message[at:])
                received = b""
                while part := plain.recv(65536):
                    received += part
            except ConnectionError:
                pass
            assert statuses(received) in ([400], [501]), (at, received)


@pytest.mark.parametrize("name", BROKEN_CHUNKS)
def test_broken_chunks_are_refused_and_close(server, canary, name):
    received, closed = server.wire.raw(post(TE, BROKEN_CHUNKS[name]) + SMUGGLED)
    assert closed and statuses(received) in ([400], [413], [431]), received


@pytest.mark.parametrize("fields", [b"X: " + b"a" * (16 << 10) + b"\r\n", b"".join(b"X%d: y\r\n" % i for i in range(120)),
                                    b"N" * (17 << 10) + b": v\r\n"], ids=["long_value", "many_fields", "long_name"])
def test_an_oversized_head_is_431_and_closes(server, canary, fields):
    received, closed = server.wire.raw(post(fields + b"Content-Length: 0\r\n") + SMUGGLED)
    assert closed and statuses(received) == [431], received[:300]


def test_an_oversized_target_is_refused(server, canary):
    received, closed = server.wire.raw(b"GET /" + b"a" * (17 << 10) + b" HTTP/1.1\r\nHost: h\r\n\r\n")
    assert closed and statuses(received) in ([414], [431], [400])


def test_a_head_that_never_ends_is_cut(server, canary):
    received, closed = server.wire.raw(b"GET /health HTTP/1.1\r\nHost: h\r\n" + b"X: y\r\n" * 50_000)
    assert closed and statuses(received) in ([431], []), received[:300]


def test_trailers_are_dropped_and_never_become_headers(server, canary):
    body = b'{"slot_id":"slot_1","tool":"bash","args":{"command":"echo x"}}'
    trailers = b"0\r\nBerth-Boot: another\r\nContent-Length: 5\r\nAuthorization: Bearer x\r\n\r\n"
    received, _ = server.wire.raw(post(TE, chunk(body) + trailers) + b"GET /health HTTP/1.1\r\nHost: h\r\n\r\n")
    assert statuses(received) in ([200, 200], [400]), received
    assert b"wrong_boot" not in received


def test_large_trailers_are_431(server, canary):
    body = chunk(b'{"slot_id":"slot_1","tool":"read_file","args":{"path":"x"}}') + b"0\r\n" + b"X: " + b"y" * 300_000 + b"\r\n\r\n"
    received, closed = server.wire.raw(post(TE, body) + SMUGGLED)
    assert closed and 431 in statuses(received) or statuses(received) == [400], received[:300]


def test_an_absolute_target_is_not_acted_upon(server, canary):
    received, _ = server.wire.raw(b"GET http://169.254.169.254/health HTTP/1.1\r\nHost: h\r\n\r\n")
    assert statuses(received) in ([200], [400], [404]) and b"169.254" not in received


def test_pipelined_requests_are_answered_in_order(server):
    two = b"GET /health HTTP/1.1\r\nHost: h\r\n\r\nGET /nonsense HTTP/1.1\r\nHost: h\r\n\r\n"
    received, _ = server.wire.raw(two + b"GET /slots HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n")
    assert statuses(received) == [200, 404, 200]


def test_chunked_bodies_are_read(server):
    body = b'{"slot_id":"slot_1","tool":"bash","args":{"command":"echo x"}}'
    for pieces in [[body], [body[i:i + 1] for i in range(len(body))], [body[:10], body[10:]]]:
        message = post(TE + b"Connection: close\r\n", b"".join(map(chunk, pieces)) + EMPTY_CHUNKS)
        received, closed = server.wire.raw(message)
        assert closed and statuses(received) == [200] and b'"x"' in received


def test_a_message_split_at_every_byte_is_understood(server):
    message = b"GET /health HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n"
    for at in range(1, len(message)):
        received, _ = server.wire.raw(message[:at], message[at:], quiet=5)
        assert statuses(received) == [200], (at, received)


def test_expect_100_continue_is_answered(server):
    body = b'{"slot_id":"slot_1","tool":"bash","args":{"command":"echo x"}}'
    with server.wire.socket(20) as plain:
        plain.sendall(post(b"Expect: 100-continue\r\nConnection: close\r\nContent-Length: %d\r\n" % len(body)))
        first = plain.recv(4096)
        if b" 100 " in first.split(b"\r\n")[0]:
            plain.sendall(body)
            received = b""
            while part := plain.recv(65536):
                received += part
            assert statuses(received) == [200]
        else:
            assert statuses(first)[0] in (200, 417), first


def test_a_client_that_sends_nothing_blocks_nobody(server):
    idle = [server.wire.socket() for _ in range(200)]
    try:
        begin = time.monotonic()
        assert server.wire.health()["status"] == "ok"
        assert time.monotonic() - begin < 5
    finally:
        for plain in idle:
            plain.close()


def test_a_slow_head_is_cut_within_its_limit(server):
    with server.wire.socket(60) as plain:
        plain.sendall(b"GET /health HTTP/1.1\r\nHost:")
        begin = time.monotonic()
        received = plain.recv(4096)
        assert time.monotonic() - begin < 10 * 2.5 and statuses(received) in ([408], [])

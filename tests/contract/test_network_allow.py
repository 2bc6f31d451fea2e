# SPDX-License-Identifier: Apache-2.0
"""slot.network: {allow: [...]}: rows 45 and 46 of facts/threats.md, and what a filtering proxy owes its slot's programs."""
import pathlib
import re
import ssl

import pytest

from certificates import Authority
from harness import Slot, patient, wait_until
from internet import INSIDE, PUBLIC, RANGE, Internet

PROXY = 3128
SOON = patient(5)       # five times what a cut may take
ACCEPTS_A_SECOND = 500  # slotd/proxy/gate.hpp
BACK_PRESSURE = 32 << 20  # design section 9: memory under a flood

# A client of the proxy that sends bytes as they are and prints what comes back.
RAW = """
import json, socket, sys
plain = socket.create_connection(("127.0.0.1", 3128), 30)
plain.sendall(bytes.fromhex(sys.argv[1]))
if len(sys.argv) > 2: plain.shutdown(socket.SHUT_WR)
answer = b""
while more := plain.recv(65536): answer += more
print(json.dumps(answer.decode("latin-1")))
"""
FETCH = """
import json, sys, urllib.error, urllib.request
try:
    got = urllib.request.urlopen(sys.argv[1], timeout=30, data=sys.argv[2].encode() if len(sys.argv) > 2 else None)
    print(json.dumps([got.status, got.read().decode()]))
except urllib.error.HTTPError as error:
    print(json.dumps([error.code, error.read().decode()]))
except OSError as error:
    print(json.dumps([0, str(error)]))
"""
SECURE = """
import json, ssl, sys, urllib.request
context = ssl.create_default_context(cadata=open("/workspace/ca.pem").read())
try:
    print(json.dumps(urllib.request.urlopen(sys.argv[1], timeout=30, context=context).read().decode()))
except OSError as error:
    print(json.dumps(str(error)))
"""
HOLD = """
import socket, sys, time
plain = socket.create_connection(("127.0.0.1", 3128), 30)
plain.sendall(f"CONNECT {sys.argv[1]} HTTP/1.1\\r\\nHost: {sys.argv[1]}\\r\\n\\r\\n".encode())
print(plain.recv(100).decode().split("\\r\\n")[0], flush=True)
plain.sendall(sys.argv[2].encode() if len(sys.argv) > 2 else b"")
plain.recv(1)
print("cut", flush=True)
"""
# What no slot may reach, by what a name says.
BAD = {
    "loopback": ["127.0.0.1"], "loopback6": ["::1"], "unspecified": ["0.0.0.0"], "unspecified6": ["::"], "private": ["10.1.2.3"],
    "private172": ["172.16.0.1"], "private192": ["192.168.1.1"], "shared": ["100.64.0.1"], "metadata": ["169.254.169.254"],
    "linklocal6": ["fe80::1"], "unique6": ["fd00:ec2::254"], "mapped": ["::ffff:127.0.0.1"], "nat64": ["64:ff9b::7f00:1"],
    "sixtofour": ["2002:7f00:1::1"], "teredo": ["2001:0:7f00:1::1"], "broadcast": ["255.255.255.255"], "multicast": ["224.0.0.1"],
    "mixed": [PUBLIC, INSIDE],
}


class World:
    def __init__(self, folder, network):
        self.network = network
        self.authority = Authority(folder)
        certificate, key = folder / "web.pem", folder / "web.key"
        for path, text in zip((certificate, key), self.authority.issue("web", "DNS:web.test")):
            path.write_text(text)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate, key)
        self.net = Internet(context, network and network.pid)
        here = [PUBLIC]
        self.net.names.update({
            "web.test": here, "other.test": here, "wild.test": here, "sub.wild.test": here, "deep.sub.wild.test": here,
            "notwild.test": here, "rebind.test": [[PUBLIC], [INSIDE]], "silent.test": None,
            **{f"{name}.bad.test": addresses for name, addresses in BAD.items()}})

    def config(self, **slot):
        net = self.net
        allow = [f"web.test:{port}" for port in (net.port, net.tls_port, net.echo_port)]
        allow += [f"{name}:{net.port}" for name in ("*.wild.test", "*.bad.test", "rebind.test", "missing.test", INSIDE, "[::1]",
                                                    "169.254.169.254", "10.0.0.1")]
        return {"slot": {"network": "allow", "allow": allow, **slot}}

    def arguments(self):
        return ["--proxy-name-servers", f"{PUBLIC}:{self.net.names_port}", "--proxy-unsafe-allow", RANGE]

    def options(self, config=None, more=(), strict=False):
        """Of a server that stands in this world."""
        arguments = self.arguments()[:2] if strict else self.arguments()
        return {"config": config or self.config(), "arguments": [*arguments, *more], "beside": self.network}

    def url(self, name="web.test", path="hello", port=None):
        return f"http://{name}:{port or self.net.port}/{path}"


@pytest.fixture(scope="module")
def world(tmp_path_factory, network):
    one = World(tmp_path_factory.mktemp("internet"), network)
    yield one
    one.net.close()


@pytest.fixture(scope="module")
def server(user, new_slotd, world):
    slotd = new_slotd(user=user, slots=3, **world.options()).connect()
    yield slotd
    slotd.stop()


@pytest.fixture
def slot(server):
    one = Slot(server, "slot_0")
    one.reset()
    return one


@pytest.fixture
def unreached(world):
    """Fails when anything connected to what must not be reached."""
    before = world.net.arrived.count("inside")
    yield
    assert world.net.arrived.count("inside") == before


def raw(slot, text, *more):
    return slot.python(RAW, (text if isinstance(text, bytes) else text.encode()).hex(), *more)


def metric(server, name, *labels):
    lines = server.wire.get("/metrics").body.decode().splitlines()
    return sum(float(line.rpartition(" ")[2]) for line in lines
               if line.startswith("berth_slotd_proxy_" + name) and all(label in line for label in labels))


def network_of(result, destination):
    return next(each for each in result["metadata"]["network"]["destinations"] if each["destination"] == destination)


# --- what is allowed ---

def test_an_allowed_name_is_reached_by_programs_that_know_nothing_of_it(slot, world):
    assert slot.output(f"curl -sS {world.url()}") == "hello"
    assert slot.python(FETCH, world.url()) == [200, "hello"]


@pytest.mark.parametrize("tool", ["bash", "exec", "bash_stateful"])
def test_every_tool_tells_its_programs_of_the_proxy(slot, tool):
    command = 'echo "$http_proxy $https_proxy $HTTP_PROXY $HTTPS_PROXY $no_proxy"'
    result = slot.exec("/bin/sh", "-c", command) if tool == "exec" else slot.run(tool, {"command": command}, timeout=60)
    proxy = f"http://127.0.0.1:{PROXY}"
    assert result["output"].split() == [proxy] * 4 + ["localhost,127.0.0.1,::1"]


def test_tls_goes_through_a_tunnel_to_its_end(slot, world):
    slot.write("ca.pem", world.authority.pem.read_text())
    assert slot.python(SECURE, f"https://web.test:{world.net.tls_port}/hello") == "hello"
    assert slot.output(f"curl -sS --cacert ca.pem https://web.test:{world.net.tls_port}/hello") == "hello"


def test_a_tunnel_carries_both_directions_and_half_closes(slot, world):
    where = f"web.test:{world.net.echo_port}"
    said = raw(slot, f"CONNECT {where} HTTP/1.1\r\nHost: {where}\r\n\r\nping", "then nothing more")
    assert said == "HTTP/1.1 200 Connection established\r\n\r\npingbye"


def test_bodies_arrive_whole_in_both_framings(slot, world):
    assert slot.python(FETCH, world.url(path="body"), "x" * 40_000) == [200, "x" * 40_000]
    assert slot.output(f"head -c 300000 /dev/zero | tr '\\0' y | curl -sS -T - -X POST {world.url(path='body')} | wc -c") == "300000"
    assert slot.python(FETCH, world.url(path="chunked")) == [200, "one two three"]
    assert slot.output(f"curl -sS '{world.url(path='endless?bytes=200000')}' | wc -c") == "200000"


def test_a_connection_takes_one_request_after_the_other_each_judged_by_itself(slot, world):
    said = raw(slot, f"GET {world.url()} HTTP/1.1\r\nHost: web.test:{world.net.port}\r\n\r\n"
                     f"HEAD {world.url()} HTTP/1.1\r\nHost: web.test:{world.net.port}\r\n\r\n"
                     f"GET {world.url('other.test')} HTTP/1.1\r\nHost: other.test:{world.net.port}\r\n\r\n"
                     f"GET {world.url()} HTTP/1.1\r\nHost: web.test:{world.net.port}\r\n\r\n")
    assert re.findall(r"HTTP/1.1 (\d+)", said) == ["200", "200", "403"], said


def test_fields_of_one_hop_stay_there(slot, world):
    said = raw(slot, f"GET {world.url(path='hello?q=1')} HTTP/1.1\r\nHost: web.test:{world.net.port}\r\nConnection: close, x-hop\r\n"
                     "X-Hop: 1\r\nX-Kept: 1\r\nProxy-Authorization: Basic eA==\r\nProxy-Connection: keep-alive\r\n"
                     "Te: trailers\r\nUpgrade: h2c\r\n\r\n")
    sent = world.net.requests[-1].decode().lower().split("\r\n")
    assert sent == ["get /hello?q=1 http/1.1", f"host: web.test:{world.net.port}", "x-kept: 1", "connection: close"]
    assert said.count("set-cookie") == 2 and "x-mine" not in said.lower(), said


@pytest.mark.parametrize("name", ["sub.wild.test", "deep.sub.wild.test", "SUB.Wild.Test"])
def test_a_wildcard_holds_for_everything_below_its_name(slot, world, name):
    assert slot.python(FETCH, world.url(name)) == [200, "hello"]


# --- what is not ---

@pytest.mark.parametrize("name", ["other.test", "wild.test", "notwild.test", "web.test.other.test", "eweb.test"])
def test_other_names_are_refused_and_never_looked_up(slot, world, name):
    status, words = slot.python(FETCH, world.url(name))
    assert status == 403 and f'{name}:{world.net.port} is not among' in words and f'allow: ["{name}:{world.net.port}"]' in words
    assert not any(asked == name for asked, _ in world.net.questions)


def test_other_ports_are_refused(slot, world):
    status, words = slot.python(FETCH, world.url(port=world.net.port + 1))
    assert status == 403 and "not among" in words


def test_a_refused_tunnel_tells_why(slot, world):
    said = raw(slot, "CONNECT other.test:443 HTTP/1.1\r\nHost: other.test:443\r\n\r\n")
    assert said.startswith("HTTP/1.1 403 Forbidden\r\n") and "berth-refused: not_listed" in said and '"other.test:443"' in said


@pytest.mark.parametrize("name", BAD)
def test_row45_names_of_inner_addresses_are_refused(slot, world, unreached, name):
    status, words = slot.python(FETCH, world.url(f"{name}.bad.test"))
    assert status == 403 and "which no slot may reach" in words, words


@pytest.mark.parametrize("host", [INSIDE, "[::1]", "169.254.169.254", "10.0.0.1"])
def test_row45_inner_addresses_are_refused_though_they_are_listed(slot, world, unreached, host):
    said = raw(slot, f"CONNECT {host}:{world.net.port} HTTP/1.1\r\nHost: {host}:{world.net.port}\r\n\r\n")
    assert said.startswith("HTTP/1.1 403") and "berth-refused: address" in said


@pytest.mark.parametrize("host", ["2130706433", "0x7f000001", "0177.0.0.1", "127.1", "0", "[::ffff:127.0.0.1]", "localhost",
                                  "127.0.0.1.", "[::1%25lo]"])
def test_row45_other_spellings_of_loopback_are_refused(slot, world, unreached, host):
    said = raw(slot, f"GET http://{host}:{world.net.port}/hello HTTP/1.1\r\nHost: {host}:{world.net.port}\r\n\r\n")
    assert said[9:12] in ("400", "403"), said


def test_row45_a_redirect_is_the_clients_and_judged_anew(slot, world, unreached):
    for target in (world.url("other.test"), world.url("loopback.bad.test")):
        assert slot.python(FETCH, world.url(path=f"redirect?to={target}"))[0] == 403
    assert slot.python(FETCH, world.url(path=f"redirect?to={world.url(INSIDE)}"))[0] == 0  # the slot's own loopback


def test_row45_a_name_is_asked_for_once_and_what_was_judged_is_connected_to(slot, world, unreached):
    world.net.questions.clear()
    assert slot.python(FETCH, world.url("rebind.test")) == [200, "hello"]
    assert sum(name == "rebind.test" and kind == "A" for name, kind in world.net.questions) == 1
    status, words = slot.python(FETCH, world.url("rebind.test"))
    assert status == 403 and INSIDE in words


def test_row45_loopback_is_refused_where_nobody_said_unsafe(start, world):
    strict = start(slots=1, **world.options(strict=True))
    before = len(world.net.arrived)
    status, words = Slot(strict, "slot_0").python(FETCH, world.url())
    assert status == 403 and f"{PUBLIC} (loopback)" in words and len(world.net.arrived) == before


def test_row46_nothing_goes_past_the_proxy(slot, world):
    before = len(world.net.arrived), len(world.net.questions)
    seen = slot.python("""
import json, socket, sys
web, names, server, results = *map(int, sys.argv[1:4]), {}
def attempt(name, family, kind, address, protocol=0):
    try:
        with socket.socket(family, kind, protocol) as plain:
            plain.settimeout(2)
            plain.connect(address)
            plain.send(b"\\x08\\x00\\xf7\\xff\\x00\\x00\\x00\\x00")
            plain.recv(100)
            results[name] = "answered"
    except OSError as error:
        results[name] = "nothing"
four, six, tcp, udp = socket.AF_INET, socket.AF_INET6, socket.SOCK_STREAM, socket.SOCK_DGRAM
attempt("tcp", four, tcp, ("127.77.0.1", web))
attempt("agent", four, tcp, ("127.0.0.1", server))
for port in (4646, 4647, 4648, 2375, 8780): attempt(f"port {port}", four, tcp, ("127.0.0.1", port))
attempt("names", four, udp, ("127.77.0.1", names))
attempt("dns", four, udp, ("8.8.8.8", 53))
attempt("metadata", four, tcp, ("169.254.169.254", 80))
attempt("six", six, tcp, ("2001:4860:4860::8888", 53))
attempt("six udp", six, udp, ("2001:4860:4860::8888", 53))
attempt("ping", four, socket.SOCK_RAW, ("8.8.8.8", 0), socket.IPPROTO_ICMP)
attempt("ping datagram", four, udp, ("8.8.8.8", 0), socket.IPPROTO_ICMP)
attempt("raw", four, socket.SOCK_RAW, ("8.8.8.8", 0), socket.IPPROTO_RAW)
try:
    socket.getaddrinfo("web.test", 80)
    results["lookup"] = "answered"
except OSError:
    results["lookup"] = "nothing"
print(json.dumps(results))
""", str(world.net.port), str(world.net.names_port), str(slot.wire.address if isinstance(slot.wire.address, int) else 8080))
    assert set(seen.values()) == {"nothing"}, seen
    assert (len(world.net.arrived), len(world.net.questions)) == before


def test_row46_a_slot_has_its_own_proxy_and_no_other(server, world):
    one, two = Slot(server, "slot_1"), Slot(server, "slot_2")
    one.reset(), two.reset()
    before = network_total(one, world)
    two.output(f"curl -sS {world.url()}")
    assert network_total(one, world) == before
    assert "slot_1" in one.output("hostname") and "slot_2" in two.output("hostname")


def network_total(slot, world):
    return slot.bash("true")["metadata"].get("network")


def test_a_call_may_do_without_the_network(slot, world):
    result = slot.bash(f"echo [$http_proxy]; curl -sS -x http://127.0.0.1:{PROXY} {world.url()}", allow_network=False)
    assert result["output"].startswith("[]") and "hello" not in result["output"] and not result["success"]
    assert result["metadata"]["network_isolated"] is True
    assert slot.bash("true")["metadata"]["network_isolated"] is False


# --- hostile clients and servers ---

@pytest.mark.parametrize("request_text", [
    "GET / HTTP/1.1\r\nHost: web.test\r\n\r\n",
    "GET https://web.test:{port}/hello HTTP/1.1\r\nHost: web.test:{port}\r\n\r\n",
    "GET ftp://web.test:{port}/hello HTTP/1.1\r\nHost: web.test:{port}\r\n\r\n",
    "GET http://user@web.test:{port}/hello HTTP/1.1\r\nHost: web.test:{port}\r\n\r\n",
    "GET http://web.test:{port}/hello HTTP/1.1\r\nHost: other.test:{port}\r\n\r\n",
    "GET http://web.test:{port}/hello HTTP/1.1\r\nHost: web.test:{port}\r\nHost: web.test:{port}\r\n\r\n",
    "GET http://web.test:{port}/hello HTTP/1.1\r\n\r\n",
    "GET http://web.test:{port}/hello HTTP/1.1\nHost: web.test:{port}\n\n",
    "GET http://web.test:{port}/hello HTTP/1.1\r\nHost : web.test:{port}\r\n\r\n",
    "GET http://web.test:{port}/a b HTTP/1.1\r\nHost: web.test:{port}\r\n\r\n",
    "GET http://web.test:{port}/hello HTTP/2.0\r\nHost: web.test:{port}\r\n\r\n",
    "POST http://web.test:{port}/body HTTP/1.1\r\nHost: web.test:{port}\r\nContent-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    "POST http://web.test:{port}/body HTTP/1.1\r\nHost: web.test:{port}\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nab",
    "POST http://web.test:{port}/body HTTP/1.1\r\nHost: web.test:{port}\r\nTransfer-Encoding: xchunked\r\n\r\n0\r\n\r\n",
    "POST http://web.test:{port}/body HTTP/1.1\r\nHost: web.test:{port}\r\nContent-Length: +4\r\n\r\nabcd",
    "CONNECT web.test HTTP/1.1\r\nHost: web.test\r\n\r\n",
    "CONNECT http://web.test:{port} HTTP/1.1\r\nHost: web.test:{port}\r\n\r\n",
    "CONNECT web.test:{port}/ HTTP/1.1\r\nHost: web.test:{port}\r\n\r\n",
    "CONNECT web.test:{port} HTTP/1.1\r\nHost: other.test:{port}\r\n\r\n",
    "CONNECT web.test:{port} HTTP/1.1\r\nHost: web.test:{port}\r\nContent-Length: 5\r\n\r\nhello",
    "CONNECT web.test:0{port} HTTP/1.1\r\nHost: web.test:{port}\r\n\r\n",
    "\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
])
def test_what_could_be_read_in_two_ways_reaches_nobody(slot, world, request_text):
    before = len(world.net.arrived)
    said = raw(slot, request_text.replace("{port}", str(world.net.port)).encode("latin-1"))
    assert said[9:12] in ("400", "505"), said
    assert len(world.net.arrived) == before


@pytest.mark.parametrize("how", ["both", "garbage", "nothing", "lengths", "upgrade"])
def test_servers_that_lie_are_bad_gateways(slot, world, how):
    status, words = slot.python(FETCH, world.url(path=f"lies?how={how}"))
    assert status == 502, words


def test_names_that_do_not_exist_are_told(slot, world):
    status, words = slot.python(FETCH, world.url("missing.test"))
    assert status == 502 and "missing.test" in words


def test_a_slow_reader_fills_no_memory(server, slot, world):
    slot.output(f"curl -sS {world.url()}")
    before = server.rss_bytes()
    read = slot.bash(f"""curl -sS --limit-rate 1M -m 3 -o /dev/null '{world.url(path="endless?bytes=300000000")}' 2>/dev/null; echo done""")
    assert read["output"].endswith("done")
    assert server.rss_bytes() - before < BACK_PRESSURE


def test_more_connections_than_a_slot_may_have_wait_for_their_turn(slot, world):
    where = f"web.test:{world.net.echo_port}"
    seen = slot.python(f"""
import json, select, socket
request = b"CONNECT {where} HTTP/1.1\\r\\nHost: {where}\\r\\n\\r\\n"
def dial():
    plain = socket.create_connection(("127.0.0.1", 3128), 30)
    plain.sendall(request)
    return plain
held = [dial() for _ in range(64)]
ready = [plain.recv(100)[9:12].decode() for plain in held]
late = dial()
early = bool(select.select([late], [], [], 0.5)[0])
held.pop().close()
print(json.dumps([sorted(set(ready)), early, late.recv(100)[9:12].decode()]))
""")
    assert seen == [["200"], False, "200"]


def test_who_only_knocks_is_let_in_at_a_pace(slot):
    """At most two seconds' worth come in just before and after a second begins; the rest waits for the next one."""
    took = slot.python(f"""
import json, socket, time
begin = time.monotonic()
for _ in range({ACCEPTS_A_SECOND * 2 + 1}):
    with socket.create_connection(("127.0.0.1", 3128), 30) as plain:
        plain.sendall(b"CONNECT other.test:1 HTTP/1.1\\r\\nHost: other.test:1\\r\\n\\r\\n")
        assert plain.recv(100).startswith(b"HTTP/1.1 403")
print(json.dumps(time.monotonic() - begin))
""")
    assert took >= 1


def test_a_tunnel_that_carries_nothing_is_cut(start, world):
    quick = start(slots=1, **world.options(more=["--proxy-idle-limit", "1"]))
    result = Slot(quick, "slot_0").exec("/usr/bin/python3", "-c", HOLD, f"web.test:{world.net.echo_port}")
    assert result["output"].splitlines()[-1] == "cut"
    assert result["metadata"]["wall_ms"] < 1000 * SOON + 5000


# --- ends ---

def hold(slot, world):
    """Leaves a tunnel open in the slot; returns the number of connections that the echo has."""
    have = len(world.net.open)
    slot.run("exec", {"argv": ["/usr/bin/python3", "-c", HOLD, f"web.test:{world.net.echo_port}"], "background": True})
    wait_until(lambda: len(world.net.open) > have, SOON, "the tunnel stands")
    return have


def test_a_reset_cuts_what_the_slot_had_open(server, slot, world):
    have = hold(slot, world)
    assert metric(server, "connections ") >= 1
    slot.reset()
    wait_until(lambda: len(world.net.open) == have, SOON, "the far end sees the end")
    assert metric(server, "connections ") == 0
    assert slot.output(f"curl -sS {world.url()}") == "hello"


def test_a_reset_cuts_tunnels_whose_far_end_does_not_listen(server, slot, world):
    before = world.net.silent
    slot.run("exec", {"argv": ["/usr/bin/python3", "-c", HOLD, f"web.test:{world.net.port}", "GET /silence HTTP/1.1\r\n\r\n"],
                      "background": True})
    wait_until(lambda: world.net.silent > before, SOON, "the far end has the request")
    assert metric(server, "connections ") == 1
    slot.reset()
    assert metric(server, "connections ") == 0


def test_who_goes_away_before_the_answer_leaves_no_connection(server, slot, world):
    before = world.net.silent
    slot.bash(f"curl -sS -m 1 {world.url(path='silence')}; curl -sS -m 1 -d x {world.url(path='silence')}")
    assert world.net.silent == before + 2
    wait_until(lambda: metric(server, "connections ") == 0, SOON, "no connection is left")


def test_the_end_of_a_call_ends_its_connections(server, slot, world):
    have = len(world.net.open)
    slot.bash(f"curl -sS -m 30 http://web.test:{world.net.echo_port}/", timeout=1)
    wait_until(lambda: len(world.net.open) == have, SOON, "nothing is left of the call")
    wait_until(lambda: metric(server, "connections ") == 0, SOON, "no connection is left")


def test_the_end_of_the_server_cuts_everything(start, world):
    one = start(slots=1, **world.options())
    have = hold(Slot(one, "slot_0"), world)
    one.stop()
    wait_until(lambda: len(world.net.open) == have, SOON, "the far end sees the end")


def test_a_server_that_stops_does_not_wait_for_names(start, world):
    config = world.config()
    config["slot"]["allow"].append("silent.test")
    one = start(slots=1, **world.options(config))
    slot = Slot(one, "slot_0")
    slot.run("exec", {"argv": ["/usr/bin/curl", "-sS", "http://silent.test/"], "background": True})
    wait_until(lambda: metric(one, "connections ") == 1, SOON, "the name is asked for")
    slot.reset()
    assert metric(one, "connections ") == 0


# --- counts ---

def test_each_call_says_what_it_talked_to(slot, world):
    where, other = f"web.test:{world.net.port}", f"other.test:{world.net.port}"
    result = slot.bash(f"curl -sS {world.url()}; curl -sS {world.url()}; curl -sS {world.url('other.test')}")
    seen = network_of(result, where)
    assert (seen["connections"], seen["refused"]) == (2, 0) and seen["sent_bytes"] > 50 and seen["received_bytes"] > 100
    assert network_of(result, other) == {"destination": other, "connections": 0, "refused": 1, "sent_bytes": 0, "received_bytes": 0}
    assert "network" not in slot.bash("true")["metadata"]


def test_tunnels_are_counted_to_the_byte(slot, world):
    where = f"web.test:{world.net.echo_port}"
    result = slot.exec("/usr/bin/python3", "-c", RAW, f"CONNECT {where} HTTP/1.1\r\nHost: {where}\r\n\r\nping".encode().hex(), "end")
    assert network_of(result, where) == {"destination": where, "connections": 1, "refused": 0, "sent_bytes": 4, "received_bytes": 7}


def test_metrics_carry_the_jobs_patterns_and_no_name_that_a_slot_chose(server, slot, world):
    pattern = f'pattern="*.wild.test:{world.net.port}"'
    before = metric(server, "connections_total", pattern), metric(server, "refused_total", 'reason="not_listed"')
    slot.bash(f"curl -sS {world.url('deep.sub.wild.test')}; curl -sS {world.url('chosen-by-slot.test')}")
    assert metric(server, "connections_total", pattern) == before[0] + 1
    assert metric(server, "received_bytes_total", pattern) > 0
    assert metric(server, "refused_total", 'reason="not_listed"') == before[1] + 1
    text = server.wire.get("/metrics").body.decode()
    assert "chosen-by-slot" not in text and "deep.sub" not in text


def test_many_destinations_of_one_call_are_bounded(slot, world):
    result = slot.python("""
import json, socket
for i in range(50):
    with socket.create_connection(("127.0.0.1", 3128), 30) as plain:
        plain.sendall(f"CONNECT host{i}.test:443 HTTP/1.1\\r\\nHost: host{i}.test:443\\r\\n\\r\\n".encode())
        plain.recv(1000)
print(json.dumps(True))
""")
    assert result is True
    last = slot.server.wire.get("/metrics").body
    assert b"host49" not in last


# --- setup, and where there can be no proxy ---

def test_setup_steps_have_the_servers_whole_network_and_no_proxy(start, world):
    steps = ["cat /proc/net/dev > /opt/devices; env > /opt/env"]
    one = start(slots=1, **world.options({**world.config(), "setup": steps}))
    slot = Slot(one, "slot_0")
    own = pathlib.Path(f"/proc/{world.network.pid if world.network else 'self'}/net/dev").read_text()
    assert devices_in(slot.output("cat /opt/devices")) == devices_in(own)
    assert "proxy" not in slot.output("cat /opt/env").lower()
    assert "http_proxy=" in slot.output("env")


def devices_in(text):
    return sorted(line.split(":")[0].strip() for line in text.splitlines() if ":" in line)


@pytest.mark.parametrize("level", ["none", "best-effort"])
def test_without_a_network_of_its_own_no_slot_starts(launch, world, level):
    config = {**world.config(), "isolation": level}
    if level == "best-effort":
        config["measures_off"] = ["network_namespace"]
    said = launch(slots=1, config=config).ready_line()
    assert said["ok"] is False and "network" in str(said), said


def test_what_is_unsafe_is_told_at_every_start(start, world):
    told = f"UNSAFE: slots with a proxy may reach addresses that are not public range={RANGE}"
    assert told in start(slots=1, **world.options()).log()


@pytest.mark.parametrize("text", ["10.0.0.0", "10.0.0.0/33", "everything"])
def test_a_range_that_is_none_is_refused(launch, world, text):
    slotd = launch(slots=1, config=world.config(), arguments=["--proxy-unsafe-allow", text])
    assert slotd.process.wait(SOON) == 3
    assert text in slotd.log()


@pytest.mark.parametrize("slot_spec", [
    {"network": "allow"}, {"network": "allow", "allow": []}, {"network": "none", "allow": ["a.test"]},
    {"network": "allow", "allow": ["*"]}, {"network": "allow", "allow": ["10.0.0.0/8"]},
])
def test_a_list_that_makes_no_sense_is_refused(launch, slot_spec):
    slotd = launch(slots=1, config={"slot": slot_spec})
    assert slotd.process.wait(SOON) == 3, slotd.log()

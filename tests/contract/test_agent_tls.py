# SPDX-License-Identifier: Apache-2.0
"""`berth agent` over TLS: the same routes through Python's ssl and through `berth`, certificates that change, and peers and
files that are not as they should be."""
import hashlib
import http.server
import json
import os
import re
import signal
import socket
import ssl
import subprocess
import threading

import pytest

from agent_fixtures import fresh_machine as machine  # noqa: F401
from agent_harness import START_LIMIT, Agent, read_line
from certificates import Authority, common_name
from wire import Wire

BIG = 10_000_000
CANARY = "canary-5b1c0d9e7f"
GARBAGE_PEERS = 60
SECRET = "op-secret-0123456789"


@pytest.fixture(scope="module")
def authority(tmp_path_factory):
    return Authority(tmp_path_factory.mktemp("authority"))


def install(machine, pair, key_mode=0o600):
    """cert.pem and key.pem, as the configuration of these tests names them."""
    machine.write("cert.pem", pair[0])
    return machine.write("key.pem", pair[1], key_mode)


def begin(machine, authority, config="", pair=None, **options):
    install(machine, pair or authority.issue("first"))
    path = machine.write("agent.yaml", "tls: {cert: cert.pem, key: key.pem}\n" + config)
    agent = Agent(machine, "--config", path, tls=authority.client(), **options)
    # What the commands trust: the machine's user may read it.
    agent.client_env = {"BERTH_CACERT": str(machine.write("authority.pem", authority.pem.read_text()))}
    return agent


@pytest.fixture
def agent(machine, authority):
    one = begin(machine, authority, "default_job: pool\n").ready()
    yield one
    one.stop()


def random_bytes():
    return os.urandom(BIG)


def test_every_kind_of_route_through_pythons_tls(agent):
    assert agent.address.startswith("https://127.0.0.1:")
    with agent.wire.socket() as connected:
        assert connected.version() == "TLSv1.3"
    lease = agent.acquire()
    calls = f"/v1/leases/{lease}/executions"
    call = {"tool": "bash", "args": {"command": "for i in 1 2 3; do echo $i; sleep 0.1; done"}}
    assert agent.wire.post(calls, call).json()["output"] == "1\n2\n3"
    lines = list(agent.wire.lines(f"{calls}?stream=1", call))
    assert [line["type"] for line in lines if line["type"] != "output"] == ["start", "result", "end"]
    assert "".join(line["text"] for line in lines if line["type"] == "output") == "1\n2\n3\n"
    sent = random_bytes()
    assert agent.wire.request("PUT", f"/v1/leases/{lease}/files/big", sent).status in (200, 201, 204)
    assert agent.wire.post(calls, {"tool": "bash", "args": {"command": "sha256sum < big"}}).json()["output"].split()[0] == \
        hashlib.sha256(sent).hexdigest()
    assert agent.wire.get(f"/v1/leases/{lease}/files/big").body == sent
    assert agent.wire.get(f"/v1/leases/{lease}/files/big", headers={"Range": "bytes=5-9"}).body == sent[5:10]
    for path in ("/healthz", "/readyz", "/metrics", "/openapi.json", "/v1/slots", "/v1/containers", "/health", "/status"):
        assert agent.wire.get(path).status == 200, path
    tool = {"trajectory_id": "t", "tool": {"name": "terminal", "arguments": {"command": "echo run"}, "uniq_id": "u"}}
    assert agent.wire.post("/execute", tool).json()["output"] == "run"
    assert agent.wire.post("/release", {"trajectory_id": "t"}).status == 200


def test_events_come_as_they_happen(agent):
    connection = agent.wire.connection(timeout=START_LIMIT)
    connection.request("GET", "/v1/events")
    events = connection.getresponse()
    assert events.status == 200
    lease = agent.acquire(trajectory="seen")
    line = b""
    while b'"trajectory":"seen"' not in line.replace(b" ", b""):
        line = events.readline()
        assert line, "the stream ended"
    connection.close()
    assert agent.wire.request("DELETE", f"/v1/leases/{lease}").status == 204


def test_one_connection_serves_many_requests(agent):
    connection = agent.wire.connection()
    connection.connect()
    shown = connection.sock
    for _ in range(50):
        connection.request("GET", "/v1/jobs")
        answer = connection.getresponse()
        assert answer.status == 200 and answer.read()
        assert connection.sock is shown
    connection.close()


def test_the_command_speaks_tls(agent, machine):
    lease = agent.ok("acquire", "--job", "pool", "--wait", "30s").strip()
    assert agent.berth("exec", lease, "--", "sh", "-c", "echo out; echo err >&2; exit 7") == (7, "out\n", "err\n")
    sent = random_bytes()
    (machine.home / "big").write_bytes(sent)
    machine.give(machine.home / "big")
    agent.ok("cp", "big", f"{lease}:there")
    agent.ok("cp", f"{lease}:there", "back")
    assert (machine.home / "back").read_bytes() == sent
    events = agent.lines("events")
    assert any(event["event"] == "lease" for event in events)
    environment = {"BERTH_ADDR": agent.address, **agent.client_env}
    follow = machine.popen("events", "--follow", "--json", "--after", events[-1]["id"], env=environment, stdout=subprocess.PIPE)
    agent.ok("release", lease)
    assert json.loads(read_line(follow.stdout))["event"]
    follow.send_signal(signal.SIGINT)
    assert follow.wait(30) == 130
    follow.stdout.close()
    job = machine.write("run.yaml", "job: work\nslots: 1\nisolation: best-effort\nsteps:\n"
                                    "  - {name: a, tool: bash, args: {command: \"echo done\"}, expect: {output: done}}\n")
    code, out, err = agent.berth("run", job)
    assert code == 0 and "1 succeeded" in out, err


def test_the_command_believes_no_certificate_that_it_does_not_know(agent, machine, authority, tmp_path):
    code, out, err = agent.berth("jobs", env={"BERTH_CACERT": ""})
    assert code == 2 and not out and "not trusted here" in err and "BERTH_CACERT" in err
    other = machine.write("other.pem", Authority(tmp_path).pem.read_text())
    assert agent.berth("jobs", env={"BERTH_CACERT": str(other)})[0] == 2
    code, _, err = agent.berth("jobs", env={"BERTH_CACERT": "/nowhere.pem"})
    assert code == 2 and "BERTH_CACERT" in err and "/nowhere.pem" in err
    assert agent.berth("jobs", env={"BERTH_CACERT": "", "SSL_CERT_FILE": agent.client_env["BERTH_CACERT"]})[0] == 0


def test_the_command_believes_no_certificate_of_another_name(machine, authority):
    agent = begin(machine, authority, pair=authority.issue("elsewhere", "DNS:elsewhere.example,IP:192.0.2.7"), jobs=None).serving()
    code, out, err = agent.berth("jobs")
    assert code == 2 and not out and "for another name" in err and "subjectAltName" in err
    agent.stop()


def test_the_wrong_scheme_is_told(agent, machine):
    port = agent.address.rpartition(":")[2]
    code, _, err = agent.berth("jobs", env={"BERTH_ADDR": f"http://127.0.0.1:{port}"})
    assert code == 2 and "https://" in err, err
    plain = Agent(machine, state="plain", jobs=None).serving()
    code, _, err = machine.berth("jobs", env={"BERTH_ADDR": plain.address.replace("http:", "https:"), **agent.client_env})
    assert code == 2 and "speaks no TLS" in err and "http://" in err, err
    plain.stop()


def test_who_sends_no_tls_delays_nobody_and_fills_no_log(agent):
    port = agent.wire.address
    silent = [socket.create_connection(("127.0.0.1", port)) for _ in range(GARBAGE_PEERS)]
    for text in (b"\0" * 500, b"\x16\x03\x01\x00\x05hello", f"GET / HTTP/1.1\r\nAuthorization: Bearer {CANARY}\r\n\r\n".encode()):
        for _ in range(GARBAGE_PEERS):
            plain = Wire(port)
            received, closed = plain.raw(text)
            assert closed
            assert received.startswith(b"HTTP/1.1 400 ") == text.startswith(b"GET")
    assert agent.wire.get("/healthz").status == 200
    for one in silent:
        one.close()
    assert agent.log().count("TLS handshakes failed") == 1
    assert CANARY not in agent.log()


def test_tokens_guard_it_as_without_tls(machine, authority):
    machine.write("tokens", f"ops {SECRET} admin\n", 0o600)
    agent = begin(machine, authority, "tokens: tokens\n")
    agent.token = SECRET
    agent.ready()
    assert agent.lines("jobs")
    assert Wire(agent.wire.address, tls=agent.tls).get("/v1/jobs").status == 401
    agent.stop()
    code, _, err = machine.berth("agent", "--config", "agent.yaml", "--listen", "0.0.0.0:0", "--state-dir", "other", "--tokens", "none")
    assert code == 2 and "tokens" in err  # TLS says who the server is, not who the caller is


def shown(agent):
    with agent.wire.socket() as connected:
        return common_name(connected)


def test_a_new_certificate_is_taken_and_old_connections_keep_theirs(machine, authority):
    agent = begin(machine, authority).ready()
    old = agent.wire.connection()
    old.connect()
    assert common_name(old.sock) == "first"
    install(machine, authority.issue("second"))
    agent.hang_up()
    assert shown(agent) == "second" and re.search(r"certificate file=\S+ valid_until=20", agent.log())
    old.request("GET", "/v1/jobs")
    assert old.getresponse().status == 200 and common_name(old.sock) == "first"
    old.close()
    agent.stop()


def test_a_bad_new_pair_is_told_and_the_old_one_holds(machine, authority):
    agent = begin(machine, authority).ready()
    first, second = authority.issue("second"), authority.issue("third")
    for pair, words in (((first[0], second[1]), "is not the key"), ((f"{CANARY}\n", first[1]), "holds no certificate"),
                        ((first[0], CANARY), "holds no private key")):
        install(machine, pair)
        agent.hang_up()
        assert "certificate not reloaded" in agent.log() and words in agent.log()
        assert shown(agent) == "first" and agent.wire.get("/v1/jobs").status == 200
    (machine.home / "key.pem").unlink()
    agent.hang_up()
    assert "key.pem" in agent.log() and "No such file" in agent.log() and shown(agent) == "first"
    install(machine, first)
    agent.hang_up()
    assert shown(agent) == "second" and CANARY not in agent.log()
    agent.stop()


@pytest.mark.parametrize("damage, words", [
    (lambda machine, pair, other: (machine.home / "cert.pem").unlink(), ["cert.pem", "No such file"]),
    (lambda machine, pair, other: (machine.home / "key.pem").unlink(), ["key.pem", "No such file"]),
    (lambda machine, pair, other: install(machine, (pair[0], other[1])), ["key.pem", "is not the key", "cert.pem"]),
    (lambda machine, pair, other: install(machine, pair, 0o644), ["key.pem", "other users", "chmod 600"]),
    (lambda machine, pair, other: install(machine, (pair[1], pair[1])), ["cert.pem", "holds no certificate"]),
    (lambda machine, pair, other: machine.write("agent.yaml", "tls: {cert: cert.pem}\n"), ["tls.key"]),
    (lambda machine, pair, other: machine.write("agent.yaml", "tls: {key: key.pem}\n"), ["tls.cert"]),
])
def test_files_that_cannot_be_used_are_a_bad_configuration(machine, authority, damage, words):
    pair = authority.issue("first")
    install(machine, pair)
    machine.write("agent.yaml", "tls: {cert: cert.pem, key: key.pem}\n")
    damage(machine, pair, authority.issue("other"))
    code, out, err = machine.berth("agent", "--config", "agent.yaml", "--listen", "127.0.0.1:0", "--state-dir", "state")
    assert code == 2 and not out and "hint:" in err and all(word in err for word in words), err
    assert not (machine.home / "state").exists()


def test_a_unix_socket_stays_plain(machine, authority):
    agent = begin(machine, authority, listen=f"unix:{machine.home}/sock").ready()
    assert agent.wire.get("/v1/jobs").status == 200 and "a unix socket speaks no TLS" in agent.log()
    agent.stop()


def test_a_tool_server_may_speak_tls(machine, authority, tmp_path):
    asked = []

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_POST(self):
            asked.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
            answer = json.dumps({"success": True, "output": "from outside"}).encode()
            self.send_response(200)
            self.send_header("Content-Length", str(len(answer)))
            self.end_headers()
            self.wfile.write(answer)

        def log_message(self, *_):
            pass

    pair = authority.issue("tools")
    (tmp_path / "pair.pem").write_text("".join(pair))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(tmp_path / "pair.pem")
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.socket = context.wrap_socket(server.socket, server_side=True)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    tool = {"trajectory_id": "t", "tool": {"name": "search", "arguments": {}, "uniq_id": "u"}}
    config = f"default_job: pool\ntool_server: {{url: \"https://127.0.0.1:{server.server_port}\"}}\n"
    trusted = str(machine.write("authority.pem", authority.pem.read_text()))
    agent = begin(machine, authority, config, env={"SSL_CERT_FILE": trusted}).ready()
    assert agent.wire.post("/execute", tool).json()["output"] == "from outside" and asked[0]["tool"]["name"] == "search"
    agent.stop()
    agent = begin(machine, authority, config).ready()
    refused = agent.wire.post("/execute", tool).json()
    assert not refused["success"] and "not trusted here" in refused["error"] and len(asked) == 1
    agent.stop()
    server.shutdown()
    server.server_close()


def test_who_only_looks_whether_the_port_is_open_is_not_told_of(machine, authority):
    agent = begin(machine, authority, jobs=None).serving()
    for _ in range(3):
        socket.create_connection(("127.0.0.1", agent.wire.address)).close()
    assert agent.wire.get("/healthz").status == 200
    assert "TLS handshakes failed" not in agent.log()
    agent.stop()

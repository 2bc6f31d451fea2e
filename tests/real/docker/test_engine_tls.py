# SPDX-License-Identifier: Apache-2.0
"""dockerd itself behind TLS that wants to see a certificate, and one that does not see this machine's folders."""
import pathlib
import subprocess

import pytest

import images
from certificates import Authority
from driver_fixtures import docker_tls_env
from engine import Engine
from registry import free_port

RUN_LIMIT = 60
JOB = """job: one
driver: docker
image: busybox
slots: 1
isolation: best-effort
steps: [{name: hello, tool: bash, args: {command: echo hello}}]
"""


@pytest.fixture(scope="module")
def authority(tmp_path_factory):
    return Authority(tmp_path_factory.mktemp("authority"))


@pytest.fixture(scope="module")
def guarded(engine, authority, tmp_path_factory):
    """An engine that serves TCP with TLS beside its socket. Its certificate is for 127.0.0.1 and for no name."""
    folder = tmp_path_factory.mktemp("engine")
    cert, key = authority.issue("engine", names="IP:127.0.0.1")
    (folder / "cert.pem").write_text(cert)
    (folder / "key.pem").write_text(key)
    port = free_port()
    made = Engine("--host", f"tcp://127.0.0.1:{port}", "--tlsverify", "--tlscacert", authority.pem, "--tlscert", folder / "cert.pem",
                  "--tlskey", folder / "key.pem")
    made.port = port
    try:
        made.import_image("busybox", images.busybox_image())
        yield made
    finally:
        made.stop()


def run(machine, variables):
    return machine.berth("run", machine.write("one.yaml", JOB), env=variables)


def test_a_job_runs_on_an_engine_behind_tls(machine, guarded, authority):
    code, out, said = run(machine, docker_tls_env(machine, f"127.0.0.1:{guarded.port}", authority, authority))
    assert code == 0 and "hello" in out, said
    assert not guarded.containers() and not guarded.request("GET", "/volumes")["Volumes"]


def test_an_engine_whose_certificate_is_for_another_name_is_told(machine, guarded, authority):
    code, _, said = run(machine, docker_tls_env(machine, f"localhost:{guarded.port}", authority, authority))
    assert code == 3 and f"tcp://localhost:{guarded.port}" in said and "certificate" in said, said


def test_an_engine_of_an_unknown_authority_is_told(machine, guarded, authority, tmp_path):
    code, _, said = run(machine, docker_tls_env(machine, f"127.0.0.1:{guarded.port}", Authority(tmp_path), authority))
    assert code == 3 and f"tcp://127.0.0.1:{guarded.port}" in said and "certificate" in said, said


def test_who_shows_a_certificate_that_the_engine_does_not_know_is_told(machine, guarded, authority, tmp_path):
    code, _, said = run(machine, docker_tls_env(machine, f"127.0.0.1:{guarded.port}", authority, Authority(tmp_path)))
    assert code == 3 and f"tcp://127.0.0.1:{guarded.port}" in said and "certificate in DOCKER_CERT_PATH" in said, said


def test_no_tls_where_the_engine_wants_it_is_told(machine, guarded):
    code, _, said = run(machine, {"DOCKER_HOST": f"tcp://127.0.0.1:{guarded.port}"})
    assert code == 3 and f"tcp://127.0.0.1:{guarded.port}" in said and "DOCKER_TLS_VERIFY" in said, said


def test_an_engine_that_does_not_see_this_machines_folders_is_told(machine, guarded, authority):
    """As one on another machine does not: the command's own folder is on a file system that only it sees."""
    hidden = machine.home / "hidden"
    hidden.mkdir(mode=0o700)
    variables = docker_tls_env(machine, f"127.0.0.1:{guarded.port}", authority, authority)
    variables |= {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "HOME": str(machine.home), "XDG_RUNTIME_DIR": str(hidden)}
    program = pathlib.Path(machine.folder) / "bin/berth"
    job = machine.write("one.yaml", JOB)
    done = subprocess.run(["unshare", "--mount", "sh", "-c", f"mount -t tmpfs -o mode=700 hidden {hidden} && exec {program} run {job}"],
                          env=variables, capture_output=True, text=True, timeout=RUN_LIMIT, check=False)
    assert done.returncode == 3 and "does not see this agent's folders" in done.stderr, done.stderr
    assert "BERTH_ADDR" in done.stderr and not guarded.containers()

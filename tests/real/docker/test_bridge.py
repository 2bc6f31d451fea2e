# SPDX-License-Identifier: Apache-2.0
"""Containers on a network of the engine: their slots are not, and no neighbour reaches their slot server."""
import pathlib
import signal

import pytest

from agent_harness import Agent
from driver_fixtures import HEARD_WITHIN, RUN_LIMIT, containers_of, docker_env
from engine import EngineError
from harness import wait_until

NETWORK = "berth-tests"
SUBNET = "10.231.77.0/24"
RESOLVER = "0B00007F"   # 127.0.0.11, the engine's own for names of containers
JOB = """job: %s
driver: docker
image: %s
slots: 1
containers: {min: 2, max: 2}
docker: {network: berth-tests}
setup: ["cat /proc/net/dev > /usr/of-setup"]
slot: {network: %s}
"""


@pytest.fixture(scope="module")
def network(engine):
    try:
        engine.request("POST", "/networks/create", {"Name": NETWORK, "Driver": "bridge", "IPAM": {"Config": [{"Subnet": SUBNET}]}})
    except EngineError as error:
        pytest.skip(f"the engine can make no network here: {error}")
    yield NETWORK
    engine.request("DELETE", f"/networks/{NETWORK}")


@pytest.fixture(params=["none", "full"])
def bridged(request, machine, clean, image, network):
    made = Agent(machine, jobs=JOB % ("pool", image("busybox"), request.param), env=docker_env(clean)).ready()
    made.engine = clean
    made.network = request.param
    yield made
    made.process.send_signal(signal.SIGTERM)
    assert made.process.wait(RUN_LIMIT) == 0, made.log()
    assert not containers_of(made)


def address_of(engine, container):
    return engine.inspect(container)["NetworkSettings"]["Networks"][NETWORK]["IPAddress"]


def listeners(pid):
    """Local addresses of the TCP sockets that listen in a container, but for the engine's resolver."""
    lines = [line.split() for kind in ("tcp", "tcp6") for line in pathlib.Path(f"/proc/{pid}/net/{kind}").read_text().splitlines()[1:]]
    return [line[1] for line in lines if line[3] == "0A" and not line[1].startswith(RESOLVER)]


def neighbour(engine, image, command):
    """What another container on the network writes."""
    made = engine.create("berth-neighbour", {"Image": image("busybox"), "Cmd": ["sh", "-c", command], "HostConfig": {"NetworkMode": NETWORK}})
    try:
        engine.start_container(made)
        wait_until(lambda: not engine.inspect(made)["State"]["Running"], HEARD_WITHIN, "the neighbour has tried")
        return engine.logs(made)
    finally:
        engine.remove(made)


def test_slots_have_the_containers_network_only_where_the_job_says_so(bridged):
    code, out, said = bridged.berth("exec", "--job", "pool", "--", "sh", "-c", "cat /proc/net/dev; echo setup; cat /usr/of-setup")
    assert code == 0, said
    here, _, setup = out.partition("setup")
    assert "eth0:" in setup
    assert ("eth0:" in here) == (bridged.network == "full") and "lo:" in here


def test_no_neighbour_reaches_a_slot_server(bridged, image):
    containers = list(containers_of(bridged))
    assert len(containers) == 2
    for each in containers:
        assert listeners(bridged.engine.inspect(each)["State"]["Pid"]) == []
    tries = "; ".join(f"busybox nc -w 2 {address_of(bridged.engine, each)} 8080 < /dev/null 2>&1 && echo reached" for each in containers)
    said = neighbour(bridged.engine, image, f"{tries}; echo tried")
    assert "tried" in said and "reached" not in said and said.count("refused") == 2, said

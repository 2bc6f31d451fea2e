# SPDX-License-Identifier: Apache-2.0
"""slot.network: {allow: [...]} inside a container: the proxy looks out of the container's network, which is the container's
own here, with a small internet in it."""
import pytest

from contained import ContainedSlotd
from harness import Slot, wait_until
from internet import INSIDE, PUBLIC, RANGE, Internet
from test_network_allow import FETCH, SOON

WEB, TLS, ECHO, NAMES = PORTS = 8101, 8102, 8103, 8104


@pytest.fixture(scope="module")
def proxied(contained):
    allow = [f"{name}:{WEB}" for name in ("web.test", "*.bad.test", INSIDE)]
    slotd = ContainedSlotd(slots=2, config={"slot": {"network": "allow", "allow": allow}, "image_env": ["PATH=/usr/bin:/bin"]},
                           arguments=["--proxy-name-servers", f"{PUBLIC}:{NAMES}", "--proxy-unsafe-allow", RANGE]).connect()
    net = Internet(pid=slotd.process.pid, ports=PORTS)
    net.names.update({"web.test": [PUBLIC], "other.test": [PUBLIC], "loop.bad.test": [INSIDE], "meta.bad.test": ["169.254.169.254"]})
    yield slotd, net
    net.close()
    slotd.stop()


def fetch(slotd, url):
    return Slot(slotd, "slot_0").python(FETCH, url)


def test_row45_a_slot_in_a_container_reaches_what_is_listed_and_nothing_inside(proxied):
    slotd, net = proxied
    assert fetch(slotd, f"http://web.test:{WEB}/hello") == [200, "hello"]
    for name, reason in (("other.test", "not among"), ("loop.bad.test", "loopback"), ("meta.bad.test", "link-local")):
        status, words = fetch(slotd, f"http://{name}:{WEB}/hello")
        assert status == 403 and reason in words, words
    assert "inside" not in net.arrived


def test_row46_a_slot_in_a_container_has_no_way_past_its_proxy(proxied):
    slotd, net = proxied
    before = len(net.arrived)
    seen = Slot(slotd, "slot_1").python("""
import json, socket
results = []
for address in [("127.77.0.1", 8101), ("127.0.0.1", 8101), ("172.17.0.1", 80), ("169.254.169.254", 80)]:
    try:
        socket.create_connection(address, 2).close()
        results.append(address)
    except OSError:
        pass
print(json.dumps(results))
""")
    assert seen == [] and len(net.arrived) == before


def test_a_reset_in_a_container_leaves_no_connection(proxied):
    slotd, net = proxied
    slot = Slot(slotd, "slot_1")
    slot.run("exec", {"argv": ["/usr/bin/python3", "-c", f"import time, urllib.request as u; kept = u.urlopen('http://web.test:{WEB}/endless?bytes=9000000000'); kept.read(1); time.sleep(600)"],
                      "background": True})
    opened = 'berth_slotd_proxy_connections 1'
    wait_until(lambda: opened in slotd.wire.get("/metrics").body.decode(), SOON, "a connection is open")
    slot.reset()
    assert 'berth_slotd_proxy_connections 0' in slotd.wire.get("/metrics").body.decode()

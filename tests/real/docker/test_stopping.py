# SPDX-License-Identifier: Apache-2.0
"""How the server of a container ends: asked to, or because nobody asks for anything any more."""
import pathlib
import signal
import threading
import time

from harness import START_LIMIT, Slot, alive, descendants, wait_until

ENDS_WITHIN = 5 * 2     # two seconds are promised
LONELY = 3
LONELY_WITHIN = 5 * LONELY


def test_sigterm_ends_an_idle_one_and_a_busy_one_in_time(contained, start):
    for busy in (False, True):
        server = start(slots=2, image=contained.image)
        caller = threading.Thread(target=lambda server=server: _call(server), daemon=True)
        if busy:
            caller.start()
            slot_is_busy(server)
        begin = time.monotonic()
        server.process.send_signal(signal.SIGTERM)
        assert server.process.wait(ENDS_WITHIN) == 0
        assert time.monotonic() - begin < ENDS_WITHIN


def test_sigterm_ends_one_whose_setup_still_runs(image, start):
    server = start(ready=False, image=image("busybox"), config={"setup": ["sleep 1000"]})
    steps = lambda: any(b"sleep" in pathlib.Path(f"/proc/{pid}/cmdline").read_bytes() for pid, _ in descendants(server.process.pid))
    wait_until(steps, START_LIMIT, "the setup step runs")
    family = descendants(server.process.pid)
    server.process.send_signal(signal.SIGTERM)
    assert server.process.wait(ENDS_WITHIN) == 0
    wait_until(lambda: not any(map(alive, family)), ENDS_WITHIN, "the step has ended as well")


def _call(server):
    try:
        Slot(server, "slot_0").bash("sleep 100")
    except (OSError, AssertionError, ValueError):
        pass  # cut off, as it was to be


def slot_is_busy(server):
    wait_until(lambda: server.wire.health()["executing"] > 0, START_LIMIT, "the call runs")


def test_it_ends_when_nobody_asks_any_more(contained, start):
    server = start(slots=1, image=contained.image, arguments=["--lonely-limit", str(LONELY)])
    begin = time.monotonic()
    while time.monotonic() - begin < 1.5 * LONELY:  # asked now and then it stays
        assert server.wire.health()["status"] == "ok"
        time.sleep(LONELY / 8)
    assert server.process.wait(LONELY_WITHIN) == 0
    assert "nobody has asked" in server.log()

# SPDX-License-Identifier: Apache-2.0
"""GET /metrics (design section 8): Prometheus text, prefix berth_, no slot or trajectory in labels."""
import re

from harness import Slot

SAMPLE = re.compile(r'^[a-z_][a-z0-9_]*(\{[a-z_]+="[^"\n]*"(,[a-z_]+="[^"\n]*")*\})? (-?[0-9.e+-]+|\+Inf|NaN)$')


def samples(server):
    reply = server.wire.get("/metrics")
    assert reply.status == 200
    assert reply.headers["content-type"] == "text/plain; version=0.0.4; charset=utf-8"
    return reply.body.decode().splitlines()


def total(server, *parts):
    return sum(float(line.rpartition(" ")[2]) for line in samples(server)
               if not line.startswith("#") and all(part in line for part in parts))


def test_every_line_is_a_sample_or_a_comment_and_has_the_prefix(server):
    Slot(server, "slot_0").output("echo x")
    lines = samples(server)
    assert lines
    for line in lines:
        if line.startswith("#"):
            assert re.match(r"^# (HELP|TYPE) berth_\w+ \S", line), line
        else:
            assert SAMPLE.match(line) and line.startswith("berth_"), line


def test_each_family_is_described_once(server):
    types = [line.split()[2] for line in samples(server) if line.startswith("# TYPE")]
    assert len(types) == len(set(types)), types


def test_calls_are_counted_by_cause(server):
    slot = Slot(server, "slot_0")
    before = total(server, "calls_total", 'tool="bash"', 'cause="exit"'), total(server, "calls_total", 'cause="timeout"')
    slot.bash("true")
    slot.bash("false")
    slot.bash("sleep 10", timeout=0.2)
    after = total(server, "calls_total", 'tool="bash"', 'cause="exit"'), total(server, "calls_total", 'cause="timeout"')
    assert (after[0] - before[0], after[1] - before[1]) == (2, 1)


def test_slots_and_hostile_names_make_no_labels(server):
    for name in ['x"} 1\nberth_forged 1', "slot_0", "trajectory-7"]:
        server.wire.execute("slot_0", name)
        server.wire.execute(name, "bash")
    text = "\n".join(samples(server))
    assert "slot_0" not in text and "forged" not in text and "trajectory-7" not in text


def test_many_tool_names_do_not_grow_the_metrics(server):
    before = len(samples(server))
    server.wire.batch([{"slot_id": "slot_0", "tool": f"tool{i}"} for i in range(300)])
    assert len(samples(server)) <= before + 5

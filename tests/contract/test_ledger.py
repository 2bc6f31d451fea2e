# SPDX-License-Identifier: Apache-2.0
"""Exactly one run (wire.md 1.2), boots and generations (1.3), limits on time (1.12): points 48, 49 and 51."""
import threading
import time
import uuid

import pytest

from harness import Slot, wait_until

ONCE = "echo run >> log; echo done"


def new_id():
    return f"e-{uuid.uuid4()}"


def executions(slot, name, method="GET", suffix="", **options):
    return slot.wire.request(method, f"/slots/{slot.name}/executions/{name}{suffix}", **options)


def test_p49_the_same_call_again_gives_the_same_result_without_running(slot):
    name = new_id()
    first = slot.run("bash", {"command": ONCE}, execution_id=name)
    second = slot.run("bash", {"command": ONCE}, execution_id=name)
    assert slot.output("cat log") == "run"
    assert first["output"] == second["output"] == "done"
    assert first["metadata"].get("replayed") in (None, False) and second["metadata"]["replayed"] is True
    first["metadata"].pop("replayed", None)
    second["metadata"].pop("replayed")
    assert first == second


def test_p49_failures_are_remembered_too(slot):
    name = new_id()
    results = [slot.run("bash", {"command": "echo run >> log; exit 3"}, execution_id=name) for _ in range(2)]
    assert [result["error"] for result in results] == ["Exit code: 3"] * 2
    assert slot.output("cat log") == "run"


def test_p49_a_repeat_while_it_runs_joins_it(slot):
    name = new_id()
    results = []

    def send():
        results.append(slot.run("bash", {"command": "echo run >> log; sleep 2; echo done"}, execution_id=name, timeout=60))

    threads = [threading.Thread(target=send) for _ in range(5)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [result["output"] for result in results] == ["done"] * 5
    assert sum(result["metadata"].get("replayed") is True for result in results) == 4
    assert slot.output("cat log") == "run"


def test_p49_a_repeat_inside_one_batch_joins_too(slot):
    element = {"slot_id": slot.name, "tool": "bash", "args": {"command": ONCE}, "execution_id": new_id()}
    results = slot.wire.batch([element, element, element]).json()
    assert [result["output"] for result in results] == ["done"] * 3
    assert slot.output("cat log") == "run"


def test_the_order_of_keys_and_spaces_does_not_make_other_content(slot):
    name = new_id()
    one = b'{"slot_id":"%s","tool":"bash","args":{"command":"echo x","env":{}},"execution_id":"%s","timeout":9}' % (slot.name.encode(), name.encode())
    two = b'{ "timeout": 9, "execution_id" : "%s", "args":{"env":{},"command":"echo x"},\n"tool":"bash","slot_id":"%s"}' % (name.encode(), slot.name.encode())
    slot.wire.post("/execute", one)
    assert slot.wire.post("/execute", two).json()["metadata"]["replayed"] is True


OTHER = [{"args": {"command": "echo other"}}, {"tool": "exec", "args": {"argv": ["echo"]}}, {"timeout": 31},
         {"env": {"A": "1"}}, {"limits": {"pids": 10}}]


@pytest.mark.parametrize("change", OTHER, ids=str)
def test_the_same_id_with_other_content_is_409_and_does_not_run(slot, change):
    name = new_id()
    call = {"slot_id": slot.name, "tool": "bash", "args": {"command": "echo x > ran"}, "execution_id": name}
    assert slot.wire.post("/execute", call).status == 200
    slot.output("rm ran")
    reply = slot.wire.post("/execute", {**call, **change})
    assert reply.status == 409
    result = reply.json()
    assert result["success"] is False and result["execution_id"] == name
    assert result["metadata"]["cause"] == "rejected" and result["metadata"]["started"] is False
    batch = slot.wire.batch([{**call, **change}])
    assert batch.status == 200 and batch.json()[0]["metadata"]["cause"] == "rejected"
    assert slot.output("ls") == ""


@pytest.mark.parametrize("name", ["", " ", "a b", "a/b", "x" * 129, "\u00e9", "a\nb", "a\0", "\uff11", "a%20b"], ids=repr)
def test_an_id_outside_the_pattern_is_400_and_names_it(slot, name):
    reply = slot.wire.execute(slot.name, "bash", {"command": "touch ran"}, execution_id=name)
    assert reply.status == 400
    assert "[A-Za-z0-9._:-]{1,128}" in reply.json()["error"]
    assert reply.json()["metadata"]["cause"] == "rejected"
    assert slot.output("ls") == ""


def test_the_longest_id_works(slot):
    assert slot.run("bash", {"command": "echo x"}, execution_id="x" * 128)["output"] == "x"


@pytest.mark.parametrize("name", [None, 5, 1.5, True, ["a"], {"k": "v"}], ids=repr)
def test_ids_of_other_types_run_every_time_and_are_findable(slot, name):
    results = [slot.run("bash", {"command": "echo run >> log"}, execution_id=name) for _ in range(2)]
    assert slot.output("cat log") == "run\nrun"
    made = [result["metadata"]["execution"] for result in results]
    assert made[0] != made[1]
    assert executions(slot, made[0]).json()["state"] == "finished"


def test_one_id_names_different_calls_in_different_slots(slots):
    name = new_id()
    for slot in slots:
        assert slot.run("bash", {"command": f"echo {slot.name}"}, execution_id=name)["output"] == slot.name


def test_reset_forgets_ids(slot):
    name = new_id()
    slot.run("bash", {"command": "echo one"}, execution_id=name)
    slot.reset()
    assert slot.run("bash", {"command": "echo two"}, execution_id=name)["output"] == "two"


def test_a_result_pushed_out_is_410_and_never_runs_again(slot):
    name = new_id()
    slot.run("bash", {"command": "echo run >> log"}, execution_id=name)
    for _ in range(2):
        slot.wire.batch([{"slot_id": slot.name, "tool": "read_file", "args": {"path": "none"}}] * 150)
    reply = slot.wire.execute(slot.name, "bash", {"command": "echo run >> log"}, execution_id=name)
    assert reply.status == 410 and "result_gone" in reply.json()["error"]
    assert executions(slot, name).status == 410
    batch = slot.wire.batch([{"slot_id": slot.name, "tool": "bash", "args": {"command": "echo run >> log"}, "execution_id": name}])
    assert batch.json()[0]["metadata"]["cause"] == "rejected"
    assert slot.output("cat log") == "run"


def test_results_nobody_was_sent_are_not_dropped_and_fill_up(start):
    slot = Slot(start(slots=1), "slot_0")
    big = "head -c 45000 /dev/zero | tr '\\0' '\\1'"
    slot.output("true")
    # 429 comes once 64 MiB of results wait that nobody has read; the connections are cut before the answers.
    for round_ in range(40):
        body = [{"slot_id": "slot_0", "tool": "bash", "args": {"command": f"{big}; {big} >&2"}, "execution_id": f"r{round_}-{i}"}
                for i in range(50)]
        connection = slot.wire.connection()
        import json
        connection.request("POST", "/batch", json.dumps(body), {"Berth-Detach": "600"})
        connection.close()
        wait_until(lambda: slot.wire.get("/slots").json()["slots"][0].get("queued", 0) == 0, 120, "queue done")
        reply = slot.wire.execute("slot_0", "bash", {"command": "true"})
        if reply.status != 200:
            break
    assert reply.status == 429 and "ledger_full" in reply.json()["error"]
    assert executions(slot, "r0-0").json()["result"]["success"] is True
    assert slot.wire.reset("slot_0")["success"]
    assert slot.output("echo again") == "again"


def test_health_names_the_boot_and_it_changes_with_each_start(start):
    first, second = start(slots=1), start(slots=1)
    assert first.wire.health()["boot_id"] != second.wire.health()["boot_id"]
    assert first.ready["boot_id"] == first.wire.health()["boot_id"]


@pytest.mark.parametrize("boot", ["0" * 32, "", "x", "nonsense"])
def test_a_call_for_another_boot_is_409_and_nothing_runs(slot, boot):
    call = {"slot_id": slot.name, "tool": "bash", "args": {"command": "touch ran"}}
    for path, body in [("/execute", call), ("/batch", [call]), ("/reset", {"slot_id": slot.name})]:
        reply = slot.wire.post(path, body, headers={"Berth-Boot": boot})
        assert reply.status == 409 and "wrong_boot" in reply.json()["error"]
    assert slot.wire.get(f"/slots/{slot.name}/files/x", headers={"Berth-Boot": boot}).status == 409
    assert slot.output("ls") == ""


def test_a_call_for_this_boot_runs(slot):
    boot = slot.wire.health()["boot_id"]
    call = {"slot_id": slot.name, "tool": "bash", "args": {"command": "echo x"}}
    assert slot.wire.post("/execute", call, headers={"Berth-Boot": boot}).json()["output"] == "x"


def generation_of(slot):
    return next(s for s in slot.wire.get("/slots").json()["slots"] if s["slot_id"] == slot.name)["generation"]


def test_an_older_generation_is_409_and_nothing_runs(slot):
    now = generation_of(slot)
    slot.wire.reset(slot.name, generation=now + 5)
    reply = slot.wire.execute(slot.name, "bash", {"command": "touch ran"}, generation=now + 4)
    assert reply.status == 409 and "stale_generation" in reply.json()["error"]
    batch = slot.wire.batch([{"slot_id": slot.name, "tool": "bash", "args": {"command": "touch ran"}, "generation": now + 4},
                             {"slot_id": slot.name, "tool": "bash", "args": {"command": "echo x"}, "generation": now + 5}]).json()
    assert batch[0]["metadata"]["cause"] == "rejected" and batch[1]["output"] == "x"
    for method, path in [("GET", "files/x"), ("PUT", "files/x"), ("DELETE", "files/x"), ("GET", "executions/e"), ("DELETE", "executions/e")]:
        reply = slot.wire.request(method, f"/slots/{slot.name}/{path}", b"x" if method == "PUT" else None,
                                  headers={"Berth-Generation": str(now + 4)})
        assert reply.status == 409, (method, path, reply)
    assert slot.wire.post("/reset", {"slot_id": slot.name, "generation": now + 4}).status == 409
    assert slot.output("ls") == ""


def test_the_same_generations_reset_twice_is_harmless(slot):
    target = generation_of(slot) + 1
    slot.wire.reset(slot.name, generation=target)
    slot.write("kept", "x")
    assert slot.wire.reset(slot.name, generation=target)["success"] is True
    assert slot.output("cat kept") == "x"


def test_a_plain_reset_raises_the_generation_by_one(slot):
    before = generation_of(slot)
    slot.reset()
    assert generation_of(slot) == before + 1


@pytest.mark.parametrize("value", ["x", "-1", "1.5", "", "99999999999999999999999"])
def test_a_bad_generation_header_is_400(slot, value):
    reply = slot.wire.get(f"/slots/{slot.name}/files/x", headers={"Berth-Generation": value})
    assert reply.status == 400


BAD_TIMEOUTS = ["0", "-1", "-0.0", "NaN", "Infinity", "1e999", "1e18", "3601", '"1"', '"abc"', "null", "true", "[1]", "{}"]


@pytest.mark.parametrize("timeout", BAD_TIMEOUTS)
def test_p48_a_bad_timeout_is_400_and_nothing_starts(slot, timeout):
    body = b'{"slot_id":"%s","tool":"bash","args":{"command":"touch ran"},"timeout":%s}' % (slot.name.encode(), timeout.encode())
    reply = slot.wire.post("/execute", body)
    assert reply.status == 400 and reply.json()["success"] is False
    assert slot.output("ls") == ""


@pytest.mark.parametrize("timeout", [0.001, 3600, 3600.0, 1e-9])
def test_p48_the_borders_of_the_timeout_are_accepted(slot, timeout):
    assert slot.wire.execute(slot.name, "bash", {"command": "true"}, timeout=timeout).status == 200


def test_the_longest_timeout_is_a_key_of_the_configuration(start):
    slot = Slot(start(slots=1, config={"max_timeout_seconds": 5}), "slot_0")
    assert slot.wire.execute("slot_0", "bash", {"command": "true"}, timeout=5).status == 200
    assert slot.wire.execute("slot_0", "bash", {"command": "true"}, timeout=5.1).status == 400


def test_p51_a_call_whose_deadline_passed_in_the_queue_never_starts(slot):
    blocker = threading.Thread(target=slot.bash, args=("sleep 6",), kwargs={"timeout": 9})
    blocker.start()
    wait_until(lambda: slot.wire.health()["executing"] >= 1, 20, "blocker runs")
    begin = time.monotonic()
    result = slot.bash("touch ran", timeout=1)
    assert 0.9 < time.monotonic() - begin < 5.5
    assert result["error"].startswith("Command timed out after 1")
    metadata = result["metadata"]
    assert (metadata["cause"], metadata["started"], metadata["timeout"]) == ("timeout", False, True)
    blocker.join()
    assert slot.output("ls") == ""


def test_the_time_limits_of_earlier_calls_of_a_batch_count_for_later_ones(slot):
    calls = [{"slot_id": slot.name, "tool": "bash", "args": {"command": "sleep 2; echo x"}, "timeout": 3} for _ in range(3)]
    assert [result["output"] for result in slot.wire.batch(calls).json()] == ["x"] * 3


def test_long_limits_are_answered_a_little_early(slot):
    begin = time.monotonic()
    result = slot.bash("sleep 60", timeout=10)
    took = time.monotonic() - begin
    assert result["error"] == "Command timed out after 10s"
    assert 9.5 <= took < 10 + 5 and result["metadata"]["wall_ms"] < 9_950

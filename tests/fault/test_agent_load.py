# SPDX-License-Identifier: Apache-2.0
"""Invariants 1, 2, 3, 5 and 7 of the life cycle and "exactly one run", under load and murder: 200 trajectories at a time
over 40 slots while slot servers are killed at random. Side effects are counted outside Berth."""
import collections
import concurrent.futures
import itertools
import os
import pathlib
import random
import sys
import time

import pytest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "contract_agent"))
from agent_harness import START_LIMIT, Agent, Lease as Held, is_sanitized, uid_of, wait_until  # noqa: E402
from killer import Killer  # noqa: E402
from load import Run, Trajectory  # noqa: E402
from witness import Witness  # noqa: E402

TRAJECTORIES = int(os.environ.get("BERTH_LOAD_TRAJECTORIES", "200"))
CALLS_EACH = 3 if is_sanitized() else 10  # at least, and until the last kill
KILLS = int(os.environ.get("BERTH_LOAD_KILLS", "8"))  # more for a longer run
MEAN_GAP = 1.0             # seconds between two kills
RUN_LIMIT = 900            # only a hang meets it
MOST_UNHEARD = 0.25        # share; a server that never tells of a limit gives 1
BACK_LIMIT = 120           # a job whose containers die again and again pauses up to a minute before the next
JOBS = ("left", "right")   # two containers of ten slots each
POOL = "job: {}\nslots: 10\ncontainers: {{min: 2, max: 2}}\nisolation: best-effort\nslot: {{network: full}}\n"


@pytest.fixture(params=["as_root", "as_user"])
def user(request):
    uid = uid_of(request.param)
    if uid is None:
        pytest.skip("needs root")
    return uid


@pytest.fixture
def agent(user):
    one = Agent(user=user)
    try:
        one.connect()
        for job in JOBS:
            one.put_job(POOL.format(job))
        wait_until(lambda: one.as_(None).get("/readyz").status == 200, START_LIMIT, "the pools are up")
        yield one
    finally:
        one.stop() if one.process.poll() is None else one.kill()


@pytest.fixture
def witness(tmp_path):
    one = Witness(tmp_path / "appended")
    yield one
    one.stop()


def test_every_call_ends_once_with_a_true_cause_while_slot_servers_are_killed(agent, witness):
    seed = int(os.environ.get("BERTH_LOAD_SEED") or random.SystemRandom().randrange(10**9))
    print(f"BERTH_LOAD_SEED={seed}")
    run = Run(agent, seed, JOBS, CALLS_EACH, witness.port)
    run.killer = Killer(agent, seed, KILLS, MEAN_GAP)
    begin = time.monotonic()
    live_all(run)
    print(f"{time.monotonic() - begin:.1f} s, {len(run.killer.killed)} kills, "
          f"{sum(map(len, run.killer.stopped.values()))} stops, {len(run.leases)} leases, "
          f"{collections.Counter(call.fate for call in run.calls())}")
    check_effects(run, witness.lines())
    check_limits(run)
    check_leases(run.leases)
    check_that_it_is_over(agent, run)


def live_all(run):
    pool = concurrent.futures.ThreadPoolExecutor(TRAJECTORIES)
    run.killer.start()
    lives = [pool.submit(Trajectory(run, number).live) for number in range(TRAJECTORIES)]
    try:
        for life in concurrent.futures.as_completed(lives, RUN_LIMIT):
            life.result()
    finally:
        run.killer.end()
        for life in lives:
            life.cancel()
        pool.shutdown(wait=False)


def check_effects(run, appended):
    calls = {call.id: call for call in run.calls()}
    assert len(calls) == len(run.calls()) and all(call.fate and call.notes <= 1 for call in calls.values())
    twice = [call for call, count in collections.Counter(appended).items() if count > 1]
    assert not twice, f"ran twice: {twice}"
    effects = set(appended)
    assert effects <= set(calls), f"nobody asked for {effects - set(calls)}"
    acknowledged = {call.id for call in calls.values() if call.is_certain()}
    assert acknowledged <= effects, f"told as done, and not done: {acknowledged - effects}"
    never = {call.id for call in calls.values() if call.cannot_have_run()}
    assert not never & effects, f"told as not begun, and done: {[calls[each] for each in never & effects]}"
    assert run.ledger <= set(calls) and acknowledged & run.ledger, "the ledger was asked"
    lost = [call for call in calls.values() if call.fate == "container_lost"]
    assert lost and len(run.killer.killed) == KILLS, "nothing went wrong, so nothing was shown"


def check_limits(run):
    unheard = len(run.unheard)
    assert unheard <= len(run.limited) * MOST_UNHEARD, f"{unheard} of {len(run.limited)}: {run.unheard[:3]}"


def check_leases(leases):
    """One lease a slot at a time, and generations that only grow."""
    by_slot = collections.defaultdict(list)
    for lease in leases:
        by_slot[lease.container, lease.slot].append(lease)
    for slot, owners in by_slot.items():
        for first, second in itertools.pairwise(sorted(owners, key=lambda each: each.generation)):
            assert first.generation < second.generation, (slot, first, second)
            assert first.given_back_at < second.granted_at, (slot, first, second)


def check_that_it_is_over(agent, run):
    for job in JOBS:
        held = Held(agent, job=job, wait=f"{BACK_LIMIT}s")
        assert held.output("echo serves") == "serves"
        assert held.release().status == 204
    metrics = agent.as_("eye").get("/metrics").body.decode()
    values = dict(line.rsplit(" ", 1) for line in metrics.splitlines() if not line.startswith("#"))
    gauges = ("berth_api_calls", "berth_api_call_bytes", "berth_link_calls")
    still = {name: values[name] for name in gauges if values[name] != "0"}
    assert not still, still
    ended = sum(float(value) for name, value in values.items() if name.startswith("berth_leases_ended_total"))
    assert ended == len(run.leases) + len(JOBS), (ended, len(run.leases))

# SPDX-License-Identifier: Apache-2.0
"""Agents for the tests: one shared by a file where state does not matter, fresh ones where it does, each as root of the
machine and as an ordinary user."""
import pytest

from agent_harness import START_LIMIT, Agent, Lease, uid_of, wait_until

POOL = "job: pool\nslots: 6\ncontainers: {min: 1, max: 2}\nisolation: best-effort\nenv: {FROM_JOB: canary-of-the-job}\n"


@pytest.fixture(scope="session", params=["as_root", "as_user"])
def user(request):
    """The uid that agents of this round run as."""
    uid = uid_of(request.param)
    if uid is None:
        pytest.skip("needs root")
    return uid


@pytest.fixture(scope="session")
def agent(user):
    """An agent with job `pool` that the tests of one file share. A test that spoils it uses `start` instead."""
    one = Agent(user=user, config="default_job: pool\n")
    try:
        one.connect().put_job(POOL)
        wait_until(lambda: one.as_(None).get("/readyz").status == 200, START_LIMIT, "the pool is up")
        yield one
    finally:
        one.stop()


@pytest.fixture
def start(user):
    """Starts agents of the test's own."""
    running = []

    def begin(**options):
        one = Agent(user=user, **options)
        running.append(one)
        return one.connect()

    yield begin
    for one in running:
        one.stop() if one.process.poll() is None else one.kill()


@pytest.fixture
def lease(agent):
    """A clean slot of the shared agent, leased by alice."""
    one = Lease(agent)
    yield one
    one.release()

# SPDX-License-Identifier: Apache-2.0
"""Import these fixtures by name: an agent that the tests of one file share, or `fresh_machine as machine` for a place of
each test's own."""
import pytest

from agent_harness import Agent, machine_of


@pytest.fixture(scope="module")
def machine(user):
    with machine_of(user) as one:
        yield one


@pytest.fixture
def fresh_machine(user):
    with machine_of(user) as one:
        yield one


@pytest.fixture(scope="module")
def agent(machine):
    running = Agent(machine).ready()
    yield running
    running.stop()

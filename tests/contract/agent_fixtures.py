# SPDX-License-Identifier: Apache-2.0
"""A running agent that the tests of one file share: import these fixtures by name."""
import pytest

from agent_harness import Agent, machine_of


@pytest.fixture(scope="module")
def machine(user):
    with machine_of(user) as one:
        yield one


@pytest.fixture(scope="module")
def agent(machine):
    running = Agent(machine).ready()
    yield running
    running.stop()

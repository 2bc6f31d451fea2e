# SPDX-License-Identifier: Apache-2.0
"""What the files about the tool-executor routes share: import these fixtures by name."""
import pytest

from executor_harness import Run, executor_agent, tool_server


@pytest.fixture(scope="module")
def outside():
    with tool_server() as server:
        yield server


@pytest.fixture(scope="module")
def agent(user, outside):
    """For tests that do not spoil it."""
    with executor_agent(user, outside) as one:
        yield one


@pytest.fixture
def run(agent, request):
    one = Run(agent, request.node.name)
    yield one
    one.release()

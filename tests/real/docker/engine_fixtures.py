# SPDX-License-Identifier: Apache-2.0
"""The session's engine and its Debian image, shared by every file that pytest was given."""
import subprocess

import pytest

import images
from audit import assert_clean
from contained import ContainedSlotd
from engine import Engine, why_none
from harness import is_sanitized


@pytest.fixture(scope="session")
def engine():
    reason = why_none() or ("a slot server with a sanitizer is not static" if is_sanitized() else None)
    if reason:
        pytest.skip(reason)
    try:
        made = Engine()
    except (RuntimeError, AssertionError) as error:
        pytest.skip(f"dockerd does not start here: {str(error)[-400:]}")
    yield made
    try:
        assert_clean(made)
    finally:
        made.stop()


@pytest.fixture(scope="session")
def debian(engine):
    """The name of a small Debian image with Python."""
    try:
        archive = images.debian()
    except (OSError, subprocess.SubprocessError) as error:
        pytest.skip(f"no Debian root can be made: {getattr(error, 'stderr', b'') or error}"[-400:])
    return engine.import_image("berth-debian", archive)


@pytest.fixture(scope="session")
def contained(engine, debian):
    """ContainedSlotd, ready to be used."""
    ContainedSlotd.engine = engine
    ContainedSlotd.image = debian
    return ContainedSlotd

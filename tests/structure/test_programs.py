# SPDX-License-Identifier: Apache-2.0
"""What the two built programs are as files: berth-slotd must run in any image, from distroless to scratch."""
import os
import pathlib
import struct
import subprocess

import pytest

MOST_SLOTD_BYTES = 5_000_000
PT_DYNAMIC, PT_INTERP, SHT_SYMTAB = 2, 3, 2
COMMAND_LIMIT_S = 10


def program(name):
    return pathlib.Path(os.environ["BERTH_BIN_DIR"]) / name


def elf_table(data, offset_at, size_at):
    """The first word of each program header (offset_at 32) or the second of each section header (40) of an ELF64."""
    offset, = struct.unpack_from("<Q", data, offset_at)
    size, count = struct.unpack_from("<HH", data, size_at)
    return [data[offset + index * size:offset + (index + 1) * size] for index in range(count)]


def segment_types(data):
    return {struct.unpack_from("<I", header)[0] for header in elf_table(data, 32, 54)}


def section_types(data):
    return {struct.unpack_from("<I", header, 4)[0] for header in elf_table(data, 40, 58)}


@pytest.fixture(scope="module")
def slotd():
    return program("berth-slotd").read_bytes()


def needs_the_static_build(data):
    if b"__asan_" in data or b"__tsan_" in data:
        pytest.skip("a sanitizer's run-time cannot be linked into a static program")


def test_slotd_needs_no_interpreter_and_no_shared_library(slotd):
    needs_the_static_build(slotd)
    assert not segment_types(slotd) & {PT_INTERP, PT_DYNAMIC}


def test_slotd_is_stripped_and_small(slotd):
    needs_the_static_build(slotd)
    assert SHT_SYMTAB not in section_types(slotd)
    assert len(slotd) < MOST_SLOTD_BYTES


def test_a_dynamic_program_is_told_apart():
    assert PT_INTERP in segment_types(program("berth").read_bytes())


@pytest.mark.parametrize("name", ["berth", "berth-slotd"])
def test_help_answers_on_stdout_and_succeeds(name):
    done = subprocess.run([program(name), "--help"], capture_output=True, text=True, timeout=COMMAND_LIMIT_S)
    assert done.returncode == 0, done.stderr
    assert name in done.stdout and not done.stderr


@pytest.mark.parametrize("command", [["berth"], ["berth", "validate", "job.yaml"], ["berth-slotd"]])
def test_an_unknown_option_is_bad_usage_and_says_so_on_stderr(command):
    done = subprocess.run([program(command[0]), *command[1:], "--no-such-option"], capture_output=True, text=True,
                          timeout=COMMAND_LIMIT_S)
    assert done.returncode == 2
    assert "no-such-option" in done.stderr and not done.stdout

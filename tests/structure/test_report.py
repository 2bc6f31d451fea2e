# SPDX-License-Identifier: Apache-2.0
"""The closing table of ./test: what is skipped must never be counted as passed, what is missing never overlooked."""
import json
import pathlib
import subprocess
import sys

import pytest
import tree

REPORT = tree.ROOT / "tests" / "report.py"

GTEST_SKIP = "[ RUN      ] A.B\na.cpp:7: Skipped\nno cgroup here\n\n\n[  SKIPPED ] A.B (0 ms)\n"
CTEST = """<testsuite>
  <testcase name="a.passes" status="run"/>
  <testcase name="a.fails" status="fail"><failure message="Failed"/></testcase>
  <testcase name="a.skips" status="notrun"><skipped message="SKIP_REGULAR_EXPRESSION_MATCHED"/>
    <system-out>{skip}</system-out></testcase>
  <testcase name="a.not_built" status="notrun"><skipped message="Unable to find executable"/></testcase>
  <testcase name="py" status="run"/>
</testsuite>"""
PYTEST = """<testsuites><testsuite>
  <testcase name="one"/>
  <testcase name="two"><skipped message="no docker here"/></testcase>
</testsuite></testsuites>"""


@pytest.fixture
def part(tmp_path):
    names = ["a.passes", "a.fails", "a.skips", "a.not_built", "py", "a.never_started"]
    tests = [{"name": name, "properties": [{"name": "LABELS", "value": ["unit"]}]} for name in names]
    (tmp_path / "wanted.json").write_text(json.dumps({"tests": tests}))
    (tmp_path / "ctest.xml").write_text(CTEST.format(skip=GTEST_SKIP))
    (tmp_path / "pytest").mkdir()
    (tmp_path / "pytest" / "py.xml").write_text(PYTEST)
    return tmp_path


def report(*arguments):
    command = [sys.executable, "-B", str(REPORT), *arguments]
    return subprocess.run(command, capture_output=True, text=True, timeout=30)


def test_counts_every_kind_once_and_fails(part):
    done = report(f"dev={part}")
    assert done.returncode == 1
    assert done.stdout.splitlines()[-1] == "2 passed, 3 failed, 2 skipped"


def test_gives_the_reasons_of_skips_of_both_runners(part):
    lines = report(f"dev={part}").stdout.splitlines()
    assert "  [unit] 1 x no cgroup here" in lines
    assert "  [unit] 1 x no docker here" in lines


def test_names_tests_that_never_started_as_failed(part):
    assert "a.never_started: left no result" in report(f"dev={part}").stdout


def test_tests_of_labels_that_were_not_asked_for_are_not_missed(part):
    (part / "selection").write_text("-L\n^(unit)$\n")
    wanted = json.loads((part / "wanted.json").read_text())
    wanted["tests"].append({"name": "other", "properties": [{"name": "LABELS", "value": ["model"]}]})
    (part / "wanted.json").write_text(json.dumps(wanted))
    assert report(f"dev={part}").stdout.splitlines()[-1] == "2 passed, 3 failed, 2 skipped"


def test_a_part_that_could_not_run_is_skipped_with_its_reason(tmp_path):
    (tmp_path / "skipped").write_text("fuzz: the tree has no fuzz target\n")
    (tmp_path / "results.tsv").write_text("base/fd.cpp\tpassed\t\n")
    done = report("--skipped", str(tmp_path / "skipped"), f"tidy={tmp_path}")
    assert done.returncode == 0
    assert "  [fuzz] 1 x the tree has no fuzz target" in done.stdout
    assert done.stdout.splitlines()[-1] == "1 passed, 0 failed, 1 skipped"


def test_a_run_without_any_test_fails(tmp_path: pathlib.Path):
    assert report(f"dev={tmp_path}").returncode == 1


def test_a_run_that_only_skipped_fails(tmp_path: pathlib.Path):
    (tmp_path / "skipped").write_text("real: no kernel\n")
    assert report("--skipped", str(tmp_path / "skipped")).returncode == 1


@pytest.mark.parametrize("budget, said", [("60", "Took 1 min 1 s: longer than the 1 min it may."), ("61", "Took 1 min 1 s.")])
def test_a_run_that_took_too_long_is_told_so(part, budget, said):
    assert said in report("--took", "61", "--budget", budget, f"dev={part}").stdout.splitlines()

# SPDX-License-Identifier: Apache-2.0
"""docs/weak-points.md points at tests. Each of them exists, and every weak point has one row."""
import re

import tree

PAGE = tree.ROOT / "docs" / "weak-points.md"
ROW = re.compile(r"^\| W(\d+) \|", re.MULTILINE)
NAMED = re.compile(r"`([a-z_/]+\.(?:py|cpp))::([A-Za-z0-9_.]+)`")
COUNT = 81
LAST_WITH_A_TEST = 56  # later ones belong to parts that name their owner instead


def exists(path, name):
    file = tree.ROOT / "tests" / path
    if not file.is_file():
        return False
    text = file.read_text()
    if path.endswith(".py"):
        return f"def {name}(" in text
    suite, _, test = name.partition(".")
    return re.search(rf"\bTEST(?:_[FP])?\(\s*{suite}\s*,\s*{test}\s*\)", text) is not None


def rows():
    return {int(ROW.match(line).group(1)): line for line in PAGE.read_text().splitlines() if ROW.match(line)}


def test_every_weak_point_has_one_row():
    assert [int(number) for number in ROW.findall(PAGE.read_text())] == list(range(1, COUNT + 1))


def test_every_row_of_the_slot_server_and_its_clients_names_a_test():
    bare = [number for number, line in rows().items() if number <= LAST_WITH_A_TEST and not NAMED.search(line)]
    assert not bare, bare


def test_every_test_that_is_named_exists():
    missing = [f"{path}::{name}" for path, name in NAMED.findall(PAGE.read_text()) if not exists(path, name)]
    assert not missing, missing


def test_a_missing_test_is_seen():
    assert not exists("contract/test_bash.py", "test_p07_bash")
    assert not exists("unit/client/batch_test.cpp", "ClientBatch.Nothing")
    assert exists("unit/client/batch_test.cpp", "ClientBatch.OfNothingIsNothing")

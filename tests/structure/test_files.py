# SPDX-License-Identifier: Apache-2.0
"""Rules that hold for each file by itself."""
import re

import tree

MOST_LINES = 400
SPDX = "SPDX-License-Identifier: Apache-2.0"
WITH_SPDX = tree.CODE | {".py", ".sh", ".cmake"}
WITH_SPDX_NAMES = {"CMakeLists.txt", "run", "test"}
# Split, so that this file does not find itself.
PROMISES = re.compile(r"\b(" + "|".join(("TO" + "DO", "FIX" + "ME", "XX" + "X")) + r")\b")
# Homes and work trees of people; /home/user and the like in documents are examples, not places.
MACHINE = re.compile(r"(/home/(?!user\b)\w+/|/root/(?:\.pyenv|\.cache|main|work)|/Users/\w+|/wo" + r"rk/(?:main|shared))")
# g++ 12 destroys the operands of a conditional expression twice when one of them awaits: heap corruption, no warning.
COMMENT = re.compile(r"//[^\n]*")
AWAIT_IN_CONDITIONAL = re.compile(r"\?[^;{}]*\bco_await\b")


def text_of(path):
    try:
        return tree.read(path)
    except UnicodeDecodeError:
        return ""


def found(pattern, skip=()):
    for path in tree.tracked():
        if path.name in skip:
            continue
        for number, line in enumerate(text_of(path).splitlines(), 1):
            if pattern.search(line):
                yield f"{path}:{number}: {line.strip()[:120]}"


def test_no_product_file_is_longer_than_the_limit():
    long = {str(path): count for path in tree.code() if (count := len(tree.read(path).splitlines())) > MOST_LINES}
    assert not long, f"over {MOST_LINES} lines, split them: {long}"


def test_every_source_file_names_its_licence():
    ours = [path for path in tree.tracked() if path.suffix in WITH_SPDX or path.name in WITH_SPDX_NAMES]
    bare = [str(path) for path in ours if not any(SPDX in line for line in tree.read(path).splitlines()[:3])]
    assert not bare, bare


def test_no_file_promises_later_work():
    promises = list(found(PROMISES))
    assert not promises, "\n" + "\n".join(promises)


def test_no_file_names_a_place_on_a_developers_machine():
    places = list(found(MACHINE, skip={"test_files.py"}))
    assert not places, "\n" + "\n".join(places)


def test_headers_guard_themselves_with_pragma_once():
    bare = [str(path) for path in tree.code() if path.suffix == ".hpp" and "#pragma once" not in tree.read(path)]
    assert not bare, bare


def test_nothing_is_awaited_inside_a_conditional_expression():
    wrong = []
    for path in tree.code(tree.PRODUCT + ("tests", "bench")):
        text = COMMENT.sub("", tree.read(path))
        for match in AWAIT_IN_CONDITIONAL.finditer(text):
            wrong.append(f"{path}:{text.count(chr(10), 0, match.end()) + 1}: write if and else instead")
    assert not wrong, "\n" + "\n".join(wrong)


def test_the_patterns_see_what_they_are_for():
    assert PROMISES.search("// TO" + "DO: later")
    assert MACHINE.search("-I/home/" + "alice/berth")
    assert AWAIT_IN_CONDITIONAL.search("x = found ? a\n : co_await b();")
    assert not AWAIT_IN_CONDITIONAL.search("x = found ? a : b; co_await c();")

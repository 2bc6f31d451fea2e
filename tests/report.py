# SPDX-License-Identifier: Apache-2.0
"""Reads what the test runs left and says, per label, what passed, failed and was skipped, and why.

A part is NAME=DIRECTORY. The directory holds either ctest.xml (ctest's JUnit), wanted.json (the tests that ctest meant
to run) and pytest/*.xml (one file for each ctest that is a pytest run), or results.tsv (name, state, text).
A test that was meant to run and left no result has failed. A skipped test is never a passed one.
"""
import argparse
import collections
import json
import pathlib
import re
import sys
import xml.etree.ElementTree as ElementTree

# What ctest says of a test that chose to skip itself; every other "not run" is a failure of the run.
SKIPPED_BY_ITSELF = re.compile(r"SKIP_REGULAR_EXPRESSION_MATCHED|SKIP_RETURN_CODE|Disabled")
LONGEST_REASON = 160
MOST_FAILURES_NAMED = 60

Test = collections.namedtuple("Test", "label name state why")  # state: passed, failed, skipped


def gtest_reason(output):
    """The text after `file:line: Skipped`, which is what GTEST_SKIP() << "..." said."""
    match = re.search(r"Skipped\n(.*?)\n*\[  SKIPPED \]", output, re.DOTALL)
    return " ".join(match.group(1).split()) if match else "no reason given"


def ctest_case(case, label):
    name, status = case.get("name"), case.get("status")
    output = case.findtext("system-out") or ""
    if status == "run":
        return Test(label, name, "passed", "")
    skipped = case.find("skipped")
    message = skipped.get("message", "") if skipped is not None else ""
    if skipped is not None and SKIPPED_BY_ITSELF.search(message):
        return Test(label, name, "skipped", gtest_reason(output))
    failure = re.search(r": Failure\n(.*(?:\n.+){0,2})", output)
    why = failure.group(1) if failure else message or "crashed, timed out or failed without a word; see above"
    return Test(label, name, "failed", why)


def pytest_cases(path, label, outer):
    """One Test for each case of a pytest run; the ctest around it counts only where it adds bad news."""
    tests = []
    for case in ElementTree.parse(path).iter("testcase"):
        name = f"{outer.name}.{case.get('name')}"
        skipped = case.find("skipped")
        if case.find("failure") is not None or case.find("error") is not None:
            tests.append(Test(label, name, "failed", ""))
        elif skipped is not None:
            tests.append(Test(label, name, "skipped", skipped.get("message", "no reason given")))
        else:
            tests.append(Test(label, name, "passed", ""))
    if outer.state == "failed" and not any(test.state == "failed" for test in tests):
        tests.append(outer)
    return tests


def selects(directory):
    """Whether the run was to have a label. ctest 3.25 lists tests as JSON without looking at -L, so it is asked here."""
    path = directory / "selection"
    if not path.exists():
        return lambda label: True
    option, pattern = path.read_text().split("\n")[:2]
    return lambda label: bool(re.search(pattern, label)) == (option == "-L")


def wanted_labels(directory):
    """Name -> label of every test that ctest meant to run."""
    path, selected = directory / "wanted.json", selects(directory)
    if not path.exists() or not path.read_text().strip():
        return {}
    labels = {}
    for test in json.loads(path.read_text())["tests"]:
        properties = {entry["name"]: entry["value"] for entry in test.get("properties", [])}
        label = (properties.get("LABELS") or ["unlabelled"])[0]
        if selected(label):
            labels[test["name"]] = label
    return labels


def read_ctest(part, directory):
    labels = wanted_labels(directory)
    prefix = "" if part == "dev" else part + " "
    seen = set()
    results = directory / "ctest.xml"
    for case in ElementTree.parse(results).iter("testcase") if results.exists() else []:
        seen.add(case.get("name"))
        test = ctest_case(case, prefix + labels.get(case.get("name"), "unlabelled"))
        inner = directory / "pytest" / f"{test.name}.xml"
        yield from pytest_cases(inner, test.label, test) if inner.exists() else [test]
    for name in labels.keys() - seen:
        yield Test(prefix + labels[name], name, "failed", "left no result: the time budget was over, or ctest broke off")


def read_part(part, directory):
    yield from read_ctest(part, directory)
    lines = directory / "results.tsv"
    for line in lines.read_text().splitlines() if lines.exists() else []:
        name, state, text = line.split("\t")
        yield Test(part, name, state, text)


def skipped_parts(path):
    for line in path.read_text().splitlines() if path and path.exists() else []:
        part, why = line.split(": ", 1)
        yield Test(part.split()[0], part, "skipped", why)


def shorten(text):
    text = " ".join(text.split())
    return text if len(text) <= LONGEST_REASON else text[: LONGEST_REASON - 3] + "..."


def time_line(took, budget):
    over = f": longer than the {budget // 60} min it may" if budget and took > budget else ""
    return f"Took {took // 60} min {took % 60} s{over}."


def print_report(tests, took, budget):
    failed = [test for test in tests if test.state == "failed"]
    if failed:
        print(f"\nFailed ({len(failed)}):")
        for test in failed[:MOST_FAILURES_NAMED]:
            print(f"  [{test.label}] {test.name}" + (f": {shorten(test.why)}" if test.why else ""))
    reasons = collections.Counter((test.label, shorten(test.why)) for test in tests if test.state == "skipped")
    if reasons:
        print("\nSkipped, and why:")
        for (label, why), count in sorted(reasons.items()):
            print(f"  [{label}] {count} x {why}")
    by_label = collections.defaultdict(collections.Counter)
    for test in tests:
        by_label[test.label][test.state] += 1
    width = max([len(label) for label in by_label] + [5])
    print(f"\n{'label':<{width}}  passed  failed  skipped")
    for label, counts in sorted(by_label.items()):
        print(f"{label:<{width}}  {counts['passed']:6}  {counts['failed']:6}  {counts['skipped']:7}")
    total = collections.Counter(test.state for test in tests)
    print(f"\n{time_line(took, budget)}")
    print(f"{total['passed']} passed, {total['failed']} failed, {total['skipped']} skipped", flush=True)
    return total


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--took", type=int, default=0)
    parser.add_argument("--budget", type=int, default=0, help="seconds; the report says when the run took longer")
    parser.add_argument("--skipped", type=pathlib.Path)
    parser.add_argument("parts", nargs="*")
    arguments = parser.parse_args()
    tests = list(skipped_parts(arguments.skipped))
    for part in arguments.parts:
        name, directory = part.split("=", 1)
        tests.extend(read_part(name, pathlib.Path(directory)))
    total = print_report(tests, arguments.took, arguments.budget)
    if not total["passed"] and not total["failed"]:
        print("berth: no test ran; see ./test --help for the labels", file=sys.stderr)
        return 1
    return 1 if total["failed"] else 0


if __name__ == "__main__":
    sys.exit(main())

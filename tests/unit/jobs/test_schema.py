# SPDX-License-Identifier: Apache-2.0
"""docs/job.schema.json as an editor would use it."""
import json
import pathlib

import jsonschema
import pytest
import yaml

ROOT = pathlib.Path(__file__).resolve().parents[3]
SCHEMA = json.loads((ROOT / "docs" / "job.schema.json").read_text())
AGENT = "agent.yaml"  # the configuration of an agent, not a job
EXAMPLES = sorted(path for path in (ROOT / "examples").glob("*.yaml") if path.name != AGENT)


def errors(text):
    return list(jsonschema.Draft202012Validator(SCHEMA).iter_errors(yaml.safe_load(text)))


def test_is_a_schema():
    jsonschema.Draft202012Validator.check_schema(SCHEMA)


def test_there_are_examples():
    assert len(EXAMPLES) >= 5


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.name)
def test_accepts_the_example(path):
    assert errors(path.read_text()) == []


STEP = "steps: [{name: s, tool: bash, args: {command: x}, %s}]"


@pytest.mark.parametrize("line", [
    "slots: 1000", "trajectories: 5", "trajectories: {from: a.jsonl}",
    "resources: none", "slot: {cpu: none, disk: 1GiB}",
    "slot: {output_kill: 10kB}", "lease: {ttl: none, idle: 1h30m}", "env: {A: 1, B: x}", "mounts: []", "docker: {}",
    "slot: {network: {allow: [a.example, '*.b.example:443', 192.0.2.1, '[2001:db8::1]:80']}}", STEP % "timeout: 500ms", STEP % "expect: none", STEP % "expect: {output: 5, exit_code: 0}",
])
def test_accepts(line):
    assert errors("job: a\n" + line) == []


@pytest.mark.parametrize("line", [
    "slotz: 3", "slots: 0", "slots: '3'", "slots: 1.5", "trajectories: {}", "trajectories: a.jsonl",
    "job: A", "driver: podman", "slot: {memory: 512}", "slot: {memory: 512mb}", "slot: {network: {allow: []}}", "slot: {network: {allow: ['*']}}", "slot: {network: allow}",
    "lease: {idle: none}", "lease: {idle: 10}",
    "lease: {idle: 1m1h}", "mounts: [x]", "env: {A-B: x}", "env: {A: {b: c}}", "docker: {a: b}", "setup: make",
    "steps: [{name: s}]", STEP % "arg: {}", STEP % "timeout: 5", STEP % "expect: {exit_code: 256}", "insecure: 'true'",
    "nomad: {priority: 101}",
])
def test_refuses(line):
    assert errors("job: a\n" + line) != []


def test_refuses_a_file_without_a_job():
    assert errors("slots: 3") != []

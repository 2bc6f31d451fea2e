# SPDX-License-Identifier: Apache-2.0
"""The tools bash and exec: points 7 to 14 of the conformance checklist, environment and metadata (wire.md 1.13 to 1.16)."""
import time

import pytest

from harness import Slot, wait_until

SLACK = 5  # a figure that a fact promises is asserted at five times its value
KEPT = 50_000
MARK = "\n... (output truncated)\n"
METADATA = {"cause", "exit_code", "started", "queued_ms", "setup_ms", "wall_ms", "cpu_ms", "memory_peak_bytes",
            "usage_source", "stdout_bytes", "stderr_bytes", "truncated", "request_bytes", "response_bytes",
            "background_killed", "execution", "sandboxed", "network_isolated"}


def test_p07_bash_echo(slot):
    result = slot.bash("echo hi")
    assert (result["success"], result["output"], result["error"]) == (True, "hi", "")
    assert result["metadata"]["exit_code"] == 0
    assert result["metadata"]["sandboxed"] is True
    assert result["metadata"]["network_isolated"] is True


def test_p07_an_empty_command_succeeds(slot):
    assert slot.bash("")["metadata"]["exit_code"] == 0
    assert slot.run("bash", {})["success"] is True


@pytest.mark.parametrize("code", [1, 3, 127, 255])
def test_p08_an_exit_code_is_an_error(slot, code):
    result = slot.bash(f"echo out; exit {code}")
    assert (result["success"], result["output"], result["error"]) == (False, "out", f"Exit code: {code}")
    assert (result["metadata"]["exit_code"], result["metadata"]["cause"]) == (code, "exit")


@pytest.mark.parametrize("number", [9, 15, 11])
def test_p08_a_signal_is_reported_as_such(slot, number):
    result = slot.bash(f"kill -{number} $$")
    assert result["error"] == f"Exit code: {128 + number}"
    metadata = result["metadata"]
    assert (metadata["cause"], metadata["signal"], metadata["exit_code"]) == ("signal", number, 128 + number)


def test_p08_the_shells_own_128_is_not_a_signal(slot):
    metadata = slot.bash("exit 137")["metadata"]
    assert metadata["cause"] == "exit" and metadata.get("signal") is None


@pytest.mark.parametrize("command, output", [
    ("echo out; echo err >&2", "out\n\n[stderr]\nerr"), ("printf out; printf err >&2", "out\n[stderr]\nerr"),
    ("echo err >&2", "err"), ("echo out", "out"), ("true", ""), ("printf '  x \\n\\n'", "x"),
    ("echo '[stderr]'", "[stderr]")])
def test_p09_stdout_and_stderr_are_joined(slot, command, output):
    assert slot.bash(command)["output"] == output


def test_p10_head_and_tail_of_a_long_output_are_kept_with_a_mark(slot):
    result = slot.bash("printf START; head -c 300000 /dev/zero | tr '\\0' x; printf END")
    assert result["success"] is True
    assert MARK.strip() in result["output"]
    assert result["output"].startswith("START") and result["output"].endswith("END")
    assert len(result["output"]) == KEPT + len(MARK)
    assert result["metadata"]["truncated"] is True
    assert result["metadata"]["stdout_bytes"] == 300_008


def test_p10_exactly_the_limit_is_whole(slot):
    result = slot.bash(f"head -c {KEPT} /dev/zero | tr '\\0' x")
    assert result["output"] == "x" * KEPT and result["metadata"]["truncated"] is False


def test_p10_one_more_is_cut(slot):
    result = slot.bash(f"head -c {KEPT + 1} /dev/zero | tr '\\0' x")
    assert result["metadata"]["truncated"] is True and MARK.strip() in result["output"]


def test_p10_streams_are_cut_apart(slot):
    result = slot.bash("echo small; head -c 200000 /dev/zero | tr '\\0' e >&2")
    assert result["output"].startswith("small\n\n[stderr]\neee") and MARK in result["output"]


def test_p10_characters_count_not_bytes(slot):
    result = slot.bash("i=0; while [ $i -lt 40000 ]; do printf '\\342\\202\\254'; i=$((i+1)); done")
    assert result["output"] == "\u20ac" * 40_000 and result["metadata"]["truncated"] is False


def test_p10_bytes_that_are_not_utf8_become_replacement_characters(slot):
    result = slot.bash("printf 'a\\377\\303(z\\342\\202'")
    assert result["output"] == "a\ufffd\ufffd(z\ufffd"
    assert result["metadata"]["stdout_bytes"] == 7


def test_p10_no_character_is_cut_in_half_by_the_mark(slot):
    result = slot.bash("i=0; while [ $i -lt 30000 ]; do printf '\\360\\237\\230\\200x'; i=$((i+1)); done")
    assert "\ufffd" not in result["output"] and result["metadata"]["truncated"] is True


@pytest.mark.parametrize("text, timeout", [("1", 1), ("1.0", 1.0), ("1.5", 1.5)])
def test_p11_the_time_limit_is_kept_and_named_as_given(slot, text, timeout):
    begin = time.monotonic()
    result = slot.bash("sleep 100", timeout=timeout)
    assert timeout <= time.monotonic() - begin < timeout + 1 * SLACK
    assert result["error"] == f"Command timed out after {text}s"
    metadata = result["metadata"]
    assert (metadata["exit_code"], metadata["timeout"], metadata["cause"]) == (-1, True, "timeout")
    assert metadata["started"] is True


def test_p12_output_before_the_time_limit_is_returned(slot):
    result = slot.bash("echo a; echo b >&2; sleep 100", timeout=1)
    assert result["success"] is False and result["output"] == "a\n\n[stderr]\nb"


def test_p12_nothing_of_a_timed_out_call_lives_on(slot):
    slot.bash("(setsid sleep 4321 &) ; (trap '' TERM; sleep 4322) & sleep 4323", timeout=1)
    left = slot.output("ls /proc | grep -c '^[0-9]*$'; cat /proc/[0-9]*/cmdline | tr '\\0' ' '")
    assert "432" not in left.replace("grep", ""), left


def test_p13_cwd_is_the_workspace(slot):
    assert slot.output("pwd") == "/workspace"
    slot.write("x", "content")
    assert slot.output("cat ./x") == "content"
    assert slot.output("cat /workspace/x") == "content"


def test_p14_shell_state_ends_with_its_call_and_files_do_not(slot):
    slot.output("export A=1; cd /tmp; touch /workspace/kept; umask 000")
    assert slot.output("echo \"[$A]\" $PWD; ls; umask") == "[] /workspace\nkept\n0022"


def test_exec_runs_a_program_without_a_shell(slot):
    result = slot.exec("/bin/echo", "$HOME", "a  b", "*", "")
    assert result["output"] == "$HOME a  b *"


def test_exec_looks_names_up_in_path(slot):
    assert slot.exec("env", "printf", "x")["output"] == "x"
    missing = slot.exec("no-such-program")
    assert missing["metadata"]["cause"] == "rejected" and missing["metadata"]["started"] is False


def test_exec_takes_cwd_env_and_stdin(slot):
    slot.output("mkdir -p a/b")
    assert slot.exec("pwd", cwd="a/b")["output"] == "/workspace/a/b"
    assert slot.exec("pwd", cwd="/tmp")["output"] == "/tmp"
    assert slot.exec("printenv", "V", env={"V": "x y=z"})["output"] == "x y=z"
    assert slot.exec("cat", stdin="one\ntwo")["output"] == "one\ntwo"
    assert slot.exec("cat", cwd="no/such")["success"] is False


def test_stdin_is_at_its_end_unless_given(slot):
    assert slot.exec("cat")["output"] == ""
    assert slot.output("read x; echo $?") == "1"


def test_argv_is_passed_byte_for_byte(slot):
    argument = "a\n\t'\"\\$(x) \u20ac \U0001f600"
    assert slot.exec("printf", "%s", argument)["output"] == argument


def test_large_arguments_pass_or_fail_with_a_reason(slot):
    assert slot.exec("printf", "%s", "x" * 100_000)["metadata"]["stdout_bytes"] == 100_000
    too_long = slot.exec("true", "x" * 1_000_000)
    assert too_long["success"] is False and too_long["error"]
    assert slot.output("echo alive") == "alive"


def test_the_environment_is_exactly_the_committed_one(slot):
    lines = slot.exec("env", env={"MINE": "1"})["output"].splitlines()
    names = {line.split("=")[0] for line in lines}
    assert names <= {"PATH", "LANG", "HOME", "TMPDIR", "BERTH_EXECUTION", "BERTH_TRAJECTORY", "MINE", "PWD"}, lines
    for line in ["PATH=/usr/local/bin:/usr/bin:/bin", "HOME=/workspace", "TMPDIR=/tmp", "MINE=1"]:
        assert line in lines


def test_the_calls_env_reaches_bash(slot):
    assert slot.run("bash", {"command": "echo $X"}, env={"X": "from call"})["output"] == "from call"


def test_the_servers_environment_does_not_reach_commands(start):
    server = start(env={"PATH": "/usr/bin:/bin", "SECRET_OF_SERVER": "s3cret", "NOMAD_TOKEN": "s3cret"})
    assert "s3cret" not in Slot(server, "slot_0").output("env; cat /proc/self/environ; cat /proc/*/environ 2>/dev/null; true")


def test_the_jobs_environment_reaches_commands_and_the_calls_own_beats_it(start):
    slot = Slot(start(config={"env": {"A": "job", "B": "job"}}), "slot_0")
    assert slot.run("bash", {"command": "echo $A $B"}, env={"B": "call"})["output"] == "job call"


def test_metadata_has_the_keys_of_the_wire(slot):
    metadata = slot.bash("echo out; echo err >&2")["metadata"]
    assert METADATA <= set(metadata), METADATA - set(metadata)
    assert (metadata["cause"], metadata["started"]) == ("exit", True)
    assert (metadata["stdout_bytes"], metadata["stderr_bytes"]) == (4, 4)
    assert metadata["usage_source"] in ("cgroup", "rusage")
    for key in ("queued_ms", "setup_ms", "wall_ms", "cpu_ms"):
        assert metadata[key] >= 0
    assert metadata["request_bytes"] > 0 and metadata["response_bytes"] > 0


def test_wall_and_cpu_time_and_memory_are_measured(slot):
    metadata = slot.bash("/usr/bin/python3 -c 'b=bytearray(60<<20); sum(range(3000000))'")["metadata"]
    assert metadata["cpu_ms"] > 20 and metadata["wall_ms"] > 20
    assert metadata["memory_peak_bytes"] is None or metadata["memory_peak_bytes"] > 60 << 20


def test_background_children_do_not_hold_the_answer_and_die(slot):
    begin = time.monotonic()
    result = slot.bash("sleep 1000 & setsid sleep 1000 & echo done")
    assert time.monotonic() - begin < 0.5 * SLACK
    assert (result["success"], result["output"]) == (True, "done")
    assert result["metadata"]["background_killed"] >= 2
    assert slot.output("cat /proc/[0-9]*/cmdline | tr '\\0' ' '").count("sleep") == 0


def test_output_written_just_before_the_end_is_complete(slot):
    for _ in range(20):
        assert slot.bash("head -c 20000 /dev/zero | tr '\\0' y")["output"] == "y" * 20_000


def test_exec_background_answers_at_once_and_takes_no_turn(slot):
    name = "background-1"
    begin = time.monotonic()
    answer = slot.run("exec", {"argv": ["sleep", "1000"], "background": True}, execution_id=name)
    assert answer["success"] is True and time.monotonic() - begin < 5
    assert slot.output("echo free") == "free"
    where = f"/slots/{slot.name}/executions/{name}"
    assert slot.wire.get(where).json()["state"] == "running"
    assert 200 <= slot.wire.request("DELETE", where).status < 300
    wait_until(lambda: slot.wire.get(where).json()["state"] == "finished", 20, "background call ended")
    assert "1000" not in slot.output("cat /proc/[0-9]*/cmdline | tr '\\0' ' '; true")


def test_exec_background_outlives_later_calls_and_ends_with_reset(slot):
    slot.run("exec", {"argv": ["sh", "-c", "echo here > bg; sleep 1000"], "background": True}, execution_id="bg-2")
    wait_until(lambda: slot.output("cat bg 2>/dev/null; true") == "here", 20, "background started")
    assert slot.wire.get(f"/slots/{slot.name}/executions/bg-2").json()["state"] == "running"
    slot.reset()
    assert "1000" not in slot.output("cat /proc/[0-9]*/cmdline | tr '\\0' ' '; true")


@pytest.mark.parametrize("flag", ["allow_network", "require_sandbox"])
@pytest.mark.parametrize("value", ["false", "true", 0, 1, None, []], ids=repr)
def test_p42_policy_flags_are_strict_booleans(slot, flag, value):
    result = slot.run("bash", {"command": "echo ran > /workspace/ran", flag: value})
    assert result["success"] is False and result["metadata"]["started"] is False
    assert slot.output("ls") == ""


def test_p41_a_slot_has_only_its_loopback(slot):
    assert slot.bash("cat /proc/net/dev", allow_network=False)["output"].count(":") == 1
    result = slot.bash("cat /proc/net/dev", allow_network=True)
    assert result["metadata"]["network_isolated"] is True and result["output"].count(":") == 1


def test_p40_require_sandbox_holds_in_a_sandbox(slot):
    assert slot.bash("echo x", require_sandbox=True)["output"] == "x"


def test_limits_of_one_call_bind_it_alone(slot):
    burn = "while :; do :; done"
    result = slot.run("bash", {"command": burn}, timeout=60, limits={"cpu_seconds": 1})
    assert result["success"] is False and result["metadata"]["wall_ms"] < 30_000
    assert slot.output("echo fine") == "fine"

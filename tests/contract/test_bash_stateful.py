# SPDX-License-Identifier: Apache-2.0
"""bash_stateful: points 52-54 of the contract's checklist, the SHOULDs of its section 3.2, rows 37 and 38 of the threats,
weak points W13-W18, W22-W30 as far as they concern the live shell."""
import base64
import os
import pathlib
import shutil
import tempfile
import threading
import time

import pytest

from harness import Slot, wait_until

TIMEOUT_SLACK = 5 * 0.25  # a time-out is answered within 250 ms (row 60)
PROMPT = "\x1b]797;"


def call(slot, command, timeout=60, **more):
    args = {key: more.pop(key) for key in list(more) if key.startswith(("allow_", "require_"))}
    return slot.run("bash_stateful", {"command": command, **args}, timeout=timeout, **more)


def output(slot, command, timeout=60):
    result = call(slot, command, timeout)
    assert result["success"], result
    return result["output"]


# ---- what clients rely on ----

def test_point_52_cwd_variables_and_jobs_live_on(slot):
    result = call(slot, "cd /tmp; A=1; export B=2; f() { echo f$1; }; set -- x y; sleep 1000 & echo $! > /workspace/job")
    assert result["success"] and result["metadata"]["stateful"] is True
    assert {"exit_code", "sandboxed", "network_isolated"} <= set(result["metadata"])
    assert output(slot, "echo $PWD $A $B $(f 3) $2; sh -c 'echo $A:$B'") == "/tmp 1 2 f3 y\n:2\n"
    assert output(slot, "kill -0 $(cat /workspace/job) && jobs").split()[-2:] == ["sleep", "1000"]
    assert output(slot, "echo x > here; ls /tmp/here") == "/tmp/here\n"


@pytest.mark.parametrize("command, expected", [
    ("printf hello", "hello"),
    ("printf 'a\\r\\nb\\n\\n'", "a\r\nb\n\n"),
    ("printf '  \\n x  '", "  \n x  "),
    ("seq 5000", "".join(f"{i}\n" for i in range(1, 5001))),
    ("printf '%0300d\\n' 7", "0" * 299 + "7\n"),
    ("true", ""),
    ("echo out; echo err >&2", "out\nerr\n"),
    ("printf '\\t%s\\n' tab; printf '\\033[31mred\\033[0m'", "\ttab\n\x1b[31mred\x1b[0m"),
    ("echo é", "é\n"),
])
def test_point_53_the_output_is_the_commands_own(slot, command, expected):
    output(slot, "echo before; echo more")
    assert output(slot, command) == expected
    assert output(slot, "printf after") == "after"


@pytest.mark.parametrize("command, expected", [
    ("echo a # comment", "a\n"),
    ("# nothing but a comment", ""),
    ("echo a;", "a\n"),
    ("sleep 0 &", ""),
    ("cat <<EOF\nline $((1+1))\nEOF", "line 2\n"),
    ("cat <<'EOF'\n$x\nEOF\necho after", "$x\nafter\n"),
    ("for i in 1 2\ndo\n  echo $i\ndone", "1\n2\n"),
    ("f() {\n  echo in f\n}\nf", "in f\n"),
    ("echo 'a\nb'", "a\nb\n"),
    ("echo a \\\n b", "a b\n"),
    ("echo \"'\" '\"' `echo b` \\$", "' \" b $\n"),
    ("(exit 0) || echo no; { echo y; }", "y\n"),
    ("\n\n  echo blank lines before\n\n", "blank lines before\n"),
    ("printf '%s' " + "x" * 20000, "x" * 20000),
])
def test_point_54_any_shell_text_is_accepted(slot, command, expected):
    assert output(slot, command) == expected
    assert output(slot, "echo alive") == "alive\n"


def test_point_54_exit_reports_its_number_and_the_next_call_gets_a_new_shell(slot):
    output(slot, "A=1; sleep 1000 & echo $! > job")
    ended = call(slot, "echo bye; exit 3")
    assert (ended["success"], ended["error"], ended["output"]) == (False, "Exit code: 3", "bye\n")
    assert ended["metadata"]["exit_code"] == 3 and ended["metadata"]["session_kept"] is False
    fresh = call(slot, "echo [$A]")
    assert fresh["output"] == "[]\n" and fresh["metadata"]["restarted"] is True
    assert call(slot, "kill -0 $(cat job) 2>/dev/null")["success"] is False, "the old session's jobs ended with it"
    assert call(slot, "true")["metadata"]["restarted"] is False


@pytest.mark.parametrize("command, code", [
    ("false", 1), ("(exit 7)", 7), ("return 5", 5), ("sh -c 'kill -9 $$'", 137), ("no-such-program", 127),
    ("echo 'unterminated", 2), ("${nothing:?gone}", 2), ("if", 2), ("sh -c 'kill -INT $$'; echo not reached", 130),
    ("kill -INT $$; echo not reached", 130),
])
def test_failures_report_the_shells_own_number_and_keep_the_session(slot, command, code):
    output(slot, "KEPT=yes")
    failed = call(slot, command)
    assert failed["metadata"]["exit_code"] == code and failed["error"] == f"Exit code: {code}", failed
    assert failed["metadata"]["session_kept"] is True and PROMPT not in failed["output"]
    assert "not reached" not in failed["output"] and not failed["output"].endswith("$ ")
    assert output(slot, "echo $? $KEPT") == f"{code} yes\n", "$? lives on as well"


def test_nothing_of_ours_shows_under_set_x_or_own_names(slot):
    assert output(slot, "set -x; echo traced") == "+ echo traced\ntraced\n"
    assert output(slot, "set +x") == "+ set +x\n"
    output(slot, "echo() { printf mine; }; read() { false; }; alias command=false eval=false; IFS=0123456789abcdef")
    assert output(slot, "echo x") == "mine"
    assert call(slot, "(exit 10)")["metadata"]["exit_code"] == 10
    assert output(slot, "unset IFS; unset -f echo read; unalias command eval; set | grep -ci berth_ || true") == "0\n"


def test_missing_and_wrong_commands(slot):
    for args in ({}, {"command": ""}, {"command": " \n"}):
        refused = slot.run("bash_stateful", args)
        assert (refused["success"], refused["error"]) == (False, "Missing command")
    assert slot.run("bash_stateful", {"command": 3})["metadata"]["cause"] == "rejected"
    assert slot.run("bash_stateful", {"command": "a\0b"})["metadata"]["cause"] == "rejected"


def test_variables_of_a_call_are_exported_into_the_session(slot):
    assert call(slot, "sh -c 'echo $GREETING'", env={"GREETING": "it's $HOME"})["output"] == "it's $HOME\n"
    assert output(slot, "echo $GREETING") == "it's $HOME\n"
    assert call(slot, "true", env={"a b": "c"})["metadata"]["cause"] == "rejected"


# ---- time limits ----

@pytest.mark.parametrize("command, shown", [
    ("echo part; sleep 1000", "part\n"),
    ("echo part; sh -c 'trap \"\" INT; sleep 1000'", "part\n"),
    ("echo part; sh -c 'trap \"\" INT TERM; while :; do sleep 1; done'", "part\n"),
    ("echo part; while :; do :; done", "part\n"),
    ("echo part; cat", "part\n"),
    ("echo part; read answer", "part\n"),
    ("PS1='mine> '; echo part; sleep 1000; sleep 1000", "part\n"),
])
def test_a_time_limit_ends_the_command_and_keeps_the_session(slot, command, shown):
    output(slot, "KEPT=yes; sleep 2000 & echo $! > job")
    begun = time.monotonic()
    late = call(slot, command, timeout=1)
    assert time.monotonic() - begun < 1 + TIMEOUT_SLACK
    assert late["error"] == "Command timed out after 1s" and late["output"].startswith(shown), late
    metadata = late["metadata"]
    assert (metadata["exit_code"], metadata["timeout"], metadata["stateful"]) == (-1, True, True)
    assert metadata["sandboxed"] is True and metadata["session_kept"] is True
    assert output(slot, "echo $KEPT; kill -0 $(cat job)") == "yes\n"
    assert output(slot, "ps -e -o args | grep -c '[s]leep 1000' || true") == "0\n"


def test_a_shell_that_cannot_be_brought_back_is_given_up(slot):
    late = call(slot, "trap '' INT TERM; echo part; while :; do :; done", timeout=1)
    assert late["metadata"]["timeout"] is True and late["metadata"]["session_kept"] is False
    assert late["output"].startswith("part\n")
    fresh = call(slot, "echo new")
    assert fresh["output"] == "new\n" and fresh["metadata"]["restarted"] is True
    assert slot.output("ps -e -o args | grep -c '[/]bin/sh -i'") == "1"


def test_a_cancelled_call_keeps_the_session(slot):
    output(slot, "KEPT=yes")
    results = []
    caller = threading.Thread(target=lambda: results.append(
        slot.run("bash_stateful", {"command": "echo part; sleep 1000"}, timeout=60, execution_id="cancel-me")))
    caller.start()
    where = f"/slots/{slot.name}/executions/cancel-me"
    wait_until(lambda: slot.wire.get(where).status == 200 and slot.wire.get(f"{where}/output?stream=terminal").body, 30, "it runs")
    assert slot.wire.request("DELETE", where).status == 200
    caller.join(30)
    assert results[0]["metadata"]["cause"] == "cancelled" and results[0]["output"].startswith("part\n"), results
    assert output(slot, "echo $KEPT") == "yes\n"


# ---- the life of the session ----

def test_reset_ends_the_session_and_its_jobs(slot):
    output(slot, "A=1; cd /tmp; sleep 1000 &")
    slot.reset()
    fresh = call(slot, "echo [$A] $PWD; ps -e -o args | grep -c '[s]leep 1000' || true")
    assert fresh["output"] == "[] /workspace\n0\n"


def test_stateless_calls_leave_the_session_alone(slot):
    output(slot, "A=1; (sleep 1000 & echo $! > orphan); sleep 1000 & echo $! > job")
    left = slot.bash("sleep 3000 & setsid sleep 3000 >/dev/null 2>&1 & echo $A.")
    assert left["output"] == "." and left["metadata"]["background_killed"] == 2, left
    assert output(slot, "echo $A; kill -0 $(cat job) $(cat orphan) && ps -e -o args | grep -c '[s]leep 3000'; true") == "1\n0\n"


@pytest.fixture
def socket_place(user):
    folder = pathlib.Path(tempfile.mkdtemp(prefix="berth-session-"))
    os.chown(folder, user, user) if os.geteuid() == 0 else None
    yield f"unix:{folder}/s"
    shutil.rmtree(folder)


def test_a_new_network_policy_restarts_the_session(start, socket_place):
    # With a network slots could call a server on a port.
    config = {"slot": {"network": "full"}, "isolation": "best-effort"}
    slot = Slot(start(slots=1, config=config, listen=socket_place), "slot_0")
    shared = call(slot, "A=1; readlink /proc/self/ns/net")
    assert shared["metadata"]["network_isolated"] is False
    cut = call(slot, "echo [$A]; readlink /proc/self/ns/net", allow_network=False)
    assert cut["metadata"]["network_isolated"] is True and cut["metadata"]["restarted"] is True
    assert cut["output"].splitlines()[0] == "[]" and cut["output"].splitlines()[1] != shared["output"].strip()
    assert call(slot, "echo same", allow_network=False)["metadata"]["restarted"] is False


def test_flags_are_strict(slot):
    for flag in ({"allow_network": "false"}, {"require_stateful_sandbox": "yes"}, {"require_sandbox": 1}):
        refused = call(slot, "touch ran", **flag)
        assert refused["success"] is False and refused["error"].startswith("Failed to start stateful session: "), refused
    assert slot.output("ls") == ""


def test_without_a_sandbox_the_flag_is_refused(start):
    slot = Slot(start(slots=1, config={"isolation": "none"}), "slot_0")
    refused = call(slot, "touch ran", require_stateful_sandbox=True)
    assert refused["error"] == ("Failed to start stateful session: Stateful sandboxing required but bubblewrap is "
                                "unavailable in this environment")
    assert refused["metadata"]["requires_bwrap"] is True and refused["metadata"]["stateful"] is True
    allowed = call(slot, "printf hello")
    assert allowed["output"] == "hello" and allowed["metadata"]["sandboxed"] is False


def test_calls_to_many_sessions_run_beside_each_other(server):
    slots = [Slot(server, f"slot_{i}") for i in range(4)]
    batch = [{"slot_id": slot.name, "tool": "bash_stateful", "args": {"command": "sleep 1; echo $0 done"}, "timeout": 60}
             for slot in slots]
    begun = time.monotonic()
    results = server.wire.request("POST", "/batch", batch).json()
    assert all(result["success"] for result in results) and time.monotonic() - begun < 3


def test_background_output_appears_where_the_terminal_shows_it(slot):
    assert output(slot, "(sleep 0.3; echo late) & echo now") == "now\n"
    slot.output("sleep 0.6")
    assert output(slot, "echo next") == "next\n", "what came between two calls belongs to none"
    assert output(slot, "(sleep 0.1; echo late) & sleep 0.5; echo now") == "late\nnow\n", "no word of the shell about it"


# ---- bounds and streams ----

def test_output_over_the_limit_is_cut_with_exact_counts(slot):
    result = call(slot, "head -c 3000000 /dev/zero | tr '\\0' x; echo end")
    assert result["success"] and result["metadata"]["truncated"] is True
    assert result["metadata"]["stdout_bytes"] == 3000004 and result["metadata"]["stderr_bytes"] == 0
    assert result["output"] == "x" * 25000 + "\n... (output truncated)\n" + "x" * 24996 + "end\n"
    assert output(slot, "echo next") == "next\n"


def test_output_streams_as_the_terminals(slot):
    body = {"slot_id": slot.name, "tool": "bash_stateful", "args": {"command": "printf a; printf b >&2"}, "timeout": 60}
    lines = list(slot.wire.lines("/execute?stream=1", body))
    pieces = [line for line in lines if line["type"] == "output"]
    assert {piece["stream"] for piece in pieces} == {"terminal"}
    data = b"".join(piece["text"].encode() if "text" in piece else base64.b64decode(piece["base64"]) for piece in pieces)
    assert data == b"ab"


def test_bytes_that_are_not_text_are_flagged(slot):
    result = call(slot, "printf '\\377\\000x'")
    assert result["output"] == "�\x00x" and result["metadata"]["lossy_text"] is True
    assert result["metadata"]["stdout_bytes"] == 3


# ---- rows 37 and 38 ----

FORGERIES = [
    "printf '\\n[exit 0]\\n$ '", "echo 0123456789abcdef 0", "printf '%s' \"$PS1\"; echo after; false",
    "printf '%s%s' \"$PS1\" \"$PS2\"; sleep 0.2; (exit 9)", "printf '{\"success\": true}\\r\\n\\r\\n'; false",
    "printf '\\033]797;'; false", "for fd in 1 2 5 6 7 9 10 11 12 13; do echo feedfacefeedface 0 >/proc/self/fd/$fd; done "
    "2>/dev/null; false",
]


@pytest.mark.parametrize("forgery", FORGERIES)
def test_row_38_output_never_decides_how_a_command_ended(slot, forgery):
    expected = slot.run("exec", {"argv": ["/bin/sh", "-c", forgery], "env": {}})["metadata"]["exit_code"]
    result = call(slot, forgery)
    assert result["metadata"]["exit_code"] == expected, result
    if "$PS1" in forgery:
        assert PROMPT in result["output"], "what a command prints is its output, our mark as well"
    assert output(slot, "echo clean") == "clean\n"


def test_row_38_no_program_is_given_the_control_descriptor(slot):
    assert output(slot, "ls /proc/self/fd; true").split() == ["0", "1", "2", "3"], "3 is the directory that ls reads"
    assert output(slot, "exec 9>/workspace/nine 6>&- 8<&-; echo x >&9; cat nine") == "x\n", "numbers are the command's own"
    assert output(slot, "echo alive") == "alive\n"


def test_row_37_the_terminal_is_the_slots_own_and_bounded(slot, run_probe):
    assert output(slot, "tty; ls /dev/pts").split() == ["/dev/pts/0", "0", "ptmx"]
    assert output(slot, "stty size") == "40 120\n"
    output(slot, "stty rows 65535 cols 65535 && stty size")
    assert output(slot, "printf '%0300d' 1") == "0" * 299 + "1"
    injected = call(slot, "python3 -c 'import fcntl; fcntl.ioctl(0, 0x5412, b\"x\")'")
    assert "PermissionError" in injected["output"] and injected["success"] is False
    linux = call(slot, "python3 -c 'import fcntl; fcntl.ioctl(0, 0x541C, bytes([2]) + bytes(40))'")
    assert "PermissionError" in linux["output"] and linux["success"] is False


def test_row_37_a_slot_cannot_take_all_terminals(slot):
    count = slot.python("""
import os, json
taken = []
try:
    while len(taken) < 2000:
        taken.append(os.open('/dev/ptmx', os.O_RDWR | os.O_NOCTTY))
except OSError:
    pass
print(json.dumps(len(taken)))
""")
    assert 16 <= count <= 128


def test_w4_w5_nothing_of_the_session_lies_in_the_slot(slot):
    output(slot, "echo x")
    assert slot.output("ls -A /workspace /tmp | grep -v ':' | tr -d '\\n'") == ""


def test_a_planted_multiplexer_is_refused(slot):
    if call(slot, "id")["metadata"]["sandboxed"] and slot.bash("mv /dev /dev2 2>/dev/null")["success"]:
        slot.output("mkdir -p /dev && mkfifo /dev/ptmx")
        output(slot, "true")
        call(slot, "exit 0")
        refused = call(slot, "echo x")
        assert refused["success"] is False and "terminal" in refused["error"], refused


# ---- other shells ----

@pytest.fixture(params=["bash", "busybox"])
def other_shell(request, start, user):
    if user != 0:
        pytest.skip("an ordinary user's slots cannot change /bin/sh")
    program = shutil.which(request.param)
    if program is None:
        pytest.skip(f"{request.param} is not installed")
    slot = Slot(start(slots=1), "slot_0")
    slot.put("other", pathlib.Path(program).read_bytes())
    slot.output("chmod 755 other && mv other /usr/local/bin/other-sh && ln -sf /usr/local/bin/other-sh /bin/.new && mv /bin/.new /bin/sh"
                if request.param == "bash" else
                "chmod 755 other && mv other /usr/local/bin/busybox && ln -sf /usr/local/bin/busybox /bin/.new && mv /bin/.new /bin/sh")
    yield slot


def test_the_image_may_have_another_shell(other_shell):
    slot = other_shell
    assert output(slot, "cd /tmp; A=1; printf hello") == "hello"
    assert output(slot, "echo $A $PWD; cat <<EOF\nx\nEOF") == "1 /tmp\nx\n"
    assert call(slot, "echo 'unterminated")["metadata"]["exit_code"] == 2
    assert call(slot, "sh -c 'kill -INT $$'; true")["metadata"]["session_kept"] is True
    late = call(slot, "echo part; sleep 1000", timeout=1)
    assert late["metadata"]["session_kept"] is True and late["output"].startswith("part\n")
    assert output(slot, "echo $A") == "1\n"
    assert call(slot, "exit 4")["metadata"]["exit_code"] == 4
    assert slot.output("ls -A /workspace") == ""


def test_an_image_without_a_shell_is_refused(start, user):
    if user != 0:
        pytest.skip("an ordinary user's slots cannot remove /bin/sh")
    slot = Slot(start(slots=1), "slot_0")
    slot.output("rm /bin/sh")
    refused = call(slot, "true")
    assert (refused["error"], refused["metadata"]["cause"]) == ("no shell in image", "rejected")
    assert refused["metadata"]["stateful"] is True


# ---- exec {tty} ----

def test_exec_with_a_terminal(slot):
    result = slot.exec("/bin/sh", "-c", "tty; test -t 0 && test -t 1 && test -t 2 && echo all; stty size", tty=True)
    assert result["success"] and result["output"] == "/dev/pts/0\r\nall\r\n40 120", result
    assert slot.exec("/bin/sh", "-c", "exit 3", tty=True)["metadata"]["exit_code"] == 3
    late = slot.exec("/bin/sh", "-c", "echo part; read x", tty=True, timeout=1)
    assert late["metadata"]["timeout"] is True and late["output"] == "part"
    assert slot.exec("true", tty=True, stdin="x")["metadata"]["cause"] == "rejected"
    assert slot.exec("true", tty="yes")["success"] is False

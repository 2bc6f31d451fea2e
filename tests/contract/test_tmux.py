# SPDX-License-Identifier: Apache-2.0
"""The tool tmux: points 55 to 59 of the conformance checklist, the weak points W25 and W28 to W35 of the protocol's page,
wire.md 1.15, and rows 27, 35 and 37 of the threat table as far as they are about the terminal."""
import json
import time

import pytest

from asciicast import Decoder
from harness import Slot, allowed, is_sanitized, wait_until

LIMIT = 30          # no step takes longer; only a hang meets it
KEPT = 50_000
MARK = "\n... (output truncated)\n"
RSS_GROWTH = 10_000_000


class Pane:
    """The terminal of a slot, through the tool alone."""

    def __init__(self, slot):
        self.slot = slot

    def call(self, action=None, timeout=60, **args):
        return self.slot.run("tmux", {"action": action, **args} if action else args, timeout=timeout)

    def ok(self, action, output=None, **args):
        result = self.call(action, **args)
        assert result["success"] is True and result["error"] == "", result
        assert output is None or result["output"] == output, result
        return result

    def type(self, *keys, **args):
        return self.ok("send_keys", "ok", keys=list(keys), **args)

    def run(self, command):
        return self.type(command, "Enter", block=True)

    def lines(self, **args):
        return [line for line in self.ok("capture", **args)["output"].split("\n") if line]

    def wait_for(self, text):
        wait_until(lambda: text in self.ok("capture")["output"], LIMIT, f"the screen shows {text!r}")


@pytest.fixture
def pane(slot):
    return Pane(slot)


def decode_all(pane):
    decoder = Decoder()
    decoder.feed(pane.ok("stream", reset=True, max_bytes=200_000)["output"])
    return decoder


# ---- 55: outputs and metadata ----

def test_p55_start(pane):
    metadata = pane.ok("start", "started", pane_width=100, pane_height=30)["metadata"]
    assert metadata["stateful"] is True
    assert (metadata["pane_width"], metadata["pane_height"]) == (100, 30)
    assert (metadata["socket"], metadata["session"], metadata["recording"]) == ("tmux.sock", "s", ".asciinema.cast")


def test_p55_send_keys_and_capture(pane):
    metadata = pane.type("echo he''llo", "Enter")["metadata"]
    assert (metadata["stateful"], metadata["blocked"]) == (True, False)
    pane.wait_for("\nhello\n")
    result = pane.ok("capture")
    assert (result["metadata"]["stateful"], result["metadata"]["capture_entire"]) == (True, False)
    assert result["output"].count("\n") == 40, "one line a row, blank ones too"
    assert not any(line.endswith(" ") and line.strip() for line in result["output"].split("\n") if "$" not in line)


def test_p55_capture_is_the_default_action(pane):
    pane.run("echo default''action")
    result = pane.call()
    assert result["success"] and "defaultaction" in result["output"]
    assert pane.call("  CAPTURE ")["success"] is True


def test_p55_capture_entire_holds_what_scrolled_off(pane):
    pane.run("seq 1 5000")
    assert "\n4999\n5000\n" in pane.ok("capture")["output"]
    assert "\n1\n" not in pane.ok("capture")["output"]
    result = pane.ok("capture", capture_entire=True)
    assert result["metadata"]["capture_entire"] is True and result["metadata"]["lines_lost"] == 0
    shown = [line for line in result["output"].split("\n") if line.isdigit()]
    assert shown == [str(n) for n in range(1, 5001)]


def test_p55_a_long_capture_is_cut_in_the_middle(pane):
    pane.run("seq 100000 112000")
    result = pane.ok("capture", capture_entire=True)
    assert result["metadata"]["truncated"] is True
    assert len(result["output"]) == KEPT + len(MARK) and MARK in result["output"]


def test_p55_stop(pane):
    pane.type("sleep 1000", "Enter")
    result = pane.ok("stop", "stopped")
    assert result["metadata"]["stateful"] is True
    pane.ok("stop", "stopped")
    assert "sleep" not in pane.slot.output("ps -A -o comm= || cat /proc/[0-9]*/comm")


def test_p55_an_unknown_action(pane):
    result = pane.call("Paste")
    assert (result["success"], result["error"]) == (False, "Unknown tmux action: paste")


@pytest.mark.parametrize("keys", [None, 5, {"a": 1}, ["a", 1], [["a"]]])
def test_p55_keys_must_be_text(pane, keys):
    result = pane.call("send_keys", keys=keys)
    assert result["success"] is False
    assert result["error"] == "tmux send_keys requires 'keys' as string or list[string]"


def test_p55_an_empty_list_of_keys_succeeds(pane):
    pane.ok("send_keys", "ok", keys=[])
    pane.ok("send_keys", "ok", keys=[], block=True)


def test_min_wait_waits_after_the_keys(pane):
    pane.ok("start")
    begin = time.monotonic()
    pane.type("true", "Enter", min_wait_s=0.7)
    assert time.monotonic() - begin >= 0.7


@pytest.mark.parametrize("args", [{"max_wait_s": "soon", "block": True}, {"min_wait_s": [1]}, {"pane_width": "wide"},
                                  {"max_bytes": {}}, {"block": "true"}])
def test_an_argument_that_does_not_parse_starts_nothing(slot, args):
    reply = slot.wire.execute(slot.name, "tmux", {"action": "send_keys", "keys": ["touch made", "Enter"], **args})
    assert reply.status == 400 and reply.json()["success"] is False
    assert next(iter(args)) in reply.json()["error"]
    assert slot.output("ls -A") == ""


def test_flags_that_ask_for_more_than_there_is_are_refused(pane):
    for flag in ("require_sandbox", "require_stateful_sandbox"):
        result = pane.call("start", **{flag: "true"})
        assert result["success"] is False and result["error"].startswith("Failed to ensure tmux session: ")
        assert result["metadata"]["stateful"] is True and "requires_bwrap" in result["metadata"]
        assert pane.call("start", **{flag: True})["success"] is True, "the slots of this test are isolated"


# ---- one shell ----

def test_bash_stateful_and_tmux_share_the_shell(slot, pane):
    assert slot.run("bash_stateful", {"command": "export A=1; cd /tmp"}, timeout=60)["success"]
    pane.run("echo $A $PWD")
    assert "1 /tmp" in pane.lines()
    pane.run("cd /workspace; B=two")
    assert slot.run("bash_stateful", {"command": "echo $B $PWD"}, timeout=60)["output"].strip() == "two /workspace"


def test_what_bash_stateful_prints_is_on_the_screen_and_in_the_recording(slot, pane):
    pane.ok("start")
    assert slot.run("bash_stateful", {"command": "printf 'one\\ntwo\\n'"}, timeout=60)["output"] == "one\ntwo\n"
    assert [line for line in pane.lines() if line in ("one", "two")] == ["one", "two"]
    assert [line for line in decode_all(pane).lines() if line in ("one", "two")] == ["one", "two"]


# ---- 56: the stream ----

def test_p56_the_stream_is_an_asciicast_of_whole_lines(pane):
    pane.ok("start", pane_width=90, pane_height=20)
    pane.run("echo str''eamed")
    result = pane.ok("stream")
    metadata = result["metadata"]
    assert (metadata["stateful"], metadata["stream"], metadata["recording"]) == (True, True, ".asciinema.cast")
    assert metadata["offset"] == len(result["output"].encode())
    lines = [json.loads(line) for line in result["output"].splitlines()]
    assert result["output"].endswith("\n")
    assert lines[0]["version"] == 2 and (lines[0]["width"], lines[0]["height"]) == (90, 20)
    assert {"timestamp", "env"} <= set(lines[0])
    assert all(isinstance(line[0], (int, float)) and line[1] == "o" for line in lines[1:])
    times = [line[0] for line in lines[1:]]
    assert times == sorted(times)


def test_p56_each_line_comes_once_and_reset_starts_over(pane):
    pane.ok("start")
    pieces = []
    for number in range(5):
        pane.run(f"echo number {number}")
        pieces.append(pane.ok("stream")["output"])
    assert pane.ok("stream")["output"] == ""
    assert pane.ok("stream", reset=True)["output"] == "".join(pieces)
    pane.ok("start")
    assert pane.ok("stream")["output"] == "".join(pieces), "start sets the offset to 0"


def test_p56_the_decoder_renders_what_capture_shows(pane):
    pane.ok("start", pane_width=80, pane_height=24)
    pane.run("printf 'a\\tb\\033[1mbold\\033[0m\\n'; printf '\\033[10;5Hplaced\\033[12;1H'; echo 'über ½'")
    shown = [line.rstrip() for line in pane.ok("capture")["output"].split("\n")[:24]]
    rendered = decode_all(pane)
    assert (rendered.version, rendered.columns, rendered.rows) == (2, 80, 24)
    assert "    placed" in rendered.lines() and "über ½" in rendered.lines()
    assert [line.replace("\t", "") for line in rendered.lines() if "bold" not in line] == \
        [line for line in shown if "bold" not in line]


@pytest.mark.parametrize("limit", [1, 0, -4, 300])
def test_p56_small_reads_make_progress(pane, limit):
    """W32: less than a line is asked for, a line comes."""
    pane.ok("start")
    pane.run("seq 1 30")
    whole = pane.ok("stream", reset=True, max_bytes=200_000)["output"]
    pane.ok("start")
    read = ""
    while True:
        part = pane.ok("stream", max_bytes=limit)["output"]
        if not part:
            break
        assert part.endswith("\n") and (len(part.encode()) <= max(limit, 1) or part.count("\n") == 1)
        read += part
    assert read == whole


def test_p56_a_new_shell_has_a_new_recording(pane):
    """W31: no offset survives the shell it belongs to."""
    pane.ok("start")
    pane.run("seq 1 200")
    first = pane.ok("stream")["metadata"]
    pane.ok("stop")
    pane.ok("start")
    second = pane.ok("stream")
    assert json.loads(second["output"].splitlines()[0])["version"] == 2
    assert second["metadata"]["offset"] < first["offset"]
    assert second["metadata"]["session_generation"] > first["session_generation"]


# ---- 57: blocking ----

def test_p57_a_final_enter_is_a_key(pane):
    result = pane.type("echo x''y; sleep 0.5; echo de''ad", "Enter", block=True)
    assert result["metadata"]["blocked"] is True
    assert [line for line in pane.lines() if line in ("xy", "dead")] == ["xy", "dead"]
    assert "xyEnter" not in pane.ok("capture")["output"]


def test_p57_without_an_enter_one_is_added(pane):
    pane.type("echo a''b", block=True)
    assert "ab" in pane.lines()
    pane.ok("send_keys", "ok", keys="echo c''d", block=True)
    assert "cd" in pane.lines()


@pytest.mark.parametrize("text, shown", [("echo co''mment # done", "comment"), ("echo sem''i;", "semi"),
                                         ("(echo ba''ck) &", "back"), ("cat <<E\nhe''re\nE", "he''re"),
                                         ("echo one''1\necho two''2", "two2")])
def test_p57_any_text_that_a_shell_takes(pane, text, shown):
    """W28: nothing is appended to the text."""
    pane.type(text, "Enter", block=True)
    # A job in the background and lines typed ahead share their lines with prompts.
    pane.wait_for(f"{shown}\n")


def test_p57_blocks_until_a_program_ends_that_took_lines_itself(pane):
    pane.type("read a; read b; echo got $b $a", "Enter")
    pane.type("first", "Enter", "second", "Enter", block=True)
    assert "got second first" in pane.lines()


def test_p57_the_limit_destroys_the_session(pane):
    pane.run("LOST=1")
    begin = time.monotonic()
    result = pane.call("send_keys", keys=["sleep 100", "Enter"], block=True, max_wait_s=0.5)
    assert result["success"] is False and result["error"] == "tmux blocked keys timed out after 0.5s"
    assert result["metadata"]["stateful"] is True and result["metadata"]["cause"] == "timeout"
    assert time.monotonic() - begin < LIMIT
    assert "sleep" not in pane.slot.output("cat /proc/[0-9]*/cmdline | tr '\\0' ' '")  # empty for what is dead and not yet reaped
    pane.run("echo lost=$LOST.")
    assert "lost=." in pane.lines(), "another shell"


def test_p57_the_limit_is_the_calls_timeout_by_default(pane):
    result = pane.call("send_keys", keys=["sleep 100", "Enter"], block=True, timeout=1)
    assert result["error"] == "tmux blocked keys timed out after 1s"


def test_w29_exit_ends_the_shell_and_the_next_call_gets_a_new_one(pane):
    pane.run("GONE=1")
    assert pane.type("exit 3", "Enter", block=True)["metadata"]["session_kept"] is False
    result = pane.ok("capture")
    assert result["metadata"]["restarted"] is True
    pane.run("echo gone=$GONE.")
    assert "gone=." in pane.lines()


# ---- 58: keys are bytes ----

def test_p58_text_that_looks_like_options_or_commands_is_typed(pane):
    pane.type("cat", "Enter")
    pane.type("x", ";", "-l", ";new-window", "$(touch /workspace/made)", "Enter")
    pane.wait_for("\nx;-l;new-window$(touch /workspace/made)\nx;-l;new-window$(touch /workspace/made)\n")
    pane.type("C-d")
    assert pane.slot.output("ls -A") == ""


def test_p58_names_of_keys(pane):
    pane.type("cat -v", "Enter", min_wait_s=0.2)
    pane.type("Space", "Up", "F1", "M-x", "BTab", "^A", "C-b", "KP5", "Home", "enter", "Enter")
    # Once as the terminal's echo, once by cat: before that a C-c might be the shell's.
    wait_until(lambda: pane.ok("capture")["output"].count(" ^[[A^[OP^[x^[[Z^A^B5^[[Henter") == 2, LIMIT, "cat shows the keys")
    pane.type("C-c")

    def comes_back():
        """The shell answers; what is typed so soon after C-c, a cat that dies may still have read."""
        pane.run("echo ba''ck")
        return "back\n" in pane.ok("capture")["output"]

    wait_until(comes_back, LIMIT, "the shell is back")


def test_w34_literal_types_the_names_of_keys(pane):
    pane.type("cat", "Enter")
    pane.ok("send_keys", "ok", keys=["Enter", "-x", "C-c", "\n"], literal=True)
    pane.wait_for("\nEnter-xC-c\nEnter-xC-c\n")


def test_application_modes_change_the_keys(pane):
    pane.type("printf '\\033[?1h'; cat -v", "Enter", min_wait_s=0.3)
    pane.wait_for("cat -v")
    pane.type("Up", "Enter")
    pane.wait_for("\n^[OA\n")


def test_keys_that_nobody_reads_fail_with_a_reason(pane):
    pane.type("stty raw -echo; sleep 100", "Enter", min_wait_s=0.3)
    result = pane.call("send_keys", keys=["x" * 200_000], timeout=1)
    assert result["success"] is False and result["error"].startswith("tmux send-keys failed: ")


# ---- 59: sizes ----

@pytest.mark.parametrize("asked, given", [((1, 1), (20, 10)), ((65_535, 65_535), (500, 200)), ((-3, 0), (20, 10)),
                                          ((133, 37), (133, 37)), ((None, None), (120, 40))])
def test_p59_sizes_are_clamped_reported_and_real(pane, asked, given):
    metadata = pane.ok("start", pane_width=asked[0], pane_height=asked[1])["metadata"]
    assert (metadata["pane_width"], metadata["pane_height"]) == given
    pane.run("stty size; echo $(tput cols 2>/dev/null)")
    assert f"{given[1]} {given[0]}" in pane.lines()
    assert pane.ok("capture")["output"].count("\n") == given[1]


def test_p59_a_second_start_resizes(pane):
    """W33 and W35: the terminal itself, its programs and the recording get the new size, columns first."""
    pane.ok("start", pane_width=80, pane_height=24)
    pane.run("trap 'echo wi''nch' WINCH")
    assert pane.ok("start", pane_width=132, pane_height=43)["metadata"]["pane_width"] == 132
    pane.run("stty size")
    assert "43 132" in pane.lines() and "winch" in pane.lines()
    decoder = decode_all(pane)
    assert (decoder.columns, decoder.rows) == (132, 43)
    assert [event[2] for event in decoder.events if event[1] == "r"] == ["132x43"]
    assert "43 132" in decoder.lines()


def test_p59_the_other_actions_keep_the_size(pane):
    pane.ok("start", pane_width=50, pane_height=20)
    pane.ok("capture", pane_width=90, pane_height=50)
    assert pane.ok("capture")["output"].count("\n") == 20


# ---- full screen programs and hostile output ----

def test_a_full_screen_program_leaves_the_screen_as_it_was(pane):
    pane.run("echo bef''ore")
    pane.type("printf '\\033[?1049h\\033[2J\\033[H'; echo full screen; read x; printf '\\033[?1049l'", "Enter")
    pane.wait_for("full screen\n")
    assert pane.lines()[0] == "full screen"
    pane.type("", "Enter", block=True)
    assert "before" in pane.lines()


def test_a_program_learns_where_its_cursor_is(pane):
    pane.ok("start")
    pane.type("stty raw -echo; printf '\\033[5;7H\\033[6n'; dd bs=1 count=6 2>/dev/null | od -c | head -1; stty sane", "Enter",
              block=True)
    assert any("5   ;   7   R" in line for line in pane.lines()), pane.lines()


HOSTILE = {
    "parameters": "\\033[" + "1094795585;" * 60 + "m", "repeat": "\\033[5b\\033[99999b", "c1": "\\302\\200" * 50 + "\\033H",
    "osc": "\\033]52;c;QUJD\\007\\033]0;title\\007\\033]0;never ended", "controls": "\\000\\007\\016\\017\\177\\010\\010",
    "bidi": "\\342\\200\\256abc\\342\\201\\246", "broken": "\\377\\376\\303(\\342\\202", "dcs": "\\033P$qm\\033\\\\\\033_x\\033\\\\",
    "margins": "\\033[5;6r\\033[?6h\\033[9999;9999H\\033M", "scroll": "\\033[9999S\\033[9999T\\033[9999L\\033[9999M"}


@pytest.mark.parametrize("name", sorted(HOSTILE))
def test_row35_hostile_output_harms_nothing(pane, name):
    """Seen red with libvterm alone: "parameters" ends the process, "repeat" never returns."""
    pane.ok("start", pane_width=80, pane_height=24)
    pane.type(f"printf '{HOSTILE[name]}'", "Enter", min_wait_s=0.2)
    pane.ok("start", pane_width=20, pane_height=10)
    pane.ok("capture", capture_entire=True)
    decode_all(pane)
    pane.ok("start", pane_width=80, pane_height=24)
    pane.run("printf '\\033\\\\\\033c'; echo st''ill")
    assert "still" in pane.lines()
    log = pane.slot.server.log()
    assert all(line.isprintable() for line in log.splitlines()), "nothing of it reaches the log"


def test_row37_a_program_cannot_type_into_another_slot_or_resize_itself_out_of_bounds(slots):
    """TIOCSTI types into the slot's own terminal at most; TIOCLINUX and a size of 65,535 change nothing of the server."""
    first, second = (Pane(slot) for slot in slots)
    second.ok("start")
    first.ok("start", pane_width=80, pane_height=24)
    first.slot.put("attack.py", b"""
import fcntl, struct, termios, glob
for path in ['/dev/tty', *glob.glob('/dev/pts/*'), *glob.glob('/proc/*/fd/*')]:
    try:
        with open(path, 'wb', buffering=0) as terminal:
            for byte in b'touch stolen\\n':
                fcntl.ioctl(terminal, termios.TIOCSTI, bytes([byte]))
    except OSError:
        pass
    try:
        with open(path, 'rb', buffering=0) as terminal:
            fcntl.ioctl(terminal, 0x541C, b'\\x03')
    except OSError:
        pass
try:
    fcntl.ioctl(0, termios.TIOCSWINSZ, struct.pack('HHHH', 65535, 65535, 0, 0))
except OSError:
    pass
print('attack over')
""")
    first.type("exec python3 attack.py", "Enter", block=True)
    assert second.slot.output("ls -A") == "" and "stolen" not in second.ok("capture")["output"]
    assert second.ok("capture")["output"].count("\n") == 40
    first.ok("start", pane_width=80, pane_height=24)
    first.run("stty size")
    assert "24 80" in first.lines()


def test_row27_no_file_in_the_workspace_and_links_do_no_harm(slot, pane):
    """Row 27: names that a recording, a socket or a start-up file could have are planted as links."""
    slot.output("for n in .asciinema.cast .atropos_stateful_init.sh tmux.sock; do ln -s /workspace/canary $n; done; echo safe > canary")
    before = slot.output("ls -lA --time-style=full-iso; cat canary")
    pane.ok("start")
    pane.run("echo x")
    pane.ok("stream")
    pane.ok("stop")
    assert slot.output("ls -lA --time-style=full-iso; cat canary") == before


def test_a_reset_ends_the_terminal(slot, pane):
    pane.run("KEPT=1; echo old''text")
    slot.reset()
    assert "oldtext" not in pane.ok("capture", capture_entire=True)["output"]
    assert "oldtext" not in pane.ok("stream", reset=True)["output"]
    pane.run("echo kept=$KEPT.")
    assert "kept=." in pane.lines()


def test_memory_stays_flat_under_a_flood(start):
    server = start(slots=2)
    pane = Pane(Slot(server, "slot_0"))
    pane.ok("start")
    before = server.rss_bytes()
    size = 15_000_000 if is_sanitized() else 60_000_000
    pane.type(f"yes 'a line of a flood' | head -c {size}; echo en''d", "Enter", block=True, timeout=300)
    assert pane.lines()[-2].endswith("end")
    assert server.rss_bytes() - before < allowed(RSS_GROWTH)
    behind = pane.ok("stream", max_bytes=200_000)
    assert behind["metadata"]["skipped_bytes"] > 0
    assert json.loads(behind["output"].splitlines()[0])["version"] == 2
    assert pane.ok("capture", capture_entire=True)["metadata"]["lines_lost"] > 0
    pane.ok("stop")

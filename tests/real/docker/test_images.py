# SPDX-License-Identifier: Apache-2.0
"""Any image becomes slots: with and without a shell, of a foreign libc, with a user of its own, read-only, or with links
where others have directories."""
import pytest

import images
from harness import Slot

SLOTS = 2


def pair(server):
    return [Slot(server, f"slot_{number}") for number in range(SLOTS)]


def test_ten_strict_slots_of_a_debian_image(contained, start):
    server = start(slots=10, image=contained.image, data_dir="/.berth/data")
    health = server.wire.health()
    assert (health["status"], health["ready"], health["isolation"]["rung"]) == ("ok", 10, 1), health
    assert health["isolation"]["level"] == "strict" and health["isolation"]["writable_root"], health
    for number in range(10):
        slot = Slot(server, f"slot_{number}")
        assert slot.output("hostname; id -u; pwd; . /etc/os-release; echo $ID") == f"slot_{number}\n0\n/workspace\ndebian"


def test_a_slot_sees_the_image_and_nothing_of_the_engine_or_of_us(contained, start):
    slot = pair(start(slots=SLOTS, image=contained.image))[0]
    top = slot.output("ls -A /").split()
    assert {"usr", "etc", "var", "workspace", "tmp", "proc", "dev", "sys"} <= set(top)
    assert not {".berth", ".dockerenv"} & set(top)
    assert slot.output("ls -A /sys /tmp /workspace") == "/sys:\n\n/tmp:\n\n/workspace:"
    mounts = slot.output("cat /proc/self/mountinfo")
    assert "berth" not in mounts and "docker" not in mounts and " - cgroup" not in mounts, mounts


def test_a_musl_like_image(image, start):
    one, other = pair(start(slots=SLOTS, image=image("busybox")))
    assert one.output("echo $((6 * 7)); id -u; echo $PATH") == "42\n0\n/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
    assert one.output("rm /bin/cat && ls /bin/cat 2>&1 || echo gone").endswith("gone")
    assert other.output("echo there > f && cat f") == "there"
    session = one.run("bash_stateful", {"command": "cd /etc && A=1"})
    assert session["success"], session
    assert one.run("bash_stateful", {"command": "echo $A $PWD"})["output"].strip() == "1 /etc"


def test_an_image_of_one_static_file(image, start):
    slot = pair(start(slots=SLOTS, image=image("file_only")))[0]
    said = slot.exec("/busybox", "echo", "hello")
    assert (said["success"], said["output"]) == (True, "hello"), said
    for tool, args in (("bash", {"command": "true"}), ("bash_stateful", {"command": "true"}), ("tmux", {"action": "start"})):
        refused = slot.run(tool, args)
        assert not refused["success"] and refused["metadata"]["cause"] == "rejected", refused
        assert "no shell in image" in refused["error"], refused
    assert slot.write("a.txt", "kept")["success"] and slot.read("a.txt")["output"] == "kept"


def test_a_large_file_at_the_top_cannot_be_changed_and_a_small_one_is_the_slots_own(engine, start):
    def fill(tar):
        images.busybox(tar)
        images.add_file(tar, "entry.sh", b"#!/bin/sh\necho entry\n", 0o755)
        images.add_file(tar, "large", b"x" * 200_000, 0o755)
    one, other = pair(start(slots=SLOTS, image=engine.import_image("berth-top", images.packed(fill))))
    assert one.output("/entry.sh; wc -c < /large") == "entry\n200000"
    assert one.output("echo changed > /entry.sh; cat /entry.sh") == "changed"
    assert other.output("/entry.sh") == "entry"
    assert "Read-only" in one.output("(echo x > /large) 2>&1 || true")


def test_volumes_and_odd_names_at_the_top(engine, start):
    def fill(tar):
        images.busybox(tar)
        for name in ("var", "var/vol", "vol", "with space", "a,b"):
            images.add_directory(tar, name)
        for name in ("var/beside", "var/vol/f", "vol/f", "with space/f", "a,b/f"):
            images.add_file(tar, name, b"of the image")
    server = start(slots=SLOTS, image=engine.import_image("berth-volumes", images.packed(fill), ["VOLUME /var/vol /vol"]))
    one, other = pair(server)
    # What is mounted below a directory is not the image's; a mount at the top is shown like the rest of it.
    assert one.output("cat /var/beside '/with space/f' /vol/f; ls -A /var/vol; ls -d /a* 2>/dev/null || true") == "of the image" * 3
    one.output("for d in /var /var/vol /vol '/with space'; do echo mine > \"$d/new\" || exit 1; done; rm -r /vol/f /var/beside")
    assert other.output("cat /var/beside /vol/f; find /var /vol '/with space' -name new") == "of the image" * 2
    assert "name=a,b" in server.log()


def test_a_distroless_image_with_its_user(image, start):
    slot = pair(start(slots=SLOTS, image=image("distroless"), config={"user": "nonroot"}))[0]
    assert slot.exec("id", "-u")["output"] == "65532"
    assert "no shell in image" in slot.bash("true")["error"]


@pytest.mark.parametrize("user, shown", [("1234", "uid=1234(app) gid=1234(app)"), ("app", "uid=1234(app) gid=1234(app)"),
                                         ("app:extra", "uid=1234(app) gid=777(extra)"), ("4321", "uid=4321 gid=0(root)")])
def test_commands_run_as_the_images_user(image, start, user, shown):
    slot = pair(start(slots=SLOTS, image=image("busybox"), config={"user": user}))[0]
    assert slot.output("id").startswith(shown)
    assert slot.output("echo mine > f; cat f; stat -c %u f /workspace; grep CapEff /proc/self/status").split() == [
        "mine", user if user.isdigit() else "1234", user if user.isdigit() else "1234", "CapEff:", "0000000000000000"]
    assert slot.write("g", "by tool")["success"]
    assert slot.output("echo more >> g; cat g") == "by toolmore"
    assert "denied" in slot.output("echo x 2>&1 > /etc/x || true; touch /etc/x 2>&1 || true").lower()
    session = slot.run("bash_stateful", {"command": "id -u; echo x > /dev/tty"})
    assert session["success"] and session["output"].split()[0] in ("1234", "4321"), session


def test_a_user_that_the_image_does_not_know_is_refused(image, start):
    server = start(ready=False, image=image("busybox"), config={"user": "nobody-knows"})
    line = server.ready_line()
    assert line["ok"] is False and "nobody-knows is not in the image's /etc/passwd" in line["error"]["message"], line


def test_the_images_environment(image, start):
    config = {"image_env": ["PATH=/bin:/odd", "LANG=de_DE", "FROM_IMAGE=yes", "HOME=/root", "BOTH=image"], "env": {"BOTH": "job"}}
    slot = pair(start(slots=SLOTS, image=image("busybox"), config=config, env={"OF_SERVER": "secret"}))[0]
    found = dict(line.split("=", 1) for line in slot.output("env").splitlines())
    assert found["PATH"] == "/bin:/odd" and found["LANG"] == "de_DE" and found["FROM_IMAGE"] == "yes" and found["BOTH"] == "job"
    assert found["HOME"] == "/workspace" and "OF_SERVER" not in found


def test_a_read_only_root(contained, start):
    slot = pair(start(slots=SLOTS, image=contained.image, host_config={"ReadonlyRootfs": True}))[0]
    assert slot.output("echo x > /etc/x; rm -r /usr/share/doc; cat /etc/x") == "x"


def test_row13_links_to_host_looking_paths_lead_nowhere(image, start):
    server = start(slots=SLOTS, image=image("odd_links"))
    one, other = pair(server)
    assert one.output("echo x > /dev/null; ls -d /workspace; readlink /workspace || echo no link") == "/workspace\nno link"
    assert one.output("echo mine > /workspace/canary; cat /host/canary /host/workspace/canary") == "untoucheduntouched"
    assert other.output("ls -A /workspace; cat /host/canary /host/workspace/canary /host/etc/hosts").replace("\n", "").count("untouched") >= 2
    assert one.output("test -c /dev/null && test ! -L /dev && ls /dev").split() == [
        "fd", "full", "null", "ptmx", "pts", "random", "shm", "stderr", "stdin", "stdout", "tty", "urandom", "zero"]


def test_row13_links_to_the_servers_own_folder_stay_links_to_nothing(image, start):
    """Followed where the server prepares the slots' root, they would show its sockets and configuration."""
    one = pair(start(slots=SLOTS, image=image("odd_links"), data_dir="/.berth/data"))[0]
    for name in ("/ours", "/etc/ours"):
        assert one.output(f"readlink {name}; ls {name}/ 2>/dev/null | wc -l").split() == ["/.berth", "0"], name


def test_row13_a_link_in_the_place_of_our_own_folder_is_refused(engine, start):
    def fill(tar):
        images.busybox(tar)
        images.add_directory(tar, "usr/theirs")
        images.add_link(tar, ".berth", "/usr/theirs")
    line = start(ready=False, image=engine.import_image("berth-linked", images.packed(fill)), data_dir="/.berth/data").ready_line()
    assert line["ok"] is False and "behind a link of the image" in line["error"]["message"], line


def test_setup_changes_what_all_slots_see(image, start):
    config = {"setup": ["echo tool > /usr/tool && id -u > /etc/by"], "user": "app"}
    one, other = pair(start(slots=SLOTS, image=image("busybox"), config=config))
    assert one.output("cat /usr/tool /etc/by") == "tool\n0"
    assert other.output("cat /usr/tool /etc/by; id -u") == "tool\n0\n1234"

# SPDX-License-Identifier: Apache-2.0
"""What slots of one container hide from each other, from the server and from the machine."""
import io
import tarfile

import pytest

from harness import START_LIMIT, Slot, alive, descendants, wait_until

DPKG_LIMIT = 120
KERNEL_SETTINGS = ("/proc/sys/kernel/core_pattern", "/proc/sys/kernel/modprobe", "/proc/sys/kernel/hotplug", "/proc/sysrq-trigger",
                   "/proc/sys/vm/drop_caches", "/proc/sys/kernel/hostname")


@pytest.fixture(scope="module")
def server(contained):
    slotd = contained(slots=2)
    slotd.connect()
    yield slotd
    slotd.stop()


def test_neither_processes_nor_files_are_shared(slots):
    one, other = slots
    assert one.run("exec", {"argv": ["sleep", "4242"], "background": True})["success"]
    one.output("until grep -qs '[4]242' /proc/[0-9]*/cmdline; do sleep 0.02; done")  # it was handed over, and now runs
    one.output("echo marker-of-one > /workspace/f; cp /workspace/f /tmp/f; cp /workspace/f /etc/f; cp /workspace/f /dev/shm/f")
    assert "4242" in one.output("cat /proc/[0-9]*/cmdline | tr '\\0' ' '")
    assert "4242" not in other.output("cat /proc/[0-9]*/cmdline | tr '\\0' ' '")
    assert other.output("grep -rs marker-of-one /workspace /tmp /etc /dev/shm || echo nothing") == "nothing"
    assert other.output("for pid in $(seq 2 400); do [ $pid = $$ ] || kill -9 $pid; done 2>/dev/null; echo alive") == "alive"
    assert "4242" in one.output("cat /proc/[0-9]*/cmdline | tr '\\0' ' '")


@pytest.mark.parametrize("path", KERNEL_SETTINGS)
def test_what_the_machine_runs_cannot_be_set(slots, path):
    # Opened for appending and left alone: were it possible, nothing of the machine would change.
    said = slots[0].output(f"if [ -e {path} ]; then (: >> {path}) 2>&1 && echo opened; else echo missing; fi; true")
    assert "opened" not in said, said


def test_the_kernels_own_files_are_covered(slots):
    assert slots[0].output("cat /proc/kcore /proc/kallsyms /proc/keys /proc/timer_list 2>/dev/null | wc -c") == "0"


def test_the_server_and_its_files_are_out_of_reach(slots):
    assert slots[0].output("ls -d /.berth /run/berth* 2>/dev/null || echo nothing") == "nothing"
    assert slots[0].output("ls /proc/1/root/ 2>&1 | head -1").endswith("denied")
    assert slots[0].output("grep -c slotd /proc/1/cmdline || true") == "0"


def test_what_a_slot_may_do_is_the_committed_list(slots):
    facts = dict(line.split(":\t") for line in slots[0].output("cat /proc/self/status").splitlines() if ":\t" in line)
    assert (facts["NoNewPrivs"], facts["Seccomp"]) == ("1", "2")
    kept = sum(1 << capability for capability in (0, 1, 3, 4, 5, 6, 7, 10))
    assert int(facts["CapEff"], 16) == int(facts["CapBnd"], 16) == kept
    assert slots[0].output("unshare -r true 2>&1 || true").endswith("Operation not permitted")
    assert "denied" in slots[0].output("mount -t tmpfs x /mnt 2>&1 || true")


def package():
    """A small .deb, made of nothing but tar and ar."""
    def archive(files):
        buffer = io.BytesIO()
        with tarfile.open(fileobj=buffer, mode="w:gz") as tar:
            for name, content, mode in files:
                entry = tarfile.TarInfo(name)
                if content is None:
                    entry.type, entry.mode = tarfile.DIRTYPE, mode
                    tar.addfile(entry)
                else:
                    entry.size, entry.mode = len(content), mode
                    tar.addfile(entry, io.BytesIO(content))
        return buffer.getvalue()

    control = b"Package: berth-marker\nVersion: 1.0\nArchitecture: all\nMaintainer: nobody <nobody@invalid>\nDescription: a marker\n"
    script = b"#!/bin/sh\nset -e\nchown 1:1 /usr/share/berth-marker/file\n"
    members = [("debian-binary", b"2.0\n"),
               ("control.tar.gz", archive([("./", None, 0o755), ("./control", control, 0o644), ("./postinst", script, 0o755)])),
               ("data.tar.gz", archive([("./", None, 0o755), ("./usr/", None, 0o755), ("./usr/share/", None, 0o755),
                                        ("./usr/share/berth-marker/", None, 0o755), ("./usr/share/berth-marker/file", b"installed\n", 0o644),
                                        ("./usr/bin/", None, 0o755), ("./usr/bin/berth-marker", b"#!/bin/sh\necho runs\n", 0o4755)]))]
    deb = b"!<arch>\n"
    for name, content in members:
        deb += f"{name:<16}{0:<12}{0:<6}{0:<6}{100644:<8}{len(content):<10}`\n".encode() + content + b"\n" * (len(content) % 2)
    return deb


def test_a_package_is_installed_in_one_slot_alone_and_gone_after_reset(slots):
    one, other = slots
    one.put("marker.deb", package())
    said = one.bash("dpkg -i /workspace/marker.deb && berth-marker && dpkg -s berth-marker | grep ^Status && stat -c %u /usr/share/berth-marker/file",
                    timeout=DPKG_LIMIT)
    assert said["success"], said
    assert said["output"].splitlines()[-3:] == ["runs", "Status: install ok installed", "1"], said
    assert other.output("command -v berth-marker; dpkg -s berth-marker 2>&1 | head -1; ls /usr/share/berth-marker 2>&1 || true").count("berth-marker") >= 1
    assert not other.bash("command -v berth-marker")["success"] and not other.bash("dpkg -s berth-marker")["success"]
    one.output("rm -rf /usr/share/base-files /var/lib/dpkg/status")
    assert other.output("ls -d /usr/share/base-files /var/lib/dpkg/status").split() == ["/usr/share/base-files", "/var/lib/dpkg/status"]
    one.reset()
    assert not one.bash("command -v berth-marker")["success"]
    assert one.output("ls -d /usr/share/base-files /var/lib/dpkg/status").split() == ["/usr/share/base-files", "/var/lib/dpkg/status"]


def test_nothing_is_left_when_the_container_is_stopped(contained):
    slotd = contained(slots=2).connect()
    slot = Slot(slotd, "slot_0")
    assert slot.run("exec", {"argv": ["sleep", "1000"], "background": True})["success"]
    wait_until(lambda: len(descendants(slotd.process.pid)) >= 3, START_LIMIT, "what was handed over runs")
    family = descendants(slotd.process.pid)
    slotd.stop()
    assert not any(alive(process) for process in family)

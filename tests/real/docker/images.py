# SPDX-License-Identifier: Apache-2.0
"""Images for the tests, made of what Debian packages: no registry is asked."""
import functools
import io
import os
import pathlib
import re
import shutil
import subprocess
import tarfile
import tempfile

APPLETS = ["sh", "ash", "cat", "ls", "echo", "mkdir", "rm", "rmdir", "touch", "id", "grep", "sed", "sleep", "true", "false", "test",
           "chmod", "chown", "ln", "readlink", "stat", "head", "tail", "wc", "ps", "kill", "mount", "umount", "env", "printf",
           "hostname", "dd", "df", "find", "sort", "uname", "tr", "cut", "seq", "pwd", "whoami", "awk"]
DEBIAN = ("python3", "procps", "curl")  # beside what every Debian has
BUILD_LIMIT = 600


def add_file(tar, name, content, mode=0o644, uid=0):
    entry = tarfile.TarInfo(name)
    entry.size, entry.mode, entry.uid, entry.gid = len(content), mode, uid, uid
    tar.addfile(entry, io.BytesIO(content))


def add_directory(tar, name, mode=0o755):
    entry = tarfile.TarInfo(name)
    entry.type, entry.mode = tarfile.DIRTYPE, mode
    tar.addfile(entry)


def add_link(tar, name, target):
    entry = tarfile.TarInfo(name)
    entry.type, entry.linkname = tarfile.SYMTYPE, target
    tar.addfile(entry)


def packed(fill):
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as tar:
        fill(tar)
    return buffer.getvalue()


def static_busybox():
    """The one program that runs in an image with nothing else."""
    path = shutil.which("busybox", path="/usr/bin:/bin")
    assert path, "busybox is missing (Debian: busybox-static)"
    content = pathlib.Path(path).read_bytes()
    assert b"ld-linux" not in content[:8192], "busybox is not static (Debian: busybox-static)"
    return content


def busybox(tar, accounts=True):
    for name in ("bin", "etc", "tmp", "root", "usr"):
        add_directory(tar, name)
    add_file(tar, "bin/busybox", static_busybox(), 0o755)
    for applet in APPLETS:
        add_link(tar, f"bin/{applet}", "busybox")
    if accounts:
        add_file(tar, "etc/passwd", b"root:x:0:0::/root:/bin/sh\napp:x:1234:1234::/:/bin/sh\n")
        add_file(tar, "etc/group", b"root:x:0:\napp:x:1234:\nextra:x:777:app\n")


def busybox_image():
    """A musl-like image: one shell, one libc-free program, hardly a file."""
    return packed(busybox)


def file_only_image():
    """An image with nothing at all but one static program."""
    return packed(lambda tar: add_file(tar, "busybox", static_busybox(), 0o755))


def odd_links_image():
    """What a slot server touches by name is a link to somewhere that looks like the machine."""
    def fill(tar):
        busybox(tar, accounts=False)
        for name in ("host", "host/dev", "host/workspace", "host/etc"):
            add_directory(tar, name)
        add_file(tar, "host/canary", b"untouched")
        add_file(tar, "host/workspace/canary", b"untouched")
        add_file(tar, "host/etc/hosts", b"untouched")
        add_link(tar, "dev", "/host/dev")
        add_link(tar, "host/dev/null", "/host/canary")
        add_link(tar, "host/dev/pts", "/host")
        add_link(tar, "etc/hosts", "/host/etc/hosts")
        add_link(tar, "workspace", "/host/workspace")
        add_link(tar, "ours", "/.berth")
        add_link(tar, "etc/ours", "/.berth")  # etc is copied: the engine mounts files in it
    return packed(fill)


def libraries_of(program):
    said = subprocess.run(["ldd", program], check=True, capture_output=True, text=True).stdout
    return re.findall(r"(/\S+) \(0x", said)


def distroless_image():
    """A program with its libraries, accounts, and no shell."""
    def fill(tar):
        for name in ("usr", "usr/bin", "usr/lib", "usr/lib64", "etc", "home"):
            add_directory(tar, name)
        for name in ("bin", "lib", "lib64"):
            add_link(tar, name, f"usr/{name}")
        programs = ("/usr/bin/env", "/usr/bin/id", "/usr/bin/cat")
        libraries = sorted({each for program in programs for each in libraries_of(program)})
        inside = {library: library if library.startswith("/usr/") else f"/usr{library}" for library in libraries}
        for folder in sorted({str(parent) for path in inside.values() for parent in pathlib.PurePath(path).parents}):
            if folder.count("/") > 2:
                add_directory(tar, folder[1:])
        for program in programs:
            add_file(tar, program[1:], pathlib.Path(program).read_bytes(), 0o755)
        for library in libraries:
            add_file(tar, inside[library][1:], pathlib.Path(library).resolve().read_bytes(), 0o755)
        add_file(tar, "etc/passwd", b"root:x:0:0::/root:/none\nnonroot:x:65532:65532::/home:/none\n")
        add_file(tar, "etc/group", b"root:x:0:\nnonroot:x:65532:\n")
    return packed(fill)


def cache():
    base = os.environ.get("XDG_CACHE_HOME") or (os.environ.get("HOME", "/root") + "/.cache")
    folder = pathlib.Path(base) / "berth-tests"
    folder.mkdir(mode=0o755, parents=True, exist_ok=True)
    return folder


@functools.cache
def debian():
    """The path of a tar of a small Debian, by the package sources of this machine; built once, then kept."""
    kept = cache() / f"debian-{'-'.join(DEBIAN)}.tar"
    if not kept.exists():
        with tempfile.TemporaryDirectory(prefix="berth-debian-") as folder:
            made = pathlib.Path(folder) / "root.tar"
            sources = [str(path) for path in (pathlib.Path("/etc/apt/sources.list"), *sorted(pathlib.Path("/etc/apt/sources.list.d").glob("*")))
                       if path.is_file() and path.stat().st_size]
            subprocess.run(["mmdebstrap", "--variant=minbase", f"--include={','.join(DEBIAN)}", "--dpkgopt=path-exclude=/usr/share/doc/*",
                            "--dpkgopt=path-exclude=/usr/share/locale/*", "bookworm", str(made), *sources],
                           check=True, timeout=BUILD_LIMIT, stdin=subprocess.DEVNULL, capture_output=True)
            shutil.move(made, f"{kept}.{os.getpid()}")
            os.replace(f"{kept}.{os.getpid()}", kept)
    return kept

# SPDX-License-Identifier: Apache-2.0
"""The engine's archive routes: files into a container and out of it, whether it runs or not."""
import os
import pathlib
import subprocess
import uuid

import pytest

LIMIT = 60
MOST = 8 << 20


class Files:
    """The engine's client, for one container."""

    def __init__(self, engine, container):
        self.engine = engine
        self.container = container

    def run(self, verb, *words):
        program = pathlib.Path(os.environ["BERTH_BIN_DIR"]) / "engine-files"
        return subprocess.run([program, self.engine.socket, verb, self.container, *map(str, words)], capture_output=True,
                              timeout=LIMIT, check=False)

    def put(self, folder, *files):
        done = self.run("put", folder, *files)
        assert done.returncode == 0, done.stderr

    def get(self, path, most=MOST):
        done = self.run("get", path, most)
        assert done.returncode == 0, done.stderr
        return done.stdout

    def refusal(self, path, most=MOST):
        done = self.run("get", path, most)
        assert done.returncode == 1 and not done.stdout, done
        code, _, message = done.stderr.decode().partition(": ")
        return code, message


@pytest.fixture
def files(engine, debian):
    """A container that has never run."""
    container = engine.create(f"files-{uuid.uuid4().hex[:8]}", {"Image": debian, "Cmd": ["/bin/sleep", "300"]})
    yield Files(engine, container)
    engine.remove(container)


def test_what_is_put_comes_out_again(files, tmp_path):
    contents = {"empty": b"", "one": b"x", "block": b"y" * 512, "a b?&#%+é": bytes(range(256)) * 7,
                "long-" + "n" * 90: b"z", "large": os.urandom(5 << 20)}
    for name, content in contents.items():
        (tmp_path / name).write_bytes(content)
    files.put("/srv", *(tmp_path / name for name in contents))
    for name, content in contents.items():
        assert files.get(f"/srv/{name}") == content, name


def test_a_container_that_runs_gives_its_files_too(files):
    files.engine.start_container(files.container)
    assert files.get("/bin/dash").startswith(b"\x7fELF")


@pytest.mark.parametrize("path", ["/etc", "/bin/sh"], ids=["a folder", "a link"])
def test_what_is_no_plain_file_is_refused(files, path):
    assert files.refusal(path)[0] == "not_a_file"


def test_what_is_too_large_is_refused_before_it_is_read(files, tmp_path):
    (tmp_path / "large").write_bytes(bytes(MOST + 1))
    files.put("/srv", tmp_path / "large")
    code, message = files.refusal("/srv/large")
    assert code == "too_large" and str(MOST + 1) in message
    assert len(files.get("/srv/large", MOST + 1)) == MOST + 1


def test_what_is_not_there_is_told_in_the_engines_words(files):
    code, message = files.refusal("/srv/none")
    assert code == "engine_missing" and "/srv/none" in message
    code, message = Files(files.engine, "nobody").refusal("/etc/hostname")
    assert code == "engine_missing" and "nobody" in message


def test_a_folder_that_is_not_there_takes_no_file(files, tmp_path):
    (tmp_path / "one").write_bytes(b"x")
    done = files.run("put", "/nowhere", tmp_path / "one")
    assert done.returncode == 1 and done.stderr.startswith(b"engine_missing: "), done.stderr

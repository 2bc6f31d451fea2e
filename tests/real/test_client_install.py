# SPDX-License-Identifier: Apache-2.0
"""The client as somebody else's project uses it: installed, found by find_package, and nothing of Asio or JSON in sight."""
import os
import pathlib
import shutil
import subprocess

import pytest

ROOT = pathlib.Path(os.environ["BERTH_SOURCE_DIR"])
BUILD = pathlib.Path(os.environ["BERTH_BIN_DIR"]).parent
LIMIT = 240
PROJECT = """
cmake_minimum_required(VERSION 3.25)
project(other LANGUAGES CXX)
find_package(Berth REQUIRED)
add_executable(other client.cpp)
target_link_libraries(other PRIVATE Berth::client)
"""


def run(*command):
    done = subprocess.run(command, capture_output=True, text=True, timeout=LIMIT, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def test_a_project_of_its_own_finds_and_links_it(tmp_path):
    if "BERTH_SANITIZE:STRING=\n" not in (BUILD / "CMakeCache.txt").read_text():
        pytest.skip("libraries built for a sanitizer do not link into a plain program")
    prefix, project = tmp_path / "prefix", tmp_path / "project"
    project.mkdir()
    shutil.copy(ROOT / "examples" / "client.cpp", project)
    (project / "CMakeLists.txt").write_text(PROJECT)
    run("cmake", "--install", BUILD, "--component", "client", "--prefix", prefix)
    run("cmake", "-S", project, "-B", project / "build", "-G", "Ninja", f"-DCMAKE_PREFIX_PATH={prefix}")
    run("cmake", "--build", project / "build")
    done = subprocess.run([project / "build" / "other", "http://127.0.0.1:1"], capture_output=True, text=True,
                          timeout=LIMIT, check=False)
    assert done.returncode == 1 and "no healthy slot server" in done.stderr


def test_its_headers_name_no_library_but_expected():
    seen = {line.split()[1] for path in (ROOT / "include" / "berth").glob("*.hpp")
            for line in path.read_text().splitlines() if line.startswith("#include")}
    foreign = {name for name in seen if "/" in name and not name.startswith('"berth/')}
    assert foreign <= {"<tl/expected.hpp>", "<sys/types.h>"}, foreign

# SPDX-License-Identifier: Apache-2.0
"""Dependencies point one way. The arrows are those of the design; any other include is an error, with its place."""
import pathlib

import pytest
import tree

# Module -> the modules it may include, itself always. A module is a folder; the longest match wins.
ARROWS = {
    "include": set(),
    "base": {"include"},
    "base/tls": {"include", "base"},  # OpenSSL: the slot server and the client library do without it
    "jobs": {"include", "base"},
    "isolation": {"include", "base"},
    "drivers": {"include", "base", "base/tls"},
    "slotd": {"include", "base", "isolation"},
    "agent/pool": {"include", "base"},
    "agent": {"include", "base", "base/tls", "jobs", "drivers", "agent/pool"},
    "client": {"include", "base"},
    "cli": {"include", "base", "base/tls", "jobs", "drivers", "client", "agent", "agent/pool"},
}

# Libraries that cost a second or more of compile time a file: our headers do without them.
HEAVY = ("nlohmann/json.hpp", "rapidjson", "nlohmann/ordered_map.hpp", "boost/beast", "boost/asio", "boost/process", "spdlog", "fmt/",
         "yaml-cpp/yaml.h", "yaml-cpp/node/", "CLI/", "archive.h", "re2/", "sqlite", "SQLiteCpp")
# Folders whose interfaces are coroutines may name the one part of Asio that a declaration needs, never the whole.
ASYNCHRONOUS = ("base/http/", "drivers/", "slotd/", "agent/", "client/", "cli/")
PURE = "agent/pool/"
WHOLE_ASIO = ("boost/asio.hpp", "boost/asio/ssl", "boost/asio/experimental")


def module_of(name):
    path = pathlib.PurePosixPath(name)
    folders = [str(parent) for parent in path.parents]
    return next((folder for folder in folders if folder in ARROWS), None)


def resolve(name):
    """The file of ours that an include names: from the root, or from include/ for what others include."""
    for candidate in (pathlib.PurePosixPath(name), pathlib.PurePosixPath("include") / name):
        if (tree.ROOT / candidate).is_file():
            return candidate
    return None


def wrong_arrows(path, lines):
    source = module_of(path)
    for number, line, quote, name in lines:
        target = resolve(name)
        if target is None:
            if quote == '"' and not name.startswith("generated/"):
                yield f"{path}:{number}: {line}   (no such file from the root of the tree)"
            continue
        module = module_of(target)
        if module != source and module not in ARROWS[source]:
            yield f"{path}:{number}: {line}   ({source} may not include {module})"


def may_be_in_header(path, name):
    if not name.startswith(HEAVY):
        return True
    asynchronous = str(path).startswith(ASYNCHRONOUS) and not str(path).startswith(PURE)
    return asynchronous and name.startswith("boost/asio") and not name.startswith(WHOLE_ASIO)


def heavy_lines(path, lines):
    for number, line, _, name in lines:
        if not may_be_in_header(path, name):
            yield f"{path}:{number}: {line}   (move it into the .cpp files)"


def test_every_include_follows_an_arrow_of_the_design():
    wrong = [line for path in tree.code() for line in wrong_arrows(path, tree.includes(path))]
    assert not wrong, "\n" + "\n".join(wrong)


def test_headers_leave_heavy_libraries_to_source_files():
    headers = [path for path in tree.code() if path.suffix == ".hpp"]
    heavy = [line for path in headers for line in heavy_lines(path, tree.includes(path))]
    assert not heavy, "\n" + "\n".join(heavy)


@pytest.mark.parametrize("source, target", [
    ("base/fd.cpp", "isolation/room.hpp"),
    ("slotd/main.cpp", "jobs/job.hpp"),
    ("agent/pool/step.cpp", "jobs/job.hpp"),
    ("isolation/room.cpp", "base/no_such_header.hpp"),
    ("base/http/dial.cpp", "base/tls/client_context.hpp"),
    ("slotd/main.cpp", "base/tls/server_context.hpp"),
])
def test_a_wrong_arrow_is_seen(source, target):
    line = f'#include "{target}"'
    assert list(wrong_arrows(pathlib.PurePosixPath(source), [(1, line, '"', target)]))


@pytest.mark.parametrize("header, name", [
    ("base/text.hpp", "nlohmann/json.hpp"),
    ("slotd/routes.hpp", "boost/asio.hpp"),
    ("agent/pool/pool.hpp", "boost/asio/awaitable.hpp"),
    ("jobs/job.hpp", "yaml-cpp/yaml.h"),
])
def test_a_heavy_header_is_seen(header, name):
    assert list(heavy_lines(pathlib.PurePosixPath(header), [(1, f"#include <{name}>", "<", name)]))

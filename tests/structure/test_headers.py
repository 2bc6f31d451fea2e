# SPDX-License-Identifier: Apache-2.0
"""Every header stands alone. Where a source file of the same name exists, it includes its header first, so the build
itself proves it; the others are put before the compiler here."""
import concurrent.futures
import os
import subprocess

import tree

COMPILER = os.environ.get("CXX", "c++")
FLAGS = ["-std=c++20", "-fsyntax-only", "-x", "c++", f"-I{tree.ROOT}", f"-I{tree.ROOT / 'include'}",
         "-DBOOST_ASIO_NO_DEPRECATED", "-DBOOST_ASIO_DISABLE_VISIBILITY", "-DBOOST_BEAST_USE_STD_STRING_VIEW"]


def headers():
    return [path for path in tree.code() if path.suffix == ".hpp"]


def spelled(header):
    return str(header.relative_to("include")) if header.parts[0] == "include" else str(header)


def is_source(path):
    return (tree.ROOT / path).is_file()


def test_a_source_file_includes_its_own_header_first():
    late = []
    for header in headers():
        source = header.with_suffix(".cpp")
        if is_source(source):
            first = next(tree.includes(source), None)
            if first is None or first[3] != spelled(header):
                late.append(f"{source}:{first[0] if first else 1}: {spelled(header)} is not its first include")
    assert not late, "\n" + "\n".join(late)


def compile_alone(header):
    line = f'#include "{spelled(header)}"\n'
    done = subprocess.run([COMPILER, *FLAGS, "-"], input=line, capture_output=True, text=True, cwd=tree.ROOT)
    return f"{header}:\n{done.stderr[:2000]}" if done.returncode else None


def test_a_header_without_a_source_file_compiles_alone():
    alone = [header for header in headers() if not is_source(header.with_suffix(".cpp"))]
    with concurrent.futures.ThreadPoolExecutor(max_workers=2) as pool:
        broken = [text for text in pool.map(compile_alone, alone) if text]
    assert not broken, "\n" + "\n".join(broken)

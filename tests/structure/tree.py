# SPDX-License-Identifier: Apache-2.0
"""The checkout as data: which files are ours, and what each includes."""
import pathlib
import re
import subprocess

ROOT = pathlib.Path(__file__).resolve().parents[2]
PRODUCT = ("include", "base", "isolation", "slotd", "jobs", "drivers", "agent", "client", "cli")
CODE = {".cpp", ".hpp", ".c", ".h"}

INCLUDE = re.compile(r'^\s*#\s*include\s*(["<])([^">]+)[">]')


def tracked():
    """Every file that git knows or would take (new and not ignored), relative to the root."""
    command = ["git", "-c", f"safe.directory={ROOT}", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    names = subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True).stdout
    paths = (pathlib.PurePosixPath(name) for name in sorted(set(names.split("\0"))) if name)
    return [path for path in paths if (ROOT / path).is_file()]


def code(folders=PRODUCT):
    return [path for path in tracked() if path.parts[0] in folders and path.suffix in CODE]


def read(path):
    return (ROOT / path).read_text(encoding="utf-8")


def includes(path):
    """(line number, line, opening quote, name) of each include."""
    for number, line in enumerate(read(path).splitlines(), 1):
        match = INCLUDE.match(line)
        if match:
            yield number, line.strip(), match.group(1), match.group(2)

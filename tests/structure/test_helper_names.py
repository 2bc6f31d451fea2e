# SPDX-License-Identifier: Apache-2.0
"""A library's files are compiled together where no ccache helps (cmake/BerthPch.cmake): what one of them declares for
itself, none of the others declares as well."""
import collections
import os
import pathlib
import re

import pytest

ROOT = pathlib.Path(os.environ.get("BERTH_SOURCE_DIR", pathlib.Path(__file__).parents[2]))
# The folders of a library that are another one's.
LIBRARIES = {
    "base": ["base/http", "base/tls"], "base/http": [], "isolation": ["isolation/keeper"], "slotd": ["slotd/terminal"],
    "slotd/terminal": [], "client": [], "jobs": [], "drivers": ["drivers/docker", "drivers/local", "drivers/registry"],
    "drivers/docker": [], "drivers/local": [], "drivers/registry": [], "agent/api": [],
    "agent/config": [], "agent/daemon": [], "agent/events": [], "agent/executor": [], "agent/inputs": [], "agent/link": [], "agent/pool": [],
    "agent/runtime": [], "cli": [],
}
HIDDEN = re.compile(r"^namespace \{\n(.*?)^\}  // namespace$", re.S | re.M)
NAMED = re.compile(r"^(?:struct|class|enum class|using) (\w+)[^;(]*[={]|^(?:inline |static )?const\w* [^(={]*?\b(\w+)\s*[={(]", re.M)
FUNCTION = re.compile(r"^(?! |struct|class|using|const)[\w:<>,&*\[\] ]+?[ &*](\w+)\(([^)]*)\)", re.M)


def helpers(text):
    for region in HIDDEN.findall(text):
        for match in NAMED.finditer(region):
            yield match.group(1) or match.group(2)
        for match in FUNCTION.finditer(region):
            kinds = [re.sub(r"\b\w+(?: = .*)?$", "", part.strip()).strip() for part in match.group(2).split(",")]
            yield f"{match.group(1)}({', '.join(kinds)})"


def files_of(library):
    others = [ROOT / other for other in LIBRARIES[library]]
    return [path for path in sorted((ROOT / library).rglob("*.cpp")) if not any(o in path.parents for o in others)]


@pytest.mark.parametrize("library", LIBRARIES)
def test_no_two_files_declare_one_helper(library):
    seen = collections.defaultdict(set)
    for path in files_of(library):
        for name in helpers(path.read_text()):
            seen[name].add(str(path.relative_to(ROOT)))
    twice = {name: sorted(paths) for name, paths in seen.items() if len(paths) > 1}
    assert not twice, f"give these telling names, or declare them once in a header: {twice}"


def test_the_search_finds_what_is_declared():
    text = ("namespace {\nconstexpr std::size_t kMost = 3;\nstruct Own {\n  int x;\n};\n"
            "Error refuse(std::string why, int code = 3) {\n  return {};\n}\n}  // namespace\n")
    assert set(helpers(text)) == {"kMost", "Own", "refuse(std::string, int)"}

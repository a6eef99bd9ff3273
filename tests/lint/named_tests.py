"""The tests of the tree by name, so that a page that names a test can be held to it.

    room_test: Suite.Name              TEST, TEST_F, TEST_P and TYPED_TEST of src/ROOM/*_test.cc
    file.test.mjs › title              test('title') of tests/e2e; what a title computes, `${x}`, is written `…`
    fuzz: NAME                         fuzz/NAME_fuzz.cc
    lint_test.py: Class.test_name      tests of the lints

It reads sources and builds nothing. A parametrised test has one name, whatever its parameters are.
"""

import re
from pathlib import PurePosixPath

from sources import ROOT, blank, repository_files

_MACRO = re.compile(r"^\s*(?:TEST|TEST_F|TEST_P|TYPED_TEST|TYPED_TEST_P)\(\s*(\w+)\s*,\s*(\w+)\s*\)", re.M)
_TITLE = re.compile(r"""^\s*(?:await\s+)?(?:test|it|t\.test)\(\s*(?:'((?:\\.|[^'\\\n])*)'|"((?:\\.|[^"\\\n])*)"|`((?:\\.|[^`\\])*)`)""", re.M)
_CLASS_OR_TEST = re.compile(r"^class (\w+)\(|^    def (test_\w+)\(", re.M)


def cpp_tests(text):
    """The names `Suite.Name` that a C++ test file defines."""
    return {f"{suite}.{name}" for suite, name in _MACRO.findall(blank(text)) if not name.startswith("DISABLED_")}


def titles(text):
    """The titles of the tests of a node:test file."""
    found = set()
    for single, double, template in _TITLE.findall(text):
        title = single or double or _without_expressions(template)
        found.add(re.sub(r"\\(.)", r"\1", title))
    return found


def _without_expressions(template):
    """`${…}` of a template literal, braces within it included, as one ellipsis."""
    said, position = "", 0
    while (start := template.find("${", position)) >= 0:
        said += template[position:start] + "…"
        depth, position = 1, start + 2
        while depth and position < len(template):
            depth += {"{": 1, "}": -1}.get(template[position], 0)
            position += 1
    return said + template[position:]


def python_tests(text):
    found, current = set(), ""
    for name, test in _CLASS_OR_TEST.findall(text):
        current = name or current
        if test:
            found.add(f"{current}.{test}")
    return found


def names_in(name, text):
    """The names of the tests in one file of the repository."""
    path = PurePosixPath(name)
    if name.startswith("src/") and name.endswith("_test.cc"):
        return {f"{path.parts[1]}_test: {test}" for test in cpp_tests(text)}
    if path.match("tests/e2e/*.test.mjs"):
        return {f"{path.name} › {title}" for title in titles(text)}
    if path.match("fuzz/*_fuzz.cc"):
        return {f"fuzz: {path.name.removesuffix('_fuzz.cc')}"}
    if path.match("tests/lint/*_test.py"):
        return {f"{path.name}: {test}" for test in python_tests(text)}
    return set()


def known(root=ROOT):
    """Every test of the tree."""
    found = set()
    for name in repository_files(root):
        if name.endswith(("_test.cc", ".test.mjs", "_fuzz.cc", "_test.py")):
            found |= names_in(name, (root / name).read_text())
    return found


if __name__ == "__main__":
    print("\n".join(sorted(known())))

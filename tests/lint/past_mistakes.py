#!/usr/bin/env python3
"""docs/past-mistakes.md names tests that exist, and every test that is named after an advisory has a row there."""

import re

from named_tests import known
from sources import ROOT, report

PAGE = "docs/past-mistakes.md"
COLUMNS = ["what happened", "published as", "our rule", "kept in", "test"]
WHY = ("A row names the tests that would fail on a system with that hole, each as `room_test: Suite.Name` or "
       "`file.test.mjs › title`, or says `cannot apply: why`; and a suite that begins with Advisory is named by a row, "
       "so that the page is the whole list.")


def cells_of(line):
    """The cells of a table row; a bar in a cell is written \\|."""
    return [cell.strip().replace("\\|", "|") for cell in re.split(r"(?<!\\)\|", line.strip())[1:-1]]


def complaints_about(text, tests):
    found, named, columns = [], set(), None
    for number, line in enumerate(text.splitlines(), 1):
        where = f"{PAGE}:{number}"
        if not line.startswith("|"):
            columns = None
            continue
        cells = cells_of(line)
        if columns is None:
            columns = cells
            if cells != COLUMNS:
                found.append(f"{where}: the columns are not {' | '.join(COLUMNS)}")
            continue
        if all(re.fullmatch(r":?-+:?", cell) for cell in cells):
            continue
        if len(cells) != len(COLUMNS):
            found.append(f"{where}: {len(cells)} cells, not {len(COLUMNS)}")
            continue
        for column, cell in zip(COLUMNS, cells):
            if not cell:
                found.append(f"{where}: nothing under '{column}'")
        said = re.findall(r"`([^`]+)`", cells[-1])
        reason = re.search(r"\bcannot apply:\s*\S", cells[-1])
        names = [] if reason else said
        if not names and not reason:
            found.append(f"{where}: neither a test nor `cannot apply: why`")
        for name in names:
            named.add(name)
            if name not in tests:
                found.append(f"{where}: there is no test {name}")
    for test in sorted(tests - named):
        if re.search(r"_test: Advisory", test):
            found.append(f"{PAGE}: no row names {test}")
    return found


def main():
    report("past_mistakes", complaints_about((ROOT / PAGE).read_text(), known()), WHY)


if __name__ == "__main__":
    main()

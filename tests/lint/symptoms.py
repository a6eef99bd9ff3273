#!/usr/bin/env python3
"""docs/symptoms.md names codes that src/symptom has, and tests that exist; every row says what answers to its symptom.
docs/broken-worlds.md, which tests make, has at least 95 % of its causes named first, and no wrong one stated as certain; every
code of the catalogue is the cause of a world there, or stands among the causes without one, with a test that exists."""

import re

from named_tests import known
from past_mistakes import cells_of
from sources import ROOT, report

PAGE = "docs/symptoms.md"
WORLDS = "docs/broken-worlds.md"
COLUMNS = ["no.", "symptom", "here", "test"]
WHY = ("A row has a code of the catalogue (MOP-AUD-001, MOP-ISS-001), or `cannot occur: why`, or `answered by: what`; and the "
       "test that would fail if it were not so, as `room_test: Suite.Name` or `file.test.mjs › title`. A code has a broken world "
       "(tests/e2e/worlds), or a row in tests/e2e/worlds/without.mjs: why none can show it, and the test that proves it.")
CODE = re.compile(r"\bMOP-[A-Z]{3}-\d{3}\b")


def codes_of_the_catalogue():
    return {code for file in sorted((ROOT / "src/symptom").glob("*.h")) for code in CODE.findall(file.read_text())}


def complaints_about(text, codes, tests):
    found, numbers, columns = [], set(), None
    for line_number, line in enumerate(text.splitlines(), 1):
        where = f"{PAGE}:{line_number}"
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
        if len(cells) != len(COLUMNS) or not all(cells):
            found.append(f"{where}: a row has {len(COLUMNS)} cells, and none is empty")
            continue
        number, _, here, named = cells
        if number in numbers:
            found.append(f"{where}: {number} stands twice")
        numbers.add(number)
        said = CODE.findall(here)
        for code in said:
            if code not in codes:
                found.append(f"{where}: the catalogue has no {code}")
        reason = re.match(r"(cannot occur|answered by): \S", here)
        if not reason and (not said or CODE.sub("", here).strip(", ")):
            found.append(f"{where}: neither codes alone, nor `cannot occur: why` or `answered by: what`")
        names = re.findall(r"`([^`]+)`", named)
        if not names:
            found.append(f"{where}: no test")
        found += [f"{where}: there is no test {name}" for name in names if name not in tests]
    if not numbers:
        found.append(f"{PAGE}: no rows")
    return found


def complaints_about_causes(text, codes, tests):
    """Each code is in one of two places: the cause of a world (five cells), or a cause without one (three)."""
    found, shown, without = [], set(), {}
    for line_number, line in enumerate(text.splitlines(), 1):
        cells = cells_of(line) if line.startswith("|") else []
        if len(cells) == 5:
            shown |= set(CODE.findall(cells[1]))
        if len(cells) != 3 or cells[0] in ("cause", "---"):
            continue
        where, code = f"{WORLDS}:{line_number}", cells[0]
        if code not in codes:
            found.append(f"{where}: the catalogue has no {code}")
        if code in without:
            found.append(f"{where}: {code} stands twice")
        without[code] = where
        names = re.findall(r"`([^`]+)`", cells[2])
        if not cells[1] or not names:
            found.append(f"{where}: {code} has no reason, or no test")
        found += [f"{where}: there is no test {name}" for name in names if name not in tests]
    found += [f"{without[code]}: {code} is the cause of a world" for code in sorted(without.keys() & shown)]
    missing = codes - shown - without.keys()
    return found + [f"{WORLDS}: {code} is the cause of no world, and none of the causes without one" for code in sorted(missing)]


def complaints_about_worlds(text, codes):
    found, asked, named = [], 0, 0
    for line_number, line in enumerate(text.splitlines(), 1):
        cells = cells_of(line) if line.startswith("|") else []
        if len(cells) != 5 or cells[0] in ("world", "---"):
            continue
        asked += 1
        named += cells[4] == "named first"
        where = f"{WORLDS}:{line_number}: {cells[0]}"
        found += [f"{where}: the catalogue has no {code}" for code in CODE.findall(cells[1]) if code not in codes]
        if cells[4].startswith("WRONG"):
            found.append(f"{where}: {cells[2]} states {cells[3]} as certain, and it is {cells[1]}")
    if named < 0.95 * asked or not asked:
        found.append(f"{WORLDS}: {named} of {asked} named first")
    return found


def main():
    codes = codes_of_the_catalogue()
    tests, worlds = known(), (ROOT / WORLDS).read_text()
    found = complaints_about((ROOT / PAGE).read_text(), codes, tests)
    found += complaints_about_worlds(worlds, codes) + complaints_about_causes(worlds, codes, tests)
    report("symptoms", found, WHY)


if __name__ == "__main__":
    main()

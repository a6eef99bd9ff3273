"""How long each fuzz target has run: fuzz/hours.tsv, one line a target, added to by `./dev fuzz … --keep`, and the table of
docs/testing.md that is made of it."""

from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
COLUMNS = ("target", "cpu_seconds", "executions", "edges", "features", "crashes")
BEGIN, END = "<!-- fuzz hours: made of fuzz/hours.tsv -->", "<!-- end of fuzz hours -->"


def targets_of(root=ROOT):
    return sorted(path.name.removesuffix("_fuzz.cc") for path in (root / "fuzz").glob("*_fuzz.cc"))


def read(text):
    """({target: {column: number}}, complaints)"""
    rows, complaints = {}, []
    lines = text.splitlines()
    if lines[:1] != ["\t".join(COLUMNS)]:
        complaints.append(f"hours.tsv:1: not the columns {', '.join(COLUMNS)}")
    for number, line in enumerate(lines[1:], 2):
        name, *values = line.split("\t")
        if len(values) != len(COLUMNS) - 1 or not all(value.isdecimal() for value in values):
            complaints.append(f"hours.tsv:{number}: not a name and {len(COLUMNS) - 1} whole numbers")
        elif name in rows:
            complaints.append(f"hours.tsv:{number}: {name} stands twice")
        else:
            rows[name] = dict(zip(COLUMNS[1:], map(int, values)))
    return rows, complaints


def write(rows):
    lines = ["\t".join(COLUMNS)]
    lines += ["\t".join([name, *(str(rows[name][column]) for column in COLUMNS[1:])]) for name in sorted(rows)]
    return "\n".join(lines) + "\n"


def nothing_yet():
    return dict.fromkeys(COLUMNS[1:], 0)


def add(rows, name, run):
    """Times, executions and crashes add up; edges and features are those of the last run that told them."""
    row = {**nothing_yet(), **rows.get(name, {})}
    for column in ("cpu_seconds", "executions", "crashes"):
        row[column] += run[column]
    for column in ("edges", "features"):
        row[column] = run[column] or row[column]
    return {**rows, name: row}


def least(rows, names):
    """The one of the names that has run for the shortest time."""
    return min(sorted(names), key=lambda name: rows.get(name, nothing_yet())["cpu_seconds"])


def duration(seconds):
    return f"{seconds / 3600:.1f} h" if seconds >= 3600 else f"{seconds // 60} min"


def table(rows, targets):
    lines = ["| target | time of CPU | executions | edges | features | crashes |", "|---|---|---|---|---|---|"]
    for name in sorted(targets):
        row = rows.get(name, nothing_yet())
        seen = [f"{row[column]:,}" if row[column] else "" for column in ("executions", "edges", "features")]
        lines.append(f"| `{name}` | {duration(row['cpu_seconds'])} | {' | '.join(seen)} | {row['crashes']} |")
    return "\n".join(lines)


def page_with(page, rows, targets):
    """The page with the table of now between its two marks; ValueError when it lacks them."""
    before, begin, rest = page.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not begin or not end:
        raise ValueError(f"there is no `{BEGIN}` with its end")
    return f"{before}{BEGIN}\n{table(rows, targets)}\n{END}{after}"

#!/usr/bin/env python3
"""No source over 600 lines, no test over 900, unless sizes_allowed.txt says why."""

from sources import ROOT, report, repository_files

WHY = ("A file that long holds two things: cut it in two and name each. If it truly is one thing, add a line "
       "`path: reason` to tests/lint/sizes_allowed.txt.")
KINDS = (".cc", ".h", ".py", ".sh", ".mjs", ".js", ".ts", ".cmake")


def most_lines(name):
    return 900 if name.endswith("_test.cc") or name.startswith("tests/") else 600


def allowed_of(text):
    """{path: reason} of the lines `path: reason`; a line without a reason allows nothing."""
    allowed = {}
    for line in text.splitlines():
        path, _, reason = line.partition(":")
        if reason.strip() and not line.startswith("#"):
            allowed[path.strip()] = reason.strip()
    return allowed


def complaint_about(name, lines, allowed):
    most = most_lines(name)
    if lines > most and name not in allowed:
        return f"{name}: {lines} lines, the most is {most}"
    if lines <= most and name in allowed:
        return f"{name}: {lines} lines need no exception any more; remove its line from sizes_allowed.txt"
    return None


def main():
    allowed = allowed_of((ROOT / "tests/lint/sizes_allowed.txt").read_text())
    names = [n for n in repository_files() if n.endswith(KINDS) or n in ("dev", ".ci/run")]
    found = [complaint_about(n, (ROOT / n).read_text().count("\n"), allowed) for n in names]
    found += [f"sizes_allowed.txt names {n}, which is not there" for n in allowed if n not in names]
    report("sizes", [f for f in found if f], WHY)


if __name__ == "__main__":
    main()

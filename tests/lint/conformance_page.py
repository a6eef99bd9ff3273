#!/usr/bin/env python3
"""docs/conformance.md says which rule of the standards is proved by which test. It is made of tests/conformance/rules.txt;
this lint fails when a rule names a test that does not exist, says nothing, or the page is not what the file says.
`--write` makes the page."""

import json
import sys

import named_tests
from sources import ROOT, report

WHY = ("A rule without a test is a claim. Name the test that proves it, or say `not yet:` and why; then run "
       "./dev docs and commit docs/conformance.md.")
RULES = ROOT / "tests/conformance/rules.txt"
RECORDED = ROOT / "tests/conformance/recorded.json"
PAGE = ROOT / "docs/conformance.md"
LEVELS = ("must", "must not", "should", "should not", "may")
REASONS = ("not yet", "otherwise", "not ours")

HEAD = """# Conformance

What OAuth and MCP ask of a gateway, in our words, and the tests that prove it. Made by `./dev docs` from
`tests/conformance/rules.txt`; a test that is named here and does not exist fails the build.

`conformance: PART/scenario` is a scenario of the official MCP suite, which `./dev conformance` runs: the server scenarios
of two revisions directly and through the gateway, where no check may differ, and the authorization-server scenarios.
`ROOM_test: Suite.Name` is a unit test (`src/ROOM/`), `FILE.test.mjs › title` a test of the whole program (`tests/e2e/`); `…` in
a title stands for each row of a table.

"""


def rules_of(text):
    """[(section, [rule])]; a rule is a dictionary with id, level, source, rule, tests and reasons."""
    sections, complaints = [], []
    for number, line in enumerate(text.splitlines(), 1):
        here = f"rules.txt:{number}"
        if line.startswith("## "):
            sections.append((line[3:].strip(), []))
        elif not line.strip() or line.startswith("#"):
            continue
        elif line.startswith("    "):
            if not sections or not sections[-1][1]:
                complaints.append(f"{here}: a test before the first rule")
                continue
            word, _, reason = line.strip().partition(": ")
            kind = "reasons" if word in REASONS else "tests"
            sections[-1][1][-1][kind].append((word, reason) if kind == "reasons" else line.strip())
        else:
            parts = [part.strip() for part in line.split(" | ")]
            if len(parts) != 4 or not sections or parts[1] not in LEVELS:
                complaints.append(f"{here}: not `ID | {', '.join(LEVELS)} | source | rule`")
                continue
            sections[-1][1].append(dict(zip(("id", "level", "source", "rule"), parts), tests=[], reasons=[]))
    return sections, complaints


def scenarios(recorded):
    return {f"conformance: {part}/{scenario}" for part, all_of in recorded.items() for scenario in all_of}


def complaints_about(sections, known):
    found, seen = [], set()
    for _, rules in sections:
        for rule in rules:
            if rule["id"] in seen:
                found.append(f"rules.txt: {rule['id']} stands twice")
            seen.add(rule["id"])
            found += [f"rules.txt: {rule['id']}: there is no test `{test}`" for test in rule["tests"] if test not in known]
            found += [f"rules.txt: {rule['id']}: {word}, but why?" for word, why in rule["reasons"] if not why]
            if not rule["tests"] and not rule["reasons"]:
                found.append(f"rules.txt: {rule['id']} has neither a test nor a reason")
    return found


def page_of(sections):
    everything = [rule for _, rules in sections for rule in rules]
    proved = sum(1 for r in everything if r["tests"] and not r["reasons"])
    first = [(r["reasons"][0][0], bool(r["tests"])) for r in everything if r["reasons"]]
    otherwise = sum(1 for word, _ in first if word == "otherwise")
    partly = sum(1 for word, tested in first if tested and word != "otherwise")
    later = sum(1 for word, tested in first if not tested and word == "not yet")
    others = sum(1 for word, tested in first if not tested and word == "not ours")
    lines = [HEAD + f"Of {len(everything)} rules {proved} are proved, {partly} in part, {later} not yet, {otherwise} "
             f"{'is' if otherwise == 1 else 'are'} kept otherwise, and {others} {'binds' if others == 1 else 'bind'} others only.\n"]
    for title, rules in sections:
        lines.append(f"\n## {title}\n")
        lines.append("| | rule | proved by |\n|---|---|---|")
        for rule in rules:
            proofs = [f"`{test}`" for test in rule["tests"]] + [f"*{word}:* {why}" for word, why in rule["reasons"]]
            lines.append(f"| **{rule['id']}** {rule['level']}<br>{rule['source']} | {rule['rule']} | {'<br>'.join(proofs)} |")
    return "\n".join(lines) + "\n"


def main():
    sections, found = rules_of(RULES.read_text())
    found += complaints_about(sections, named_tests.known() | scenarios(json.loads(RECORDED.read_text())))
    if not found:
        page = page_of(sections)
        if "--write" in sys.argv:
            PAGE.write_text(page)
        elif not PAGE.is_file() or PAGE.read_text() != page:
            found.append("docs/conformance.md is not what tests/conformance/rules.txt says")
    report("conformance_page", found, WHY)


if __name__ == "__main__":
    main()

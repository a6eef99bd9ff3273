#!/usr/bin/env python3
"""g++ 12 destroys some temporaries of a co_await expression twice, or too early. This finds the forms it gets wrong."""

import re

from sources import ROOT, blank, is_cpp, line_of, report, repository_files

WHY = ("g++ 12 miscompiles these (docs/adr/0004-coroutine-rule.md): name the thing on the line above and await on it: "
       "`T ask{…}; auto answer = co_await f(ask);`")


def expression_after(code, start):
    """The text of the expression that begins at start: up to the `;`, or the bracket that closes around it."""
    depth = 0
    for i in range(start, len(code)):
        c = code[i]
        if c in "([{":
            depth += 1
        elif c in ")]}":
            depth -= 1
            if depth < 0:
                return code[start:i]
        elif c == ";" and depth == 0:
            return code[start:i]
    return code[start:]


def text_before_bracket_around(code, position):
    """What stands before the nearest bracket that is still open at position (200 characters), and that bracket."""
    depth = 0
    for i in range(position - 1, -1, -1):
        c = code[i]
        if c in ")]}":
            depth += 1
        elif c in "([{":
            if depth == 0:
                return code[max(0, i - 200):i], c
            depth -= 1
    return "", ""


def complaints_about(name, text):
    found = []
    code = blank(text)

    def complain(position, what):
        found.append(f"{name}:{line_of(text, position)}: {what}")

    for match in re.finditer(r"\bco_await\b", code):
        expression = expression_after(code, match.end())
        # `co_await T{…}` itself is an awaiter made in place; what stands inside the argument lists is what breaks.
        if re.search(r"[(,]\s*\{", expression):
            complain(match.start(), "a braced list is an argument inside a co_await expression")
        if re.search(r"[(,]\s*[\w:]+(?:<[^;()]*>)?\s*\{", expression):
            complain(match.start(), "an aggregate is built inside a co_await expression")
        for capture in re.finditer(r"[(,]\s*\[([^\]\[]*)\]\s*(?:\(|\{|mutable\b)", expression):
            if capture.group(1).strip():
                complain(match.start(), "a capturing lambda is an argument inside a co_await expression")
        around, bracket = text_before_bracket_around(code, match.start())
        if bracket == "(" and re.search(r"\bswitch\s*$", around):
            complain(match.start(), "switch (co_await …)")
        if bracket in ("(", "{") and re.search(r"\bnew\s+[\w:<>]+\s*$", around):
            complain(match.start(), "co_await inside a new expression")
        elif bracket == "{" and re.search(r"(?:=|\breturn|\bco_return|[(,{])\s*[\w:]+(?:<[^;{}]*>)?\s*$", around):
            complain(match.start(), "co_await inside the braces of an aggregate")
        if "co_await" in expression:
            complain(match.start(), "two co_await in one expression")
    return found


def main():
    found = []
    for name in repository_files():
        if is_cpp(name) and name.startswith(("src/", "fuzz/", "bench/", "tests/")):
            found += complaints_about(name, (ROOT / name).read_text())
    report("coroutines", found, WHY)


if __name__ == "__main__":
    main()

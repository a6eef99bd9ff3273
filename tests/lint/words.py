#!/usr/bin/env python3
"""Words that have no place in a repository that strangers clone."""

import re

from sources import ROOT, repository_files, line_of, report

WHY = ("Paths of one machine and hosts of one mirror do not exist elsewhere, secrets do not belong into a repository, "
       "and what is left for later belongs into an issue, not into a source. A free function `quoted` is not found by every "
       "compiler: the library of Debian 13 has one that a std::string finds.")

# (what it is, where it is looked for, pattern)
EVERYWHERE = ""
SOURCES = "src/ include/ fuzz/ bench/ tests/ cmake/ web/ dev .ci/"
_hosts = "|".join(a + r"\." + b for a, b in [
    ("registry", "npmjs"), ("deb", "debian"), ("security", "debian"), ("snapshot", "debian"), ("pypi", "org"),
    ("proxy", "golang"), ("crates", "io/api"), ("files", "pythonhosted")])
RULES = [
    ("a path of one machine", EVERYWHERE, r"(?<![\w.$}/~-])/(?:work|home/\w|root/|Users/\w)(?=[/\w.])"),
    ("a host of one registry", EVERYWHERE, rf"\b(?:{_hosts})\b"),
    ("a private key", EVERYWHERE, r"-----BEGIN (?:\w+ )?PRIVATE" + r" KEY-----"),
    ("left for later", SOURCES, r"\b(?:TODO|FIXME|XXX|HACK)\b"),
    ("a name of the standard library", "src/ include/ fuzz/ bench/", r"(?m)^(?:inline |static )*std::string quoted\("),
    ("a debugging print", "src/", r"\bstd::cerr\s*<<\s*\"(?:DEBUG|here)"),
]
TEXT = (".cc", ".h", ".py", ".sh", ".mjs", ".js", ".ts", ".cmake", ".txt", ".md", ".json", ".yaml", ".yml", ".sql",
        ".html", ".css", ".conf", ".mustache", ".npmrc")
# These spell the words out.
EXCEPT = {"tests/lint/words.py", "tests/lint/lint_test.py"}


def complaints_about(name, text):
    found = []
    for what, where, pattern in RULES:
        if where and not name.startswith(tuple(where.split())):
            continue
        if what == "a private key" and name.endswith("_test.cc"):
            continue  # made for the test, and guards nothing
        for match in re.finditer(pattern, text):
            found.append(f"{name}:{line_of(text, match.start())}: {what}: {match.group(0)}")
    return found


def main():
    found = []
    for name in repository_files():
        if name in EXCEPT or not (name.endswith(TEXT) or "." not in name.rsplit("/", 1)[-1]):
            continue
        if name.startswith("fuzz/corpus/"):
            continue
        try:
            text = (ROOT / name).read_text()
        except UnicodeDecodeError:
            continue
        found += complaints_about(name, text)
    report("words", found, WHY)


if __name__ == "__main__":
    main()

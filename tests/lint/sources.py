"""What every lint shares: the files of the repository, C++ text without comments and literals, and the report."""

import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


def repository_files(root=ROOT):
    """Every file that git knows or would add, as paths relative to root; without git, every file outside build/."""
    listed = subprocess.run(
        ["git", "-C", str(root), "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        capture_output=True, check=False)
    if listed.returncode == 0:
        names = [name for name in listed.stdout.decode().split("\0") if name]
    else:
        names = [str(p.relative_to(root)) for p in root.rglob("*") if p.is_file()]
        names = [n for n in names if not n.startswith(("build/", ".git/")) and "node_modules/" not in n]
    return sorted(name for name in set(names) if (root / name).is_file())


def is_cpp(name):
    return name.endswith((".cc", ".h"))


_TOKEN = re.compile(
    r'R"(?P<delimiter>[^()\\\s]{0,16})\(.*?\)(?P=delimiter)"'  # raw string
    r'|"(?:\\.|[^"\\\n])*"'
    r"|(?<![0-9A-Fa-f])'(?:\\.|[^'\\\n])+'"  # not the ' of 10'000
    r"|//[^\n]*"
    r"|/\*.*?\*/", re.S)


def blank(text):
    """The same text, byte for byte as long, with comments, strings and characters made spaces: what is left is code.
    Quotes of strings stay, so that "" is still an argument."""
    def spaces(match):
        found = match.group(0)
        inner = re.sub(r"[^\n]", " ", found)
        if found.startswith("/"):
            return inner
        return found[0] + inner[1:-1] + found[-1] if len(found) > 1 else inner
    return _TOKEN.sub(spaces, text)


def line_of(text, position):
    return text.count("\n", 0, position) + 1


def report(lint, complaints, why):
    """Prints the complaints with the reason for the rule and ends the program."""
    for complaint in complaints:
        print(complaint)
    if complaints:
        print(f"{lint}: {len(complaints)} to mend. {why}")
    sys.exit(1 if complaints else 0)

#!/usr/bin/env python3
"""clang-tidy, by the commands of build/dev: tidy.py [--all | FILE…]

It takes some six seconds a file, so without arguments one run takes
- what changed since the commit before, and what is not committed;
- net/ and app/, where the coroutines are;
- an eighth of the rest, another one with every commit.
A file without a finding is remembered by the digest of all that clang-tidy reads of it, in the user's cache folder, and is
not read again while that stays the same."""

import concurrent.futures
import hashlib
import json
import os
import re
import shlex
import subprocess
import sys
import time
from pathlib import Path

from sources import ROOT

TIDY = "clang-tidy-19"
COMMANDS = ROOT / "build/dev/compile_commands.json"
FORGET_AFTER = 30 * 24 * 3600  # seconds
# What it says of warnings that it keeps to itself.
NOISE = re.compile(r"warnings? (generated|treated)|^Suppressed|^Use -header-filter")


def remembered_in():
    base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    folder = Path(base, "mcp-oauth-proxy-tidy")
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError:
        folder = ROOT / "build/tidy"
        folder.mkdir(exist_ok=True)
    return folder


def lines_of(*command):
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False).stdout.split()


def chosen(known):
    changed = {*lines_of("git", "diff", "--name-only", "HEAD~1"), *lines_of("git", "ls-files", "--others", "--exclude-standard")}
    turn = int((lines_of("git", "rev-list", "--count", "HEAD") or ["0"])[0])
    return [name for number, name in enumerate(known)
            if name in changed or name.startswith(("src/net/", "src/app/")) or number % 8 == turn % 8]


def digest_of(name, entry, rules):
    """Of what the compiler makes of the file, comments included, for NOLINT is one; None where it does not compile."""
    command = shlex.split(entry["command"])
    at = command.index("-o")
    del command[at:at + 2]
    read = subprocess.run([*command, "-E", "-C", "-P", "-w"], cwd=entry["directory"], capture_output=True, check=False)
    return hashlib.sha256(rules + name.encode() + read.stdout).hexdigest() if read.returncode == 0 else None


def is_clean(name):
    done = subprocess.run([TIDY, "--quiet", "-p", str(COMMANDS.parent), name], cwd=ROOT, capture_output=True, text=True, check=False)
    said = [line for line in (done.stdout + done.stderr).splitlines() if not NOISE.search(line)]
    if done.returncode != 0 or said:
        print("\n".join(said) or f"{name}: {TIDY} ended with {done.returncode}", flush=True)
    return done.returncode == 0


def look_at(name, entry, rules, folder):
    """Gives (whether it is clean, whether it was remembered)."""
    digest = digest_of(name, entry, rules)
    memory = folder / digest if digest else None
    if memory and memory.exists():
        memory.touch()
        return True, True
    clean = is_clean(name)
    if clean and memory:
        memory.touch()
    return clean, False


def main(arguments):
    if not COMMANDS.is_file():
        sys.exit(f"tidy: run ./dev build first: {COMMANDS.relative_to(ROOT)} is read")
    # Only what the build knows: a file that cmake has not seen yet has no command line.
    entries = {os.path.relpath(e["file"], ROOT): e for e in json.loads(COMMANDS.read_text())}
    known = sorted(n for n in entries if n.startswith("src/") and not n.endswith("_test.cc") and (ROOT / n).is_file())
    names = known if arguments == ["--all"] else [n for n in arguments if n in entries] if arguments else chosen(known)
    version = subprocess.run([TIDY, "--version"], capture_output=True, check=True).stdout
    rules = (ROOT / ".clang-tidy").read_bytes() + version
    folder = remembered_in()
    for memory in folder.iterdir():
        if memory.stat().st_mtime < time.time() - FORGET_AFTER:
            memory.unlink(missing_ok=True)
    with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
        results = list(pool.map(lambda n: look_at(n, entries[n], rules, folder), names))
    print(f"tidy: {len(names)} files, {sum(r for _, r in results)} of them seen before")
    sys.exit(0 if all(clean for clean, _ in results) else 1)


if __name__ == "__main__":
    main(sys.argv[1:])

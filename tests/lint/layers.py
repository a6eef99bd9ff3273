#!/usr/bin/env python3
"""Includes point down only. The map of rooms is read from the room( lines of CMakeLists.txt, so that there is one."""

import re
from pathlib import PurePosixPath

from sources import ROOT, blank, is_cpp, line_of, report, repository_files

WHY = ("A room may include itself and the rooms it NEEDS in CMakeLists.txt, and a library only where the core is kept "
       "free of it: that is what lets the core be tested without sockets, clocks and threads. Move the code to the "
       "room that may, or hand the thing in as an argument (ARCHITECTURE.md, 'Where things go').")

# header prefix -> rooms that may see it
LIBRARIES = {
    "openssl/": {"jose", "net"},
    "sys/epoll.h": {"net"},
    "boost/asio": set(),
    "boost/beast": {"net"},
    "curl/": {"net"},
    "yaml-cpp/": {"config"},
    "sqlite3.h": {"store"},
    "libpq-fe.h": {"store"},
    "sodium": {"broker"},
    "CLI/": {"app"},
    "CLI11": {"app"},
    "prometheus/": {"app"},
    "kainjow/": {"broker"},
    "mustache.hpp": {"broker"},
}
COROUTINE_ROOMS = {"net", "app"}
# Rooms that wire the core to a machine; everywhere else `now` is an argument.
CLOCK_ROOMS = COROUTINE_ROOMS | {"library"}


def rooms_of(cmake_text):
    """{room: every room it may include, itself too} of the `room(name NEEDS a b LIBS c)` lines."""
    cmake_text = re.sub(r"#[^\n]*", "", cmake_text)
    needs = {}
    for line in re.findall(r"^\s*room\(([^)]*)\)", cmake_text, re.M):
        words = line.split()
        wanted = words[words.index("NEEDS") + 1:] if "NEEDS" in words else []
        if "LIBS" in wanted:
            wanted = wanted[:wanted.index("LIBS")]
        needs[words[0]] = wanted

    def closure(room, path=()):
        if room in path:
            raise SystemExit(f"CMakeLists.txt: rooms in a circle: {' -> '.join(path + (room,))}")
        seen = {room}
        for below in needs.get(room, []):
            seen |= closure(below, path + (room,))
        return seen

    return {room: closure(room) for room in needs}


def complaints_about(name, text, rooms):
    """What is wrong with the file `src/ROOM/…` of that name."""
    found = []
    room = PurePosixPath(name).parts[1]
    if room not in rooms:
        return [f"{name}: no room({room} …) line in CMakeLists.txt"]
    code = blank(text)
    for match in re.finditer(r'^[ \t]*#[ \t]*include[ \t]*([<"])([^>"]+)[>"]', text, re.M):
        target, line = match.group(2), line_of(text, match.start())
        first = target.split("/")[0]
        if match.group(1) == '"':
            if "/" not in target or target.startswith("."):
                found.append(f'{name}:{line}: "{target}": includes are written "room/file.h"')
            elif first in rooms and first not in rooms[room]:
                found.append(f"{name}:{line}: {room} may not include {target}: {first} is not below {room}")
        for prefix, allowed in LIBRARIES.items():
            if target.startswith(prefix) and room not in allowed:
                found.append(f"{name}:{line}: <{target}> belongs to {' and '.join(sorted(allowed))} alone")
    if room not in COROUTINE_ROOMS:
        for match in re.finditer(r"\bco_(await|return|yield)\b", code):
            found.append(f"{name}:{line_of(text, match.start())}: {match.group(0)} outside net and app")
    if room not in CLOCK_ROOMS and not name.endswith("_test.cc"):
        for match in re.finditer(r"\b(system_clock|steady_clock)::now\b", code):
            found.append(f"{name}:{line_of(text, match.start())}: reads a clock; `now` is an argument")
    return found


def main():
    rooms = rooms_of((ROOT / "CMakeLists.txt").read_text())
    found = []
    names = [n for n in repository_files() if n.startswith("src/") and is_cpp(n)]
    for name in names:
        found += complaints_about(name, (ROOT / name).read_text(), rooms)
    architecture = (ROOT / "ARCHITECTURE.md").read_text()
    for folder in sorted({n.split("/")[1] for n in names}):
        if f"`{folder}/`" not in architecture:
            found.append(f"ARCHITECTURE.md does not name `{folder}/`")
    report("layers", found, WHY)


if __name__ == "__main__":
    main()

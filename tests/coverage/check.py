#!/usr/bin/env python3
"""Which lines of the core the unit tests reach: check.py BUILD_DIR [--list]

Runs the ROOM_test programs of a build of the preset `asan` (everything but net/ and app/; replayed corpora assert
nothing and do not count) and holds their line coverage to two rules:
- at least 90 % of all lines;
- a function of which less than 70 % of the lines are reached stands in uncovered.txt with the reason, and what stands
  there is such a function: a line that has become untrue fails as well.
--list prints every line that is not reached.
"""

import concurrent.futures
import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
OUTSIDE = ("net", "app")
LEAST_OF_ALL = 90.0
LEAST_OF_ONE = 70.0


def product_files():
    """What the program is made of: its sources, and the headers that they include, not those of tests."""
    seen = set()
    queue = [p for p in ROOT.glob("src/*/*.cc") if not p.name.endswith("_test.cc")]
    while queue:
        path = queue.pop()
        if path in seen or not path.exists():
            continue
        seen.add(path)
        for name in re.findall(r'^#include "([a-z_/0-9]+\.h)"', path.read_text(), re.M):
            queue.append(ROOT / "src" / name)
    return {p for p in seen if p.parent.name not in OUTSIDE}


def run_tests(build, programs):
    """Runs them side by side; gives the merged profile, or says which failed."""
    profiles = build / "profiles"
    shutil.rmtree(profiles, ignore_errors=True)
    profiles.mkdir()

    def run(program):
        # Some tests start processes of their own.
        env = {**os.environ, "LLVM_PROFILE_FILE": str(profiles / f"{program.name}-%p.profraw")}
        done = subprocess.run([program, "--gtest_brief=1"], env=env, cwd=build, capture_output=True, text=True, check=False)
        return program, done

    failed = []
    with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
        for program, done in pool.map(run, programs):
            if done.returncode != 0:
                failed.append(f"{program.name} failed:\n{done.stdout[-2000:]}{done.stderr[-2000:]}")
    if failed:
        sys.exit("\n".join(failed))
    merged = build / "tests.profdata"
    subprocess.run(["llvm-profdata-19", "merge", "-sparse", *sorted(profiles.glob("*.profraw")), "-o", merged], check=True)
    return merged


def exported(build, programs, profile):
    objects = [f"-object={p}" for p in programs[1:]]
    command = ["llvm-cov-19", "export", "-skip-expansions", f"-instr-profile={profile}", programs[0], *objects]
    out = subprocess.run(command, cwd=build, capture_output=True, text=True, check=True)
    return json.loads(out.stdout)["data"][0]


def reached_lines(segments):
    """Line number to whether it was reached, of the lines that have code: the count of the segment that a line begins in,
    or the largest of those that begin on it."""
    lines = {}
    for (line, _, count, has_count, is_entry, is_gap), (end, *_) in zip(segments, segments[1:] + [segments[-1]]):
        if not has_count:
            continue
        if is_entry and not is_gap:
            lines[line] = max(lines.get(line, 0), count)
        # The lines that lie wholly inside.
        for inner in range(line + 1, end + 1):
            lines.setdefault(inner, 0 if is_gap else count)
    return lines


def name_of(path):
    """`room/file` of a file of ours, "" of any other. An object that ccache kept for another clone names that clone, so one file may
    have several paths."""
    match = re.search(r"(?:^|/)src/([a-z]+/[a-z0-9_]+\.(?:cc|h))$", path)
    return match[1] if match else ""


def short_name(pretty):
    """`mcp_oauth::(anonymous namespace)::refuse(int)` is `refuse`."""
    pretty = pretty.replace("(anonymous namespace)::", "").replace("mcp_oauth::", "")
    depth, out = 0, ""
    for c in pretty:
        if c == "<":
            depth += 1
        elif c == ">" and depth:
            depth -= 1
        elif depth == 0:
            out += c
    name = out.split("(")[0].split(" ")[-1]
    return name or out


def functions_of(data):
    """(file, first line, last line) to the mangled name, of what has a name: lambdas belong to what they stand in."""
    found = {}
    for f in data["functions"]:
        start, _, end, *_ = f["regions"][0]
        found.setdefault((f["filenames"][0], start, end), f["name"].split(":")[-1])
    names = sorted(set(found.values()))
    pretty = subprocess.run(["llvm-cxxfilt-19"], input="\n".join(names), capture_output=True, text=True, check=True)
    readable = dict(zip(names, pretty.stdout.splitlines()))
    return {
        extent: short_name(readable[name])
        for extent, name in found.items()
        if "$_" not in readable[name] and "'lambda" not in readable[name]
    }


def read_list(path):
    """`file function: reason` a line."""
    listed = {}
    for number, line in enumerate(path.read_text().splitlines(), 1):
        if not line.strip() or line.startswith("#"):
            continue
        match = re.fullmatch(r"(\S+) (\S+): (\S.*)", line)
        if not match:
            sys.exit(f"{path.name}:{number}: not `file function: reason`")
        listed[match[1], match[2]] = match[3]
    return listed


def judge(total, low, listed, known):
    """What is wrong, one sentence each."""
    wrong = []
    if total < LEAST_OF_ALL:
        wrong.append(f"only {total:.1f} % of the lines are reached; {LEAST_OF_ALL:.0f} % must be")
    for (name, function), share in sorted(low.items()):
        if (name, function) not in listed:
            wrong.append(f"{name} {function}: {share:.0f} % of its lines are reached, and it is not in uncovered.txt")
    for name, function in sorted(listed):
        if (name, function) in low:
            continue
        what = "is reached by now" if (name, function) in known else "is no function there"
        wrong.append(f"{name} {function} {what}: take it out of uncovered.txt")
    return wrong


def main():
    build = Path(sys.argv[1]).resolve()
    programs = sorted(p for p in build.glob("*_test") if p.name.removesuffix("_test") not in OUTSIDE)
    if not programs:
        sys.exit(f"no tests in {build}")
    data = exported(build, programs, run_tests(build, programs))
    product = {str(p.relative_to(ROOT / "src")) for p in product_files()}
    lines = {}
    for f in data["files"]:
        name = name_of(f["filename"])
        if name in product and f["segments"]:
            file = lines.setdefault(name, {})
            for line, count in reached_lines(f["segments"]).items():
                file[line] = max(count, file.get(line, 0))

    known, low = {}, {}
    for (path, first, last), function in functions_of(data).items():
        name = name_of(path)
        if name not in lines:
            continue
        inside = [count > 0 for line, count in lines[name].items() if first <= line <= last]
        share = 100.0 * sum(inside) / max(1, len(inside))
        # Overloads share a name; the least of them counts.
        key = (name, function)
        known[key] = min(share, known.get(key, 100.0))
    low = {key: share for key, share in known.items() if share < LEAST_OF_ONE}

    if "--list" in sys.argv:
        for name in sorted(lines):
            text = Path(ROOT, "src", name).read_text().splitlines()
            for line in sorted(n for n, count in lines[name].items() if count == 0):
                print(f"{name}:{line}: {text[line - 1]}")
    reached = sum(count > 0 for file in lines.values() for count in file.values())
    everything = sum(len(file) for file in lines.values())
    rooms = {}
    for name, file in lines.items():
        room = rooms.setdefault(name.split("/")[0], [0, 0])
        room[0] += sum(count > 0 for count in file.values())
        room[1] += len(file)
    for room in sorted(rooms):
        print(f"{room:10} {100.0 * rooms[room][0] / rooms[room][1]:5.1f} % of {rooms[room][1]} lines")
    total = 100.0 * reached / max(1, everything)
    print(f"{'core':10} {total:5.1f} % of {everything} lines in {len(lines)} files")
    wrong = judge(total, low, read_list(Path(__file__).with_name("uncovered.txt")), known)
    for sentence in wrong:
        print(sentence)
    sys.exit(1 if wrong else 0)


if __name__ == "__main__":
    main()

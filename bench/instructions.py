#!/usr/bin/env python3
"""Counts the instructions and system calls of one request, and compares them with what bench/instructions.json says.

Time on a shared machine says little about a change of two percent; a count of instructions says it each time.
bench/request_path.cc puts requests through the whole path in one thread; callgrind counts what runs below the turn of
the loop, kernel excluded. Two run lengths are subtracted, so what happens once (the start, the first token) is not in it.

A count beyond the band fails in both directions: what became dearer has to be mended or accepted, what became cheaper has
to be recorded, or the next change could lose it unseen.
"""

import argparse
import concurrent.futures
import json
import os
import platform
import re
import shutil
import subprocess
import sys
import tempfile

HERE = os.path.dirname(os.path.abspath(__file__))
STORE = os.path.join(HERE, "instructions.json")
BAND = 0.03
SYSCALLS = 0.9  # fewer or more than that are another way of doing it; the clock of a busy machine adds a few tenths

# case: (requests of the short and the long run, units in one request, what a unit is)
CASES = {
    "cached_token": (100, 600, 1, "call, small JSON, token seen before"),
    "new_token": (50, 200, 1, "call, small JSON, token never seen"),
    "reply_of_64_kib": (50, 250, 1, "call, 64 KiB of JSON, token seen before"),
    "event_stream": (2, 12, 100, "event of a reply of 100"),
    "no_token": (100, 600, 1, "refusal, no token"),
    "forged_token": (50, 200, 1, "refusal, token signed by another key"),
}


# What of a request is about its token and the policy: functions by which each is entered.
STEPS = {
    "token": ("mcp_oauth::gateway_service::authenticate(",),
    "session": ("mcp_oauth::read_session_query(", "mcp_oauth::gateway_service::session_of("),
    "call and its headers": ("mcp_oauth::envelope_scanner::feed(", "mcp_oauth::envelope_scanner::finish(",
                             "mcp_oauth::check_mirrored_headers("),
    "policy": ("mcp_oauth::authorize(",),
}


def costs_by_object(text):
    """{object file: {event: cost of its own}} of a callgrind output file."""
    names, costs, events, current, skip = {}, {}, [], "?", False
    for line in text.splitlines():
        if line.startswith("events:"):
            events = line.split()[1:]
        elif line.startswith("ob="):
            found = re.match(r"ob=\((\d+)\)(?: (.*))?", line)
            if found.group(2):
                names[found.group(1)] = found.group(2)
            current = names[found.group(1)]
        elif line.startswith("cob="):
            found = re.match(r"cob=\((\d+)\)(?: (.*))?", line)
            if found.group(2):
                names[found.group(1)] = found.group(2)
        elif line.startswith("calls="):
            skip = True  # the next line is what the callee cost
        elif line[:1] in "+-*0123456789" and line:
            if not skip:
                mine = costs.setdefault(current, dict.fromkeys(events, 0))
                for event, cost in zip(events, line.split()[1:]):
                    mine[event] += int(cost)
            skip = False
    return costs


def inclusive_costs(text, event="Ir"):
    """{function: cost of its own and of all that it called} of a callgrind output file; no sense for a recursive one."""
    names, costs, current, column = {}, {}, "?", 0
    for line in text.splitlines():
        if line.startswith("events:"):
            column = line.split()[1:].index(event) + 1
        elif found := re.match(r"(c?)fn=\((\d+)\)(?: (.*))?", line):
            if found.group(3):
                names[found.group(2)] = found.group(3)
            if not found.group(1):
                current = names[found.group(2)]
        elif line[:1] in "+-*0123456789" and line:
            costs[current] = costs.get(current, 0) + int(line.split()[column])
    return costs


def steps_of(costs):
    """{step: cost} of the steps of a request that are about its token and the policy."""
    return {step: sum(cost for function, cost in costs.items() if function.startswith(names)) for step, names in STEPS.items()}


def summary_of(text):
    """{event: cost of all that was collected} of a callgrind output file."""
    found = {name: rest.split() for name, rest in re.findall(r"^(events|summary):(.*)$", text, re.M)}
    return dict(zip(found["events"], map(int, found["summary"])))


def kind_of(object_file):
    name = os.path.basename(object_file)
    for kind, start in (("own", "request_path"), ("crypto", "libcrypto"), ("libc", "libc."), ("libstdc++", "libstdc++")):
        if name.startswith(start):
            return kind
    return "other"


def run(binary, case, requests, keep=None):
    """{"own": instructions, …, "syscalls": n} of that many requests."""
    with tempfile.TemporaryDirectory(prefix="mop-instructions-") as folder:
        out = keep or os.path.join(folder, "out")
        # The same code paths wherever it runs: valgrind shows no processor newer than AVX2, and some hosts have less.
        environment = {"PATH": os.environ["PATH"], "SIMDJSON_FORCE_IMPLEMENTATION": "haswell"}
        command = ["valgrind", "--tool=callgrind", "--collect-atstart=no", "--toggle-collect=turn_the_loop",
                   "--collect-systime=yes", f"--callgrind-out-file={out}", binary, case, str(requests)]
        done = subprocess.run(command, capture_output=True, text=True, env=environment, stdin=subprocess.DEVNULL)
        if done.returncode != 0:
            sys.exit(f"{case}: {done.stderr[-2000:]}")
        with open(out) as f:
            text = f.read()
    costs = costs_by_object(text)
    # Of all that was collected: callgrind 3.19 loses those of some functions (send) on its way to their lines.
    result = {"syscalls": summary_of(text)["sysCount"]}
    for object_file, cost in costs.items():
        kind = kind_of(object_file)
        result[kind] = result.get(kind, 0) + cost["Ir"]
    return result


def measure(binary, cases):
    """{case: {"instructions": n, "own": n, …, "syscalls": n}} of one unit of each case."""
    with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
        runs = {(c, n): pool.submit(run, binary, c, n) for c in cases for n in CASES[c][:2]}
        measured = {}
        for case in cases:
            few, many, units, _ = CASES[case]
            short, long = runs[case, few].result(), runs[case, many].result()
            per = {k: (long[k] - short.get(k, 0)) / (many - few) / units for k in long}
            syscalls = per.pop("syscalls")
            measured[case] = {"instructions": round(sum(per.values())), **{k: round(v) for k, v in sorted(per.items())},
                              "syscalls": round(syscalls, 2)}
    return measured


def place_of(binary):
    """Where counts are comparable: other headers and compilers make other code."""
    compiler = subprocess.run([binary, "compiler"], capture_output=True, text=True, check=True).stdout.strip()
    release = platform.freedesktop_os_release()
    return f"{release['ID']} {release.get('VERSION_ID', '?')}, {compiler}, {platform.machine()}"


def verdict_on(case, now, then, band=BAND):
    """What is to be said about a case; None when it is within the band."""
    for what in ("instructions", "own", "syscalls"):
        allowed = SYSCALLS if what == "syscalls" else band * then.get(what, 0)
        if then.get(what) and abs(now[what] - then[what]) > allowed:
            change = f"{case}: {what} {then[what]} -> {now[what]} ({now[what] / then[what] - 1:+.1%})"
            return change + (": dearer" if now[what] > then[what] else ": cheaper, to be recorded")
    return None


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("cases", nargs="*", metavar="CASE", help=f"of {', '.join(CASES)}; all by default")
    parser.add_argument("--binary", default=os.path.join(os.path.dirname(HERE), "build/release/request_path"))
    parser.add_argument("--record", action="store_true", help="what is counted now is what is expected from now on")
    parser.add_argument("--steps", metavar="CASE", help="what of a case is token, session, call and policy")
    parser.add_argument("--profile", metavar="CASE", help="the functions that a case spends its instructions in")
    options = parser.parse_args()
    if shutil.which("valgrind") is None:
        sys.exit("valgrind is not installed: ./dev setup --tests")
    unknown = [c for c in [*options.cases, options.steps, options.profile] if c and c not in CASES]
    if unknown:
        sys.exit(f"there is no case {' '.join(unknown)}; there are {' '.join(CASES)}")
    if options.steps:
        few, many, units, unit = CASES[options.steps]
        steps, everything = [], []
        for length in (few, many):
            with tempfile.NamedTemporaryFile("r") as kept:
                everything.append(sum(v for k, v in run(options.binary, options.steps, length, kept.name).items() if k != "syscalls"))
                steps.append(steps_of(inclusive_costs(kept.read())))
        whole = (everything[1] - everything[0]) / (many - few) / units
        print(f"{unit}: {whole:.0f} instructions in user space")
        for step in STEPS:
            each = (steps[1][step] - steps[0][step]) / (many - few) / units
            print(f"{step:22}{each:8.0f}{each / whole:8.1%}")
        return
    if options.profile:
        with tempfile.NamedTemporaryFile() as kept:
            run(options.binary, options.profile, CASES[options.profile][1], kept.name)
            subprocess.run(["callgrind_annotate", "--auto=no", "--show-percs=yes", kept.name])
        return
    with open(STORE) as f:
        stored = json.load(f)
    place = place_of(options.binary)
    expected = stored.get(place, {})
    measured = measure(options.binary, options.cases or list(CASES))
    print(f"instructions per unit, {place} (change against the recorded count)")
    print(f"{'case':17}{'all':>9}{'':>9}{'own':>9}{'libc':>8}{'crypto':>8}{'syscalls':>10}  unit")
    complaints = []
    for case, now in measured.items():
        then = expected.get(case)
        change = f"{now['instructions'] / then['instructions'] - 1:+.1%}" if then else "new"
        print(f"{case:17}{now['instructions']:>9}{change:>9}{now['own']:>9}{now.get('libc', 0):>8}{now.get('crypto', 0):>8}"
              f"{now['syscalls']:>10.2f}  {CASES[case][3]}")
        if then and (said := verdict_on(case, now, then)):
            complaints.append(said)
    if options.record:
        stored[place] = {**expected, **measured}
        with open(STORE, "w") as f:
            json.dump(stored, f, indent=1, sort_keys=True)
            f.write("\n")
        return
    if not expected:
        print("nothing is recorded for this release and compiler: ./dev instructions --record")
    for complaint in complaints:
        print(complaint, flush=True)
    if complaints:
        sys.exit("when that is meant: ./dev instructions --record, and commit bench/instructions.json with the change")


if __name__ == "__main__":
    main()

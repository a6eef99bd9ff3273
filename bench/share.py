#!/usr/bin/env python3
"""What of a request's CPU is token and policy work, while calls with a known token come as fast as they are taken.

perf looks where the gateway is, some thousand times a second, kernel included; each place is counted under the step whose
function it is. All of libcrypto is counted as token work. What a step spends in the C library is counted as the rest of us.
"""

import argparse
import os
import re
import shutil
import subprocess
import sys
import time

import rig
import run

STEPS = {  # of our functions; the first that fits has it
    "token": r"bearer_token|token_cache|authenticate|credential|sha256|equal_constant_time|verify_|access_token",
    "session": r"session_of|session_binding|read_session_query|path_may_name_session",
    "call and its headers": r"json_scanner|envelope_scanner|member_names|check_mirrored_headers|(?<!\w)spells\(|read_call",
    "policy": r"mcp_oauth::authorize\b|policy::|matches_wildcard|needs::|(?<!\w)gather\(",
}
BAR = 6.0


def shares_of(report):
    """{step: percent} of `perf report --sort dso,symbol`; beside the steps: kernel, and the rest of us."""
    found = dict.fromkeys([*STEPS, "kernel", "the rest"], 0.0)
    for line in report.splitlines():
        match = re.match(r"\s*([\d.]+)%\s+(\S+)\s+\[(.)\]\s+(.*)", line)
        if not match:
            continue
        percent, place, mode, function = float(match.group(1)), match.group(2), match.group(3), match.group(4)
        if mode == "k":
            found["kernel"] += percent
        elif place.startswith("libcrypto"):
            found["token"] += percent
        else:
            ours = "mcp-oauth-proxy" in place
            found[next((s for s, names in STEPS.items() if ours and re.search(names, function)), "the rest")] += percent
    return found


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--binary", default=os.environ.get("MCP_OAUTH_PROXY") or os.path.join(rig.ROOT, "build/release/mcp-oauth-proxy"))
    parser.add_argument("--seconds", type=int, default=15)
    parser.add_argument("--connections", type=int, default=32)
    options = parser.parse_args()
    for tool in ("perf", "wrk"):
        if shutil.which(tool) is None:
            sys.exit(f"{tool} is not installed (linux-perf, wrk)")
    for name, value in rig.machine_facts(options.binary).items():
        print(f"- {name}: {value}")
    with rig.Rig(options.binary) as stand:
        gateway = stand.gateway("gateway", stand.upstream().port)
        script, data = f"{stand.folder}/load.lua", f"{stand.folder}/perf.data"
        with open(script, "w") as f:
            f.write(run.LUA.format(token=stand.sign_in(gateway)[0]["access_token"], pad=150))
        gateway.pin(0)
        load = subprocess.Popen(["wrk", "-t1", f"-c{options.connections}", f"-d{options.seconds + 4}s", "-s", script,
                                 f"{gateway.origin}/mcp"], stdout=subprocess.DEVNULL)
        time.sleep(2)
        subprocess.run(["perf", "record", "-q", "-e", "cpu-clock", "-F", "5000", "-o", data, "-p", str(gateway.process.pid),
                        "--", "sleep", str(options.seconds)], check=True)
        load.wait()
        report = subprocess.run(["perf", "report", "-i", data, "--stdio", "--no-children", "--sort", "dso,symbol", "-q"],
                                capture_output=True, text=True, check=True).stdout
    shares = shares_of(report)
    for step, percent in shares.items():
        print(f"{step:22}{percent:6.2f} %")
    work = sum(shares[step] for step in STEPS)
    print(f"{'token and policy work':22}{work:6.2f} %, at most {BAR:g} is wanted")
    if work > BAR:
        sys.exit(1)


if __name__ == "__main__":
    main()

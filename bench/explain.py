#!/usr/bin/env python3
"""What it costs to keep failures for `explain`: two gateways side by side, one that keeps them and one that does not.

Calls that are allowed, calls that are all denied, and calls whose token is none, as a stranger sends them, each in turns; the processor's time of the gateway for a request. With
--callgrind instructions in place of time, which are the same whatever else the machine does.
"""

import argparse
import http.client
import json
import os
import re
import shutil
import statistics
import subprocess
import sys

import rig
import run

BAR = 2.0  # percent
KEEPING = {"kept": {}, "none": {"explain": {"most": 0}}}
RULES = {"tools": {"search": ["mcp"]}, "logging": {"access": False}}
CALL = {"allowed": "search", "denied": "delete_everything", "refused": "search"}


def more_than(kept, none):
    """By how many percent the first is more, of medians."""
    return 100.0 * (statistics.median(kept) / statistics.median(none) - 1)


def token_for(load, token):
    return "not.a.token" if load == "refused" else token


def body_of(tool):
    return json.dumps({"jsonrpc": "2.0", "id": 7, "method": "tools/call", "params": {"name": tool, "arguments": {"query": "x" * 150}}})


def processor_time(options):
    """{load: {keeping: [microseconds a request, …]}}"""
    seen = {load: {keeping: [] for keeping in KEEPING} for load in CALL}
    with rig.Rig(options.binary) as stand:
        upstream = stand.upstream()
        gateways = {name: stand.gateway(name, upstream.port, settings={**RULES, **more}) for name, more in KEEPING.items()}
        tokens = {name: stand.sign_in(g)[0]["access_token"] for name, g in gateways.items()}
        for turn in range(options.rounds):
            for load, tool in CALL.items():
                for name in sorted(gateways, reverse=turn % 2 == 1):
                    gateway, script = gateways[name], f"{stand.folder}/{name}-{load}.lua"
                    with open(script, "w") as f:
                        f.write(run.LUA.format(token=token_for(load, tokens[name]), pad=150).replace('"name":"search"', f'"name":"{tool}"'))
                    before = rig.cpu_seconds(gateway.pids)
                    out = subprocess.run(["wrk", "-t1", f"-c{options.connections}", f"-d{options.seconds}s", "-s", script,
                                          f"{gateway.origin}/mcp"], capture_output=True, text=True, check=True).stdout
                    requests = int(re.search(r"RESULT (\d+)", out).group(1))
                    seen[load][name].append(1e6 * (rig.cpu_seconds(gateway.pids) - before) / max(1, requests))
    return seen


def instructions_of(options, folder, name, more, upstream, load, requests):
    """Of a whole process that starts, gets a token, and answers so many calls."""
    place = f"{folder}/{name}-{load}-{requests}"
    os.makedirs(place)
    out = f"{place}/callgrind.out"
    wrapper = f"{place}/gateway"
    with open(wrapper, "w") as f:
        f.write(f'#!/bin/sh\nexec valgrind -q --tool=callgrind --callgrind-out-file={out} {options.binary} "$@"\n')
    os.chmod(wrapper, 0o755)
    with rig.Rig(options.binary) as stand:
        stand.binary = wrapper
        gateway = stand.gateway("gateway", upstream.port, settings={**RULES, **more})
        token = token_for(load, stand.sign_in(gateway)[0]["access_token"])
        line = http.client.HTTPConnection("127.0.0.1", gateway.port, timeout=60)
        headers = {"Content-Type": "application/json", "Accept": "application/json, text/event-stream", "Authorization": f"Bearer {token}"}
        for _ in range(requests):
            line.request("POST", "/mcp", body_of(CALL[load]), headers)
            line.getresponse().read()
        line.close()
        gateway.process.terminate()
        gateway.process.wait(120)
    with open(out) as f:
        return int(re.search(r"^(?:summary|totals): (\d+)", f.read(), re.MULTILINE).group(1))


def instructions(options):
    """The same as processor_time, of instructions: what more requests cost than fewer."""
    few, many = options.requests // 4, options.requests
    seen = {load: {} for load in CALL}
    with rig.Rig(options.binary) as stand:
        upstream = stand.upstream()
        for load in CALL:
            for name, more in KEEPING.items():
                counts = [instructions_of(options, stand.folder, name, more, upstream, load, n) for n in (few, many)]
                seen[load][name] = [(counts[1] - counts[0]) / (many - few)]
    return seen


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--binary", default=os.environ.get("MCP_OAUTH_PROXY") or os.path.join(rig.ROOT, "build/release/mcp-oauth-proxy"))
    parser.add_argument("--seconds", type=int, default=5)
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--connections", type=int, default=32)
    parser.add_argument("--callgrind", action="store_true")
    parser.add_argument("--requests", type=int, default=8000, help="with --callgrind")
    options = parser.parse_args()
    options.binary = os.path.abspath(options.binary)
    tool = "valgrind" if options.callgrind else "wrk"
    if shutil.which(tool) is None:
        sys.exit(f"{tool} is not installed")
    for name, value in rig.machine_facts(options.binary).items():
        print(f"- {name}: {value}")
    seen = instructions(options) if options.callgrind else processor_time(options)
    unit = "instructions" if options.callgrind else "µs of processor time"
    worst = 0.0
    for load, of in seen.items():
        percent = more_than(of["kept"], of["none"])
        worst = max(worst, percent)
        kept, none = statistics.median(of["kept"]), statistics.median(of["none"])
        print(f"{load:8} {kept:12.2f} {unit} a request with stories, {none:12.2f} without: {percent:+.2f} %")
    print(f"at most {BAR:g} % is wanted")
    if worst > BAR:
        sys.exit(1)


if __name__ == "__main__":
    main()

#!/usr/bin/env python3
"""Full load for minutes, several times: no error, and memory that stays flat.

wrk calls through the gateway with thousands of tokens and kept connections, small calls and event streams at once. Memory
is read every second. What counts is the slope of its low water after the first run (of one alone: after its first third), in
which caches fill and buffers come to what so many connections need at once; a leak does not end with it.
"""

import argparse
import http.client
import os
import re
import subprocess
import sys
import time

import rig
import tokens as many_tokens

DONE = """done = function(s, l)
  io.write(string.format("RESULT %d %d %d %d %d\\n", s.requests, s.duration, l:percentile(99),
    s.errors.status + s.errors.connect + s.errors.read + s.errors.write, s.errors.timeout))
end
"""
STREAMS = """wrk.method = "POST"
wrk.path = "/mcp/events"
wrk.headers["Content-Type"] = "application/json"
wrk.headers["Accept"] = "application/json, text/event-stream"
wrk.headers["Authorization"] = "Bearer {token}"
wrk.body = '{{"jsonrpc":"2.0","id":7,"method":"tools/call","params":{{"name":"search","arguments":{{}}}}}}'
"""


def slope(samples):
    """Least squares of (second, value) pairs: value a second."""
    n = len(samples)
    if n < 2:
        return 0.0
    mean_x = sum(x for x, _ in samples) / n
    mean_y = sum(y for _, y in samples) / n
    spread = sum((x - mean_x) ** 2 for x, _ in samples)
    return sum((x - mean_x) * (y - mean_y) for x, y in samples) / spread if spread else 0.0


def low_water(samples, together=30):
    """The lowest of each so many samples that follow each other. What waits for a slow disk or reader comes and goes, within
    its bound; what leaks, or is kept for good, stands in the lowest as well."""
    parts = [samples[i:i + together] for i in range(0, len(samples) - together + 1, together)]
    return [min(part, key=lambda sample: sample[1]) for part in parts] or samples


def rise_of(samples):
    """By how much the line through the low water of (second, bytes) rises from the first sample to the last, in MiB."""
    return slope(low_water(samples)) * (samples[-1][0] - samples[0][0]) / 2**20


def after_warm_up(samples, run, times):
    """Those of run `run`, from 0, that count."""
    if run > 0:
        return samples
    return [] if times > 1 else samples[len(samples) // 3:]


def load(scripts, seconds, connections, origin, watch):
    """Runs one wrk for each script; (requests, errors). `watch` is called every second."""
    runs = [subprocess.Popen(["wrk", "-t1", f"-c{connections}", f"-d{seconds}s", "--timeout", "20s", "--latency", "-s", s, origin],
                             stdout=subprocess.PIPE, text=True) for s in scripts]
    while any(r.poll() is None for r in runs):
        watch()
        time.sleep(1)
    requests = errors = 0
    for r in runs:
        found = re.search(r"RESULT (.*)", r.stdout.read())
        if not found:
            sys.exit("wrk did not end well")
        done, _, _, failed, late = (int(n) for n in found.group(1).split())
        requests, errors = requests + done, errors + failed + late
    return requests, errors


def refused_in(metrics):
    """How many answers of /metrics were none of ours to be proud of: 5xx, or refused."""
    return sum(float(v) for v in re.findall(r'^\w*requests_total\{[^}]*status="5\w\w"[^}]*\} (\S+)', metrics, re.M))


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--binary", default=os.environ.get("MCP_OAUTH_PROXY") or os.path.join(rig.ROOT, "build/release/mcp-oauth-proxy"))
    parser.add_argument("--times", type=int, default=5)
    parser.add_argument("--seconds", type=int, default=300)
    parser.add_argument("--connections", type=int, default=128, help="for each kind of load")
    parser.add_argument("--tokens", type=int, default=2000)
    parser.add_argument("--allowed", type=float, default=1.0, help="MiB that memory may rise after the warm-up, by its slope")
    options = parser.parse_args()
    for name, value in rig.machine_facts(options.binary).items():
        print(f"- {name}: {value}")
    print(f"\n{options.times} times {options.seconds} s\n\n| run | requests | req/s | errors | RSS MiB at its begin | at its end | most | "
          "slope KiB/min | descriptors | threads |\n|---:|" + "---:|" * 9, flush=True)
    every, failures = [], []
    with rig.Rig(options.binary, workers=0) as stand:
        upstream = stand.upstream()
        gateway = stand.gateway("gateway", upstream.port, settings={"logging": {"file": "logs/proxy.log"}})
        first, client = stand.sign_in(gateway)
        distinct = many_tokens.distinct_tokens(gateway, first, client, options.tokens)
        with open(f"{stand.folder}/tokens.txt", "w") as f:
            f.write("\n".join(distinct) + "\n")
        calls, streams = f"{stand.folder}/calls.lua", f"{stand.folder}/streams.lua"
        with open(calls, "w") as f:
            f.write(many_tokens.LUA.format(file=f"{stand.folder}/tokens.txt", count=len(distinct), pad="x" * 150).split("done =")[0] + DONE)
        with open(streams, "w") as f:
            f.write(STREAMS.format(token=distinct[-1]) + DONE)
        pid, began = gateway.process.pid, time.monotonic()
        for run in range(options.times):
            samples = []

            def watch():
                samples.append((time.monotonic() - began, rig.rss_bytes([pid])))
                if len(samples) % 10 == 0:
                    stand.truncate_logs()

            requests, errors = load([calls, streams], options.seconds, options.connections, gateway.origin, watch)
            every += after_warm_up(samples, run, options.times)
            values = [v / 2**20 for _, v in samples]
            print(f"| {run + 1} | {requests} | {requests / options.seconds:.0f} | {errors} | {values[0]:.1f} | {values[-1]:.1f} | "
                  f"{max(values):.1f} | {slope(samples) / 1024 * 60:.1f} | {rig.descriptors([pid])} | "
                  f"{len(os.listdir(f'/proc/{pid}/task'))} |", flush=True)
            if errors:
                failures.append(f"run {run + 1}: {errors} errors")
        connection = http.client.HTTPConnection("127.0.0.1", gateway.port)
        connection.request("GET", "/metrics")
        bad = refused_in(connection.getresponse().read().decode())
        if bad:
            failures.append(f"/metrics counts {bad:.0f} answers of status 5xx")
    rise = rise_of(every)
    print(f"\nafter the warm-up memory rose by {rise:.2f} MiB in {every[-1][0] - every[0][0]:.0f} s (by the slope of its low "
          f"water); allowed {options.allowed:g}")
    if rise > options.allowed:
        failures.append("memory is not flat")
    if failures:
        sys.exit("; ".join(failures))


if __name__ == "__main__":
    main()

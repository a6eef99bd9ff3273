#!/usr/bin/env python3
"""nginx as a plain proxy and the gateway with everything on, in turn, before the same upstream.

The gateway verifies the token, decides, sets identity headers and writes a line about each request; nginx does none of
that, and writes no log unless the column says so. Machines are noisy: quote the ratio of the medians, never one absolute
figure. What the columns mean is in docs/performance.md.
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
import time

import rig

LOADS = {  # name: (last part of the path, what is counted, how many of it in one request, title)
    "json": ("", "req", 1, "small JSON reply"),
    "large": ("/large", "req", 1, "64 KiB reply"),
    "body": ("", "req", 1, "1 MiB request"),
    "events": ("/events", "events", 100, "reply of 100 events, each sent alone"),
    "burst": ("/burst", "events", 100, "reply of 100 events, sent at once"),
}
MATRIX = {"connections": [1, 32, 256, 2048], "load": ["json", "large", "body", "events"], "front": ["clear", "tls"],
          "columns": ["nginx", "nginx+log", "gateway"]}
ONE_CELL = {"connections": [64], "load": ["json"], "front": ["clear"], "columns": ["nginx", "gateway"]}

LUA = """wrk.method = "POST"
wrk.headers["Content-Type"] = "application/json"
wrk.headers["Accept"] = "application/json, text/event-stream"
wrk.headers["MCP-Protocol-Version"] = "2025-11-25"
wrk.headers["User-Agent"] = "bench/1.0"
wrk.headers["Authorization"] = "Bearer {token}"
wrk.body = '{{"jsonrpc":"2.0","id":7,"method":"tools/call","params":{{"name":"search","arguments":{{"query":"' ..
  string.rep("x", {pad}) .. '","limit":10}}}}}}'
done = function(s, l)
  io.write(string.format("RESULT %d %d %d %d %d %d %d\\n", s.requests, s.duration, l:percentile(50), l:percentile(99),
    l:percentile(99.9), s.errors.status + s.errors.connect + s.errors.read + s.errors.write, s.errors.timeout))
end
"""


class Bench:
    def __init__(self, stand, options):
        self.stand, self.options = stand, options
        cores = os.cpu_count()
        self.load_cpu, self.upstream_cpu = min(1, cores - 1), min(2, cores - 1)
        self.upstream = stand.upstream()
        if options.pin:
            self.upstream.pin(self.upstream_cpu)
        self.proxies, self.tokens = {}, {}

    def proxy(self, column, front):
        """The proxy of a column, started when it is first needed."""
        if column == "direct":  # in clear, whatever the front
            return self.upstream
        if (column, front) not in self.proxies:
            tls = front == "tls"
            name = f"{column.replace('+', '-')}-{front}"
            if column == "gateway":
                proxy = self.stand.gateway(name, self.upstream.port, tls)
                self.tokens[front] = self.stand.sign_in(proxy)[0]["access_token"]
            else:
                proxy = self.stand.nginx(name, self.upstream.port, tls, access_log=column == "nginx+log")
            if self.options.pin:
                proxy.pin(0)
            self.proxies[column, front] = proxy
        return self.proxies[column, front]

    def count(self):
        connection = http.client.HTTPConnection("127.0.0.1", self.upstream.port)
        connection.request("GET", "/count")
        return json.load(connection.getresponse())

    def round(self, column, front, load, connections):
        """One run of wrk. What it reports covers all of it; the rest is counted after the connections have settled."""
        proxy = self.proxy(column, front)
        path, _, per_request, _ = LOADS[load]
        script = f"{self.stand.folder}/load.lua"
        with open(script, "w") as f:
            f.write(LUA.format(token=self.tokens.get(front, "none"), pad=2**20 if load == "body" else 150))
        settle = 0.5 + connections / (1000 if front == "tls" or load == "body" else 4000)
        seconds = self.options.seconds
        command = ["wrk", "-t1", f"-c{connections}", f"-d{round(settle + seconds + 0.5)}s", "--timeout", "20s", "--latency",
                   "-s", script, f"{proxy.origin}/mcp{path}"]
        if self.options.pin:
            command = ["taskset", "-c", str(self.load_cpu)] + command
        wrk = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        window = rig.Window(set(proxy.pids + self.upstream.pids + [wrk.pid, os.getpid()]))
        time.sleep(settle)
        first, cpu = self.count(), rig.cpu_seconds(proxy.pids)
        window.start()
        time.sleep(seconds)
        last, cpu = self.count(), rig.cpu_seconds(proxy.pids) - cpu
        window.end()
        memory = rig.rss_bytes(proxy.pids)
        out, _ = wrk.communicate()
        self.stand.truncate_logs()
        found = re.search(r"RESULT (.*)", out)
        if not found:
            sys.exit(f"wrk: {out}")
        _, _, p50, p99, p999, errors, timeouts = (int(n) for n in found.group(1).split())
        done = max(1, (last["events"] - first["events"]) if per_request > 1 else (last["requests"] - first["requests"]))
        return {"rate": done / window.seconds, "cpu": cpu * 1e6 / done, "p50": p50, "p99": p99, "p999": p999,
                "rss": memory / 2**20, "foreign": window.foreign, "errors": errors + timeouts}

    def quiet_round(self, *cell):
        """A round that others did not disturb; after three attempts the least disturbed one, which is marked."""
        best = None
        for _ in range(1 + self.options.retries):
            rig.wait_for_quiet(self.options.patience, self.options.foreign)
            got = self.round(*cell)
            if best is None or got["foreign"] < best["foreign"]:
                best = got
            if got["foreign"] <= self.options.foreign:
                break
        return best

    def cell(self, front, load, connections):
        """{column: [round, …]}, the columns in turn, and in turn who begins."""
        columns = self.options.columns
        rounds = {c: [] for c in columns}
        for n in range(self.options.rounds):
            for i in range(len(columns)):
                column = columns[(i + n) % len(columns)]
                rounds[column].append(self.quiet_round(column, front, load, connections))
        return rounds


def median_of(rounds, most_foreign):
    """Medians of the rounds that were not disturbed, or of all when every one was; then `disturbed` is true."""
    quiet = [r for r in rounds if r["foreign"] <= most_foreign]
    median = {k: statistics.median(r[k] for r in quiet or rounds) for k in rounds[0]}
    median["errors"] = sum(r["errors"] for r in rounds)
    median["disturbed"] = not quiet
    return median


def table(title, unit, cells, most_foreign):
    """Markdown: a line for each column of each cell, and ratios of the gateway to the others."""
    lines = [f"\n### {title}\n",
             f"| connections | | {unit}/s | CPU µs/{unit.rstrip('s')} | p50 µs | p99 µs | p99.9 µs | RSS MiB | |", "|---:|---|" + "---:|" * 6 + "---|"]
    for connections, rounds in cells:
        medians = {c: median_of(r, most_foreign) for c, r in rounds.items()}
        for column, m in medians.items():
            marks = [f"{m['errors']} errors"] if m["errors"] else []
            if not m["p50"]:
                marks.append("too short: no reply ended")
            if m["disturbed"]:
                marks.append(f"disturbed: {m['foreign']:.2f} cores")
            lines.append(f"| {connections} | {column} | {m['rate']:.0f} | {m['cpu']:.2f} | {m['p50']:.0f} | {m['p99']:.0f} | "
                         f"{m['p999']:.0f} | {m['rss']:.1f} | {', '.join(marks)} |")
        for column in medians:
            if column != "gateway" and "gateway" in medians:
                ratio = {k: medians["gateway"][k] / (medians[column][k] or float("nan")) for k in ("rate", "cpu", "p50", "p99", "p999", "rss")}
                lines.append(f"| {connections} | **gateway / {column}** | **{ratio['rate']:.2f}** | **{ratio['cpu']:.2f}** | "
                             f"{ratio['p50']:.2f} | **{ratio['p99']:.2f}** | {ratio['p999']:.2f} | {ratio['rss']:.2f} | |")
    return "\n".join(lines)


def options_of(arguments):
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--binary", default=os.environ.get("MCP_OAUTH_PROXY") or os.path.join(rig.ROOT, "build/release/mcp-oauth-proxy"))
    parser.add_argument("--connections", type=int, nargs="+")
    parser.add_argument("--load", nargs="+", choices=[*LOADS, "all"])
    parser.add_argument("--front", nargs="+", choices=["clear", "tls"])
    parser.add_argument("--columns", nargs="+", choices=["nginx", "nginx+log", "gateway", "direct"])
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=float, default=3)
    parser.add_argument("--workers", type=int, default=1, help="threads of the gateway, processes of nginx")
    parser.add_argument("--pin", action=argparse.BooleanOptionalAction, default=None,
                        help="proxy on processor 0, load and upstream on others; default with one worker and two cores")
    parser.add_argument("--foreign", type=float, default=0.05, help="share of a core that others may use in a round")
    parser.add_argument("--patience", type=float, default=10, help="seconds to wait for a quiet machine before a round")
    parser.add_argument("--retries", type=int, default=2, help="how often a disturbed round is run again")
    parser.add_argument("--json", help="file for every round's figures")
    options = parser.parse_args(arguments)
    if options.connections and max(options.connections) > 4000:
        parser.error("nginx is set up for at most 4,000 connections here")
    # The whole matrix only when nothing of it was named.
    chosen = any(getattr(options, k) for k in MATRIX)
    for name, value in (ONE_CELL if chosen else MATRIX).items():
        if not getattr(options, name):
            setattr(options, name, value)
    if "all" in options.load:
        options.load = list(LOADS)
    if options.pin is None:
        options.pin = options.workers == 1 and os.cpu_count() > 1
    return options


def main():
    options = options_of(sys.argv[1:])
    for tool in ("nginx", "wrk"):
        if shutil.which(tool) is None:
            sys.exit(f"{tool} is not installed: ./dev setup --tests")
    rig.raise_descriptor_limit(65536)
    facts = rig.machine_facts(options.binary)
    cells = [(f, l, c) for f in options.front for l in options.load for c in options.connections]
    minutes = len(cells) * len(options.columns) * options.rounds * (options.seconds + 2) / 60
    print(f"{len(cells)} cells, about {minutes:.0f} minutes on a quiet machine", file=sys.stderr)
    for name, value in facts.items():
        print(f"- {name}: {value}")
    print(f"- {options.rounds} rounds of {options.seconds:g} s, medians; {options.workers} worker"
          f"{'' if options.workers == 1 else 's'}{', pinned to a core' if options.pin else ''}", flush=True)
    results = []
    with rig.Rig(options.binary, options.workers) as stand:
        bench = Bench(stand, options)
        for front in options.front:
            for load in options.load:
                _, unit, _, title = LOADS[load]
                done = [(c, bench.cell(front, load, c)) for c in options.connections]
                results += [{"front": front, "load": load, "connections": c, "rounds": r} for c, r in done]
                print(table(f"{title}, {'TLS 1.3' if front == 'tls' else 'clear'}", unit, done, options.foreign), flush=True)
    if options.json:
        with open(options.json, "w") as f:
            json.dump({"facts": facts, "cells": results}, f, indent=1)


if __name__ == "__main__":
    main()

#!/usr/bin/env python3
"""The life of a login: sign-ins, approvals, refreshes and registrations a second, beside what the disk alone allows.

Nothing is answered before it is on the disk, so the disk is the bound that no program can beat one at a time; many at once
share a commit. CPU is the gateway's own: a person who types a password costs a password hash, which is dear on purpose.
"""

import argparse
import multiprocessing
import os
import re
import sqlite3
import statistics
import subprocess
import sys
import threading
import time

import rig
from person import Person, Refused

REFRESH = """local threads = 0
local tokens = {{}}
for line in io.lines("{file}") do tokens[#tokens + 1] = line end
setup = function(thread)
  threads = threads + 1
  thread:set("token", tokens[threads])
end
request = function()
  return wrk.format("POST", "/oauth/token", {{["Content-Type"] = "application/x-www-form-urlencoded", ["Host"] = "127.0.0.1"}},
    "grant_type=refresh_token&client_id={client}&refresh_token=" .. token)
end
response = function(status, headers, body)
  token = body:match('"refresh_token":"([^"]+)"') or token
end
"""
REGISTER = """wrk.method = "POST"
wrk.headers["Content-Type"] = "application/json"
wrk.body = '{{"client_name":"bench","redirect_uris":["http://127.0.0.1:1/callback"],"token_endpoint_auth_method":"none"}}'
"""
DONE = """done = function(s, l)
  io.write(string.format("RESULT %d %d %d %d %d\\n", s.requests, s.duration, l:percentile(50), l:percentile(99),
    s.errors.status + s.errors.connect + s.errors.read + s.errors.write + s.errors.timeout))
end
"""


def synced_writes(folder, seconds):
    """4 KiB and fdatasync, again and again; how many a second."""
    done, began = 0, time.monotonic()
    with open(f"{folder}/synced", "wb", buffering=0) as f:
        while time.monotonic() - began < seconds:
            f.write(b"x" * 4096)
            os.fdatasync(f.fileno())
            done += 1
    os.unlink(f"{folder}/synced")
    return done / (time.monotonic() - began)


def synced_commits(folder, seconds, rows):
    """Rows a second of SQLite in WAL mode, `rows` in a commit, each commit on the disk (synchronous=FULL)."""
    path = f"{folder}/commits-{rows}.db"
    database = sqlite3.connect(path, isolation_level=None)
    database.execute("pragma journal_mode=wal")
    database.execute("pragma synchronous=full")
    database.execute("create table t(key blob primary key, data text) without rowid")
    done, began = 0, time.monotonic()
    while time.monotonic() - began < seconds:
        database.execute("begin immediate")
        for _ in range(rows):
            database.execute("insert into t values(?, ?)", (os.urandom(32), "x" * 300))
        database.execute("commit")
        done += rows
    took = time.monotonic() - began
    database.close()
    return done / took


def live(origin, how, together, seconds, pipe):
    """One person with a browser, who signs in, or approves, until it is over. All begin together."""
    times = []
    try:
        person = Person(f"{origin}/mcp")
        client = person.register()
        person.authorize(client, "admin", rig.PASSWORD)
        together.wait()
        until = time.monotonic() + seconds
        while time.monotonic() < until:
            began = time.monotonic()
            if how == "sign in":
                forgetful = Person(f"{origin}/mcp")
                forgetful.authorize(client, "admin", rig.PASSWORD)
            else:
                person.authorize(client, "admin", rig.PASSWORD)
            times.append(time.monotonic() - began)
        pipe.send(times)
    except (Refused, OSError, threading.BrokenBarrierError) as why:
        together.abort()
        pipe.send(str(why) or "somebody else failed")


def logins(gateway, how, persons, seconds):
    """(a second, CPU ms of the gateway for each, p50 ms, p99 ms)"""
    pipes, workers = [], []
    together = multiprocessing.Barrier(persons + 1)
    for _ in range(persons):
        mine, theirs = multiprocessing.Pipe()
        worker = multiprocessing.Process(target=live, args=(gateway.origin, how, together, seconds, theirs))
        worker.start()
        workers.append(worker)
        pipes.append(mine)
    try:
        together.wait()
    except threading.BrokenBarrierError:
        pass  # why, stands in the pipe of whoever failed
    used = rig.cpu_seconds(gateway.pids)
    answers = [p.recv() for p in pipes]
    for worker in workers:
        worker.join()
    used = rig.cpu_seconds(gateway.pids) - used
    refused = [a for a in answers if isinstance(a, str) and a != "somebody else failed"]
    if refused:
        sys.exit(f"{how}: {refused[0]}")
    # Each ends with what it had begun, some later than others: the rate is the sum of what each of them reached.
    rate = sum(len(a) / sum(a) for a in answers if a)
    times = sorted(t for a in answers for t in a)
    return rate, used * 1000 / len(times), statistics.median(times) * 1000, times[int(len(times) * 0.99)] * 1000


def storm(stand, gateway, script, threads, seconds):
    """The same of calls that wrk can make, one connection for each thread."""
    path = f"{stand.folder}/storm.lua"
    with open(path, "w") as f:
        f.write(script + DONE.replace("{{", "{").replace("}}", "}"))
    used = rig.cpu_seconds(gateway.pids)
    out = subprocess.run(["wrk", f"-t{threads}", f"-c{threads}", f"-d{seconds}s", "--timeout", "30s", "--latency", "-s", path,
                          f"{gateway.origin}/oauth/register"], capture_output=True, text=True).stdout
    used = rig.cpu_seconds(gateway.pids) - used
    found = re.search(r"RESULT (.*)", out)
    if not found:
        sys.exit(f"wrk: {out}")
    requests, us, p50, p99, errors = (int(n) for n in found.group(1).split())
    if errors:
        sys.exit(f"{errors} errors: {out}")
    return requests / us * 1e6, used * 1000 / requests, p50 / 1000, p99 / 1000


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--binary", default=os.environ.get("MCP_OAUTH_PROXY") or os.path.join(rig.ROOT, "build/release/mcp-oauth-proxy"))
    parser.add_argument("--persons", type=int, nargs="+", default=[1, 8, 32], help="how many at once")
    parser.add_argument("--seconds", type=int, default=4)
    parser.add_argument("--folder", help="where databases and configurations go: a folder on the disk to be measured")
    options = parser.parse_args()
    for name, value in rig.machine_facts(options.binary).items():
        print(f"- {name}: {value}")
    print("\n| what | at once | a second | gateway's CPU ms each | p50 ms | p99 ms |\n|---|" + "---:|" * 5, flush=True)

    def row(what, at_once, rate, cpu=None, p50=None, p99=None):
        cells = ["" if c is None else f"{c:.2f}" for c in (cpu, p50, p99)]
        print(f"| {what} | {at_once} | {rate:.0f} | {' | '.join(cells)} |", flush=True)

    with rig.Rig(options.binary, workers=0, parent=options.folder) as stand:
        row("write of 4 KiB and fdatasync", 1, synced_writes(stand.folder, options.seconds))
        row("SQLite commit, one row", 1, synced_commits(stand.folder, options.seconds, 1))
        row("SQLite rows, 32 in a commit", 32, synced_commits(stand.folder, options.seconds, 32))
        upstream = stand.upstream()
        gateway = stand.gateway("gateway", upstream.port)
        _, client = stand.sign_in(gateway)
        for persons in options.persons:
            row("sign-in with password", persons, *logins(gateway, "sign in", persons, options.seconds))
        for persons in options.persons:
            row("approval by a browser that is signed in", persons, *logins(gateway, "approve", persons, options.seconds))
        person = stand.person(gateway)
        person.authorize(client, "admin", rig.PASSWORD)
        for persons in options.persons:
            families = [person.authorize(client, "admin", rig.PASSWORD)["refresh_token"] for _ in range(persons)]
            with open(f"{stand.folder}/families.txt", "w") as f:
                f.write("\n".join(families) + "\n")
            row("refresh", persons, *storm(stand, gateway, REFRESH.format(file=f"{stand.folder}/families.txt", client=client),
                                           persons, options.seconds))
        for persons in options.persons:
            row("registration", persons, *storm(stand, gateway, REGISTER.format(), persons, options.seconds))


if __name__ == "__main__":
    main()

#!/usr/bin/env python3
"""What the store costs: SQLite, PostgreSQL, and two gateways at one PostgreSQL, side by side.

A call with a verified token asks no store, so its CPU must not depend on it. A refresh or a sign-in is answered when it is
on the disk: beside them stands what each database allows by itself. Rounds take turns; medians are printed.
"""

import argparse
import base64
import os
import re
import statistics
import subprocess
import sys

import rig
from login import DONE, REFRESH, logins, synced_commits
from postgres import Postgres

CALL = """wrk.method = "POST"
wrk.headers["Authorization"] = "Bearer {token}"
wrk.headers["Content-Type"] = "application/json"
wrk.headers["Accept"] = "application/json, text/event-stream"
wrk.headers["Host"] = "{host}"
wrk.body = '{{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{{"name":"echo","arguments":{{"text":"hello"}}}}}}'
"""


class Together:
    """Gateways that share a store, as one."""

    def __init__(self, name, gateways):
        self.name, self.gateways = name, gateways
        self.origin = gateways[0].origin
        self.pids = [p for g in gateways for p in g.pids]

    def storm(self, stand, scripts, connections, seconds, path):
        """(a second, CPU ms of all gateways for each); one wrk for each gateway, at the same time."""
        used = rig.cpu_seconds(self.pids)
        running = []
        for i, (gateway, script) in enumerate(zip(self.gateways, scripts)):
            file = f"{stand.folder}/storm-{i}.lua"
            with open(file, "w") as f:
                f.write(script + DONE.replace("{{", "{").replace("}}", "}"))
            running.append(subprocess.Popen(["wrk", f"-t{connections}" if path != "/mcp" else "-t1", f"-c{connections}",
                                             f"-d{seconds}s", "--timeout", "30s", "-s", file, f"{gateway.origin}{path}"],
                                            stdout=subprocess.PIPE, text=True))
        total = rate = 0
        for wrk in running:
            found = re.search(r"RESULT (.*)", wrk.communicate()[0])
            if not found:
                sys.exit("wrk gave no result")
            requests, us, _, _, errors = (int(n) for n in found.group(1).split())
            if errors:
                sys.exit(f"{self.name}: {errors} of {requests} requests failed")
            total, rate = total + requests, rate + requests / us * 1e6
        return rate, (rig.cpu_seconds(self.pids) - used) * 1000 / total


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--binary", default=os.environ.get("MCP_OAUTH_PROXY") or os.path.join(rig.ROOT, "build/release/mcp-oauth-proxy"))
    parser.add_argument("--seconds", type=int, default=3)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--folder", help="where databases go: a folder on the disk to be measured")
    options = parser.parse_args()
    for name, value in rig.machine_facts(options.binary).items():
        print(f"- {name}: {value}")
    print(flush=True)
    with rig.Rig(options.binary, workers=1, parent=options.folder) as stand, Postgres(stand.folder) as server:
        upstream = stand.upstream()
        key = base64.b64encode(os.urandom(32)).decode()

        def of_postgres(name, url, public=None):
            port = rig.free_port()
            return stand.gateway(name, upstream.port, port=port, settings={
                "database_url": url, "encryption_key": key, "public_url": public or f"http://127.0.0.1:{port}"})

        shared = server.database("shared")
        first = of_postgres("first", shared)
        stands = [Together("SQLite", [stand.gateway("sqlite", upstream.port)]),
                  Together("PostgreSQL", [of_postgres("alone", server.database("alone"))]),
                  Together("two gateways, one PostgreSQL", [first, of_postgres("second", shared, first.origin)])]
        signed_in = {s.name: stand.sign_in(s.gateways[0]) for s in stands}
        found = {}
        for _ in range(options.rounds):
            for s in stands:
                tokens, client = signed_in[s.name]
                call = CALL.format(token=tokens["access_token"], host=s.origin.split("//")[1])
                found.setdefault(("call, token seen before", 32, s.name), []).append(
                    s.storm(stand, [call] * len(s.gateways), 32, options.seconds, "/mcp"))
                person = stand.person(s.gateways[0])
                person.authorize(client, "admin", rig.PASSWORD)
                for at_once in (1, 16):
                    scripts = []
                    for i in range(len(s.gateways)):
                        file = f"{stand.folder}/families-{i}.txt"
                        families = [person.authorize(client, "admin", rig.PASSWORD)["refresh_token"] for _ in range(at_once)]
                        with open(file, "w") as f:
                            f.write("\n".join(families) + "\n")
                        scripts.append(REFRESH.format(file=file, client=client))
                    found.setdefault(("refresh", at_once, s.name), []).append(
                        s.storm(stand, scripts, at_once, options.seconds, "/oauth/token"))
                found.setdefault(("sign-in with password", 8, s.name), []).append(
                    logins(s.gateways[0], "sign in", 8, options.seconds)[:2])
        print("| what | at once, for each gateway | store | a second | gateways' CPU ms each |\n|---|---:|---|---:|---:|")
        for (what, at_once, name), values in sorted(found.items(), key=lambda e: e[0][:2]):
            rate, cpu = (statistics.median(column) for column in zip(*values))
            print(f"| {what} | {at_once} | {name} | {rate:.0f} | {cpu:.3f} |")
        for rows in (1, 32):
            print(f"| rows committed by SQLite itself, {rows} in a commit | 1 | | {synced_commits(stand.folder, options.seconds, rows):.0f} | |")
        for at_once in (1, 16):
            print(f"| commits by PostgreSQL itself | {at_once} | | {server.commits(options.seconds, at_once):.0f} | |")


if __name__ == "__main__":
    main()

#!/usr/bin/env python3
"""From exec to the first connection that is taken, and what an idle process holds.

The first start of all makes keys, a database and a user; the others find them. Without --verbose only medians are shown.
"""

import argparse
import os
import shutil
import socket
import statistics
import subprocess
import time

import rig


def start_once(binary, folder, port):
    """(milliseconds until a connection was taken, resident bytes, proportional bytes, threads) of one start and stop."""
    with open(f"{folder}/out.txt", "a") as out:
        began = time.monotonic()
        process = subprocess.Popen([binary], cwd=folder, stdin=subprocess.DEVNULL, stdout=out, stderr=subprocess.STDOUT)
    address = ("127.0.0.1", port)
    while True:
        with socket.socket() as s:
            if s.connect_ex(address) == 0:
                took = time.monotonic() - began
                break
        if process.poll() is not None:
            raise SystemExit(f"it ended: {open(f'{folder}/out.txt').read()}")
        if time.monotonic() - began > 30:
            process.kill()
            raise SystemExit("it does not listen")
    time.sleep(0.5)
    resident, proportional = rig.rss_bytes([process.pid]), rig.pss_bytes(process.pid)
    threads = len(os.listdir(f"/proc/{process.pid}/task"))
    process.terminate()
    process.wait(20)
    return took * 1000, resident, proportional, threads


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--binary", default=os.environ.get("MCP_OAUTH_PROXY") or os.path.join(rig.ROOT, "build/release/mcp-oauth-proxy"))
    parser.add_argument("--starts", type=int, default=20)
    parser.add_argument("--workers", type=int, default=0, help="0: one for each core")
    parser.add_argument("--verbose", action="store_true")
    options = parser.parse_args()
    for name, value in rig.machine_facts(options.binary).items():
        print(f"- {name}: {value}")
    rows = {"first start": [], "later start": []}
    with rig.Rig(options.binary) as stand:
        for n in range(options.starts):
            folder, port = f"{stand.folder}/start-{n}", rig.free_port()
            os.makedirs(folder)
            with open(f"{folder}/config.yaml", "w") as f:
                f.write(f"host: 127.0.0.1\nport: {port}\nworkers: {options.workers}\nmcp_server_url: http://127.0.0.1:9/mcp\n")
            for row in rows.values():
                row.append(start_once(stand.binary, folder, port))
            if options.verbose:
                print(n, *(f"{r[-1][0]:.1f} ms" for r in rows.values()))
            shutil.rmtree(folder)
    print("\n| | ms to listen | quickest | slowest | idle RSS MiB | idle PSS MiB | threads |\n|---|" + "---:|" * 6)
    for name, runs in rows.items():
        times, resident, proportional, threads = zip(*runs)
        print(f"| {name}, median of {len(runs)} | {statistics.median(times):.1f} | {min(times):.1f} | {max(times):.1f} | "
              f"{statistics.median(resident) / 2**20:.1f} | {statistics.median(proportional) / 2**20:.1f} | {threads[0]} |")


if __name__ == "__main__":
    main()

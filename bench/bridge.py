#!/usr/bin/env python3
"""Calls by way of the bridge, beside the same calls over HTTP and by way of the npm programs of its kind.

They take turns before one server in one run; shown are medians of the rounds, and ratios to the calls over HTTP. The relay is
a program that carries lines to requests and answers to lines and does nothing else: what two hops between processes cost on
this machine where both end in waking a sleeper.
"""

import argparse
import json
import os
import shutil
import statistics
import subprocess
import tempfile

import rig

TOOL = os.environ.get("BRIDGE_CALLS") or os.path.join(rig.ROOT, "build/release/bridge_calls")
PEERS = os.path.join(os.path.dirname(os.path.abspath(__file__)), "peers")
# (name, calls, in flight, bytes of a result)
LOADS = [("one at a time", 2000, 1, 64), ("64 in flight", 10000, 64, 64), ("256 KiB results", 300, 1, 256 << 10)]


def npm_programs(folder):
    """Installs them as the lock file says, where there is no copy yet."""
    if not os.path.isdir(f"{folder}/node_modules"):
        for name in ("package.json", "package-lock.json", ".npmrc"):
            shutil.copy(f"{PEERS}/{name}", folder)
        subprocess.run(["npm", "ci"], cwd=folder, check=True, stdout=subprocess.DEVNULL)
    return f"{folder}/node_modules/.bin"


def modules_of_the_tests():
    """The SDK is the one of the end-to-end tests."""
    folder = os.path.join(rig.ROOT, "tests/e2e")
    if not os.path.isdir(f"{folder}/node_modules/@modelcontextprotocol/sdk"):
        subprocess.run(["npm", "ci"], cwd=folder, check=True, stdout=subprocess.DEVNULL)


def ways(binary, port, folder, programs):
    """{name: (command, environment)}; None as command: over HTTP."""
    url = f"http://127.0.0.1:{port}/mcp"
    base = {"PATH": os.environ["PATH"], "HOME": folder}
    secret = {"OAUTH2_GRANT": "client_credentials", "OAUTH2_TOKEN_URL": f"http://127.0.0.1:{port}/token", "OAUTH2_CLIENT_ID": "bench",
              "OAUTH2_CLIENT_SECRET": "for-benches-alone", "DISCOVERY_ENABLED": "false", "UPSTREAM_URL": url}
    found = {"direct": (None, base), "relay": ([TOOL, "relay", str(port)], base), "bridge": ([binary, "bridge", url], base | secret)}
    if programs:
        found["mcp-oauth2-proxy"] = ([f"{programs}/mcp-oauth2-proxy"], base | secret)
        found["mcp-remote"] = ([f"{programs}/mcp-remote", url, "--header", "Authorization: Bearer a-token-for-benches"], base)
    return found


def measure(way, port, calls, in_flight, size):
    command, environment = way
    load = [str(calls), str(in_flight), str(size)]
    what = ["direct", str(port)] + load if command is None else ["stdio"] + load + command
    done = subprocess.run([TOOL] + what, env=environment, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, timeout=600, check=True)
    return json.loads(done.stdout)


def show(load, rounds):
    """`rounds`: {way: [what one round measured]}"""
    print(f"\n{load}\n{'':18}{'first reply ms':>15}{'p50 µs':>9}{'p99 µs':>9}{'calls/s':>9}{'CPU µs':>8}{'idle MiB':>9}{'own MiB':>8}{'after MiB':>10}"
          f"{'p50':>7}{'rate':>7}{'p50/relay':>10}")
    middle = {way: {key: statistics.median(r[key] for r in seen) for key in seen[0]} for way, seen in rounds.items()}
    for way, m in middle.items():
        p50, rate, relay = m["p50_us"] / middle["direct"]["p50_us"], m["per_second"] / middle["direct"]["per_second"], m["p50_us"] / middle["relay"]["p50_us"]
        of_a_process = [""] * 5 if way == "direct" else [
            f"{m['first_reply_ms']:.1f}", f"{m['cpu_us']:.0f}", f"{m['idle_kib'] / 1024:.1f}", f"{m['own_kib'] / 1024:.1f}", f"{m['after_kib'] / 1024:.1f}"]
        print(f"{way:18}{of_a_process[0]:>15}{m['p50_us']:>9.0f}{m['p99_us']:>9.0f}{m['per_second']:>9.0f}{of_a_process[1]:>8}"
              f"{of_a_process[2]:>9}{of_a_process[3]:>8}{of_a_process[4]:>10}{p50:>7.2f}{rate:>7.2f}{relay:>10.2f}")


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--binary", default=os.environ.get("MCP_OAUTH_PROXY") or os.path.join(rig.ROOT, "build/release/mcp-oauth-proxy"))
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--server", choices=("sdk", "node", "native"), default="sdk",
                        help="sdk: the official SDK, as MCP servers are; node: node:http and JSON alone; native: next to no work at "
                             "all, so that only what is between counts")
    parser.add_argument("--loads", default="", help="only these, by the first word of their names: one,64,256")
    parser.add_argument("--npm", action="store_true", help="the npm programs as well; installs them into build/bench-peers, and needs node")
    options = parser.parse_args()
    for name, value in rig.machine_facts(options.binary).items():
        print(f"- {name}: {value}")
    programs = None
    if options.npm:
        folder = os.path.join(rig.ROOT, "build/bench-peers")
        os.makedirs(folder, exist_ok=True)
        programs = npm_programs(folder)
    if options.server == "sdk":
        modules_of_the_tests()
    port = rig.free_port()
    here = os.path.dirname(os.path.abspath(__file__))
    scripts = {"sdk": "bridge_sdk_server.mjs", "node": "bridge_server.mjs"}
    server = subprocess.Popen([TOOL, "server", str(port)] if options.server == "native" else ["node", f"{here}/{scripts[options.server]}", str(port)])
    try:
        rig.wait_for(port, server)
        with tempfile.TemporaryDirectory() as folder:
            all_ways = ways(options.binary, port, folder, programs)
            measure(all_ways["bridge"], port, 10, 1, 64)  # signs in
            for name, calls, in_flight, size in LOADS:
                if options.loads and name.split()[0] not in options.loads.split(","):
                    continue
                rounds = {way: [] for way in all_ways}
                for _ in range(options.rounds):
                    for way, how in all_ways.items():
                        rounds[way].append(measure(how, port, calls, in_flight, size))
                show(name, rounds)
    finally:
        server.kill()
        server.wait()


if __name__ == "__main__":
    main()

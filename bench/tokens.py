#!/usr/bin/env python3
"""Requests per second as the number of distinct tokens grows: verified tokens are remembered, and that must not run out.

Every step sends the same calls; only how many tokens take turns differs. The steps are run in turn. Flat is a last line
near 1.
"""

import argparse
import http.client
import json
import os
import re
import statistics
import subprocess
import sys
import time
import urllib.parse

import rig

LUA = """local tokens = {{}}
for line in io.lines("{file}") do tokens[#tokens + 1] = line end
local body = '{{"jsonrpc":"2.0","id":7,"method":"tools/call","params":{{"name":"search","arguments":{{"query":"{pad}"}}}}}}'
local requests, at = {{}}, 0
init = function()
  for i = 1, {count} do
    requests[i] = wrk.format("POST", "/mcp", {{["Content-Type"] = "application/json", ["Authorization"] = "Bearer " .. tokens[i],
      ["Accept"] = "application/json, text/event-stream", ["Host"] = "127.0.0.1"}}, body)
  end
end
request = function()
  at = at % {count} + 1
  return requests[at]
end
done = function(s, l)
  io.write(string.format("RESULT %d %d %d %d\\n", s.requests, s.duration, l:percentile(99),
    s.errors.status + s.errors.connect + s.errors.read + s.errors.write + s.errors.timeout))
end
"""


def distinct_tokens(gateway, first, client, count):
    """Each refresh gives an access token that was never seen."""
    connection = http.client.HTTPConnection("127.0.0.1", gateway.port, timeout=30)
    tokens, current = [first["access_token"]], first
    while len(tokens) < count:
        form = {"grant_type": "refresh_token", "client_id": client, "refresh_token": current["refresh_token"]}
        connection.request("POST", "/oauth/token", urllib.parse.urlencode(form), {"Content-Type": "application/x-www-form-urlencoded"})
        answer = connection.getresponse()
        current = json.loads(answer.read())
        if answer.status != 200:
            sys.exit(f"no token: {current}")
        tokens.append(current["access_token"])
    assert len(set(tokens)) == count
    return tokens


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--binary", default=os.environ.get("MCP_OAUTH_PROXY") or os.path.join(rig.ROOT, "build/release/mcp-oauth-proxy"))
    parser.add_argument("--tokens", type=int, nargs="+", default=[10, 100, 1000, 10_000])
    parser.add_argument("--connections", type=int, default=64)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=int, default=3)
    parser.add_argument("--warm", type=int, default=2, help="seconds of calls before each round, in which every token is verified")
    parser.add_argument("--pin", action=argparse.BooleanOptionalAction, default=os.cpu_count() > 1)
    options = parser.parse_args()
    for name, value in rig.machine_facts(options.binary).items():
        print(f"- {name}: {value}")
    rounds = {n: [] for n in options.tokens}
    with rig.Rig(options.binary) as stand:
        upstream = stand.upstream()
        gateway = stand.gateway("gateway", upstream.port)
        tokens = distinct_tokens(gateway, *stand.sign_in(gateway), max(options.tokens))
        with open(f"{stand.folder}/tokens.txt", "w") as f:
            f.write("\n".join(tokens) + "\n")
        if options.pin:
            gateway.pin(0)
            upstream.pin(1)
        for _ in range(options.rounds):
            for count in options.tokens:
                rig.wait_for_quiet(5)
                script = f"{stand.folder}/tokens.lua"
                with open(script, "w") as f:
                    f.write(LUA.format(file=f"{stand.folder}/tokens.txt", count=count, pad="x" * 150))
                command = ["wrk", "-t1", f"-c{options.connections}", "--latency", "-s", script, gateway.origin]
                if options.pin:
                    command = ["taskset", "-c", "1"] + command
                subprocess.run([*command, f"-d{options.warm}s"], stdout=subprocess.DEVNULL, check=True)
                before = rig.cpu_seconds(gateway.pids)
                wrk = subprocess.Popen([*command, f"-d{options.seconds}s"], stdout=subprocess.PIPE, text=True)
                window = rig.Window(set(gateway.pids + upstream.pids + [wrk.pid, os.getpid()]))
                window.start()
                time.sleep(options.seconds - 0.2)
                window.end()
                out, _ = wrk.communicate()
                requests, us, p99, errors = (int(n) for n in re.search(r"RESULT (.*)", out).group(1).split())
                used = rig.cpu_seconds(gateway.pids) - before
                if errors:
                    sys.exit(f"{errors} errors with {count} tokens")
                rounds[count].append((requests / us * 1e6, used / requests * 1e6, p99, window.foreign))
                stand.truncate_logs()
        memory = rig.rss_bytes(gateway.pids)
    print("\n| tokens | req/s | CPU µs/req | p99 µs | others used |\n|---:|---:|---:|---:|---:|")
    medians = {n: [statistics.median(column) for column in zip(*runs)] for n, runs in rounds.items()}
    for count, (rate, cpu, p99, foreign) in medians.items():
        print(f"| {count} | {rate:.0f} | {cpu:.2f} | {p99:.0f} | {foreign:.2f} cores |")
    few, many = medians[options.tokens[0]], medians[options.tokens[-1]]
    print(f"\n{options.tokens[-1]} tokens / {options.tokens[0]}: rate {many[0] / few[0]:.3f}, CPU {many[1] / few[1]:.3f}; "
          f"{memory / 2**20:.1f} MiB resident at the end")


if __name__ == "__main__":
    main()

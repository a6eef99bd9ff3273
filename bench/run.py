#!/usr/bin/env python3
"""nginx as a plain proxy and the gateway with everything on, in turn, before the same upstream.

The gateway verifies the token, decides, sets identity headers and writes an access line for each request; nginx does
none of that. Machines are noisy: quote the ratio of the medians, never one absolute figure.
"""

import argparse
import os
import re
import shutil
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import time

from login import Person

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(HERE)
TICK = os.sysconf("SC_CLK_TCK")

NGINX = """
daemon off; worker_processes 1; pid {dir}/nginx-{name}.pid; error_log {dir}/nginx-{name}.log crit;
events {{ worker_connections 8192; }}
http {{
  access_log off; client_body_temp_path {dir}; proxy_temp_path {dir}; fastcgi_temp_path {dir};
  uwsgi_temp_path {dir}; scgi_temp_path {dir}; keepalive_requests 1000000000; tcp_nodelay on;
  {body}
}}
"""
UPSTREAM = """server {{ listen 127.0.0.1:{port} reuseport; location / {{ default_type application/json;
  return 200 '{json}'; }} }}"""
PROXY = """upstream up {{ server 127.0.0.1:{upstream}; keepalive 512; keepalive_requests 1000000000; }}
  server {{ listen 127.0.0.1:{port}; location / {{ proxy_pass http://up; proxy_http_version 1.1;
  proxy_set_header Connection ""; }} }}"""
LUA = """wrk.method = "POST"
wrk.headers["Content-Type"] = "application/json"
wrk.headers["Accept"] = "application/json, text/event-stream"
wrk.headers["MCP-Protocol-Version"] = "2025-11-25"
wrk.headers["User-Agent"] = "bench/1.0"
wrk.headers["Authorization"] = "Bearer {token}"
wrk.body = '{{"jsonrpc":"2.0","id":7,"method":"tools/call","params":{{"name":"search","arguments":{{"query":"{pad}","limit":10}}}}}}'
done = function(s, l)
  io.write(string.format("RESULT %d %d %d %d %d %d %d\\n", s.requests, s.duration,
    l:percentile(50), l:percentile(99), l:percentile(99.9), s.errors.status + s.errors.connect + s.errors.read + s.errors.write, s.errors.timeout))
end
"""


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def wait_for(port):
    deadline = time.monotonic() + 10
    while time.monotonic() < deadline:
        with socket.socket() as s:
            if s.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.02)
    sys.exit(f"nothing listens on port {port}")


def children(pid):
    out = subprocess.run(["ps", "-o", "pid=", "--ppid", str(pid)], capture_output=True, text=True).stdout.split()
    return [int(p) for p in out]


def cpu_seconds(pids):
    total = 0
    for pid in pids:
        fields = open(f"/proc/{pid}/stat").read().rsplit(")", 1)[1].split()
        total += int(fields[11]) + int(fields[12])
    return total / TICK


def rss_mib(pids):
    pages = sum(int(open(f"/proc/{pid}/statm").read().split()[1]) for pid in pids)
    return pages * os.sysconf("SC_PAGE_SIZE") / 2**20


class Bench:
    def __init__(self, options):
        self.options = options
        self.dir = tempfile.mkdtemp(prefix="mop-bench-")
        os.chmod(self.dir, 0o755)
        self.running = []

    def start(self, command, port, **kw):
        process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.STDOUT, **kw)
        self.running.append(process)
        wait_for(port)
        return process

    def nginx(self, name, body, port):
        path = f"{self.dir}/nginx-{name}.conf"
        with open(path, "w") as f:
            f.write(NGINX.format(dir=self.dir, name=name, body=body))
        return self.start(["nginx", "-c", path, "-p", self.dir], port)

    def gateway(self, upstream):
        port = free_port()
        with open(f"{self.dir}/config.yaml", "w") as f:
            f.write(f"host: 127.0.0.1\nport: {port}\nmcp_server_url: http://127.0.0.1:{upstream}\nworkers: 1\n")
        out = open(f"{self.dir}/out.txt", "w+")
        process = subprocess.Popen([self.options.binary], cwd=self.dir, stdout=out, stderr=subprocess.STDOUT)
        self.running.append(process)
        wait_for(port)
        deadline = time.monotonic() + 10
        password = None
        while password is None and time.monotonic() < deadline:
            password = re.search(r"One-time password:\s+(\S+)", open(f"{self.dir}/out.txt").read())
            time.sleep(0.05)
        tokens, _ = Person(f"http://127.0.0.1:{port}/mcp").sign_in("admin", password.group(1), "a password for benches")
        return process, port, tokens["access_token"]

    def load(self, port, token, connections):
        script = f"{self.dir}/post.lua"
        with open(script, "w") as f:
            f.write(LUA.format(token=token, pad="x" * 150))
        command = ["wrk", "-t1", f"-c{connections}", f"-d{self.options.seconds}s", "--latency", "-s", script,
                   f"http://127.0.0.1:{port}/mcp"]
        if self.options.pin:
            command = ["taskset", "-c", "1"] + command
        out = subprocess.run(command, capture_output=True, text=True).stdout
        numbers = [int(n) for n in re.search(r"RESULT (.*)", out).group(1).split()]
        return dict(zip(("requests", "us", "p50", "p99", "p999", "errors", "timeouts"), numbers))

    def measure(self, process, port, token, connections):
        pids = [process.pid] + children(process.pid)
        before = cpu_seconds(pids)
        r = self.load(port, token, connections)
        used = cpu_seconds(pids) - before
        if r["errors"] or r["timeouts"]:
            print(f"  ! {r['errors']} errors, {r['timeouts']} timeouts", file=sys.stderr)
        return {"rps": r["requests"] / (r["us"] / 1e6), "cpu_us": used * 1e6 / max(1, r["requests"]),
                "p50": r["p50"], "p99": r["p99"], "p999": r["p999"], "rss": rss_mib(pids)}

    def run(self):
        upstream = free_port()
        body = '{"jsonrpc":"2.0","id":7,"result":{"content":[{"type":"text","text":"' + "y" * 900 + '"}]}}'
        self.nginx("upstream", UPSTREAM.format(port=upstream, json=body), upstream)
        proxy_port = free_port()
        nginx = self.nginx("proxy", PROXY.format(port=proxy_port, upstream=upstream), proxy_port)
        gateway, gateway_port, token = self.gateway(upstream)
        if self.options.pin:
            for p in [nginx.pid, *children(nginx.pid), gateway.pid]:
                subprocess.run(["taskset", "-a", "-c", "-p", "0", str(p)], stdout=subprocess.DEVNULL)
        for connections in self.options.connections:
            rows = {"nginx": [], "gateway": []}
            for _ in range(self.options.rounds):
                rows["nginx"].append(self.measure(nginx, proxy_port, token, connections))
                rows["gateway"].append(self.measure(gateway, gateway_port, token, connections))
            print(f"\n{connections} connections, small JSON, {self.options.rounds} rounds of {self.options.seconds} s (medians)")
            print(f"{'':10}{'req/s':>10}{'CPU us/req':>12}{'p50 us':>9}{'p99 us':>9}{'p99.9 us':>10}{'RSS MiB':>9}")
            median = {}
            for name, runs in rows.items():
                median[name] = {k: statistics.median(r[k] for r in runs) for k in runs[0]}
                m = median[name]
                print(f"{name:10}{m['rps']:>10.0f}{m['cpu_us']:>12.1f}{m['p50']:>9.0f}{m['p99']:>9.0f}{m['p999']:>10.0f}{m['rss']:>9.1f}")
            ratio = {k: median["gateway"][k] / median["nginx"][k] for k in ("rps", "cpu_us", "p50", "p99", "p999")}
            print(f"{'ratio':10}{ratio['rps']:>10.2f}{ratio['cpu_us']:>12.2f}{ratio['p50']:>9.2f}{ratio['p99']:>9.2f}{ratio['p999']:>10.2f}")

    def close(self):
        for process in self.running:
            process.send_signal(signal.SIGTERM)
        for process in self.running:
            process.wait(15)
        shutil.rmtree(self.dir, ignore_errors=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--binary", default=os.path.join(ROOT, "build/release/mcp-oauth-proxy"))
    parser.add_argument("--connections", type=int, nargs="+", default=[1, 64])
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=int, default=5)
    parser.add_argument("--pin", action="store_true", help="proxy on processor 0, load and upstream on 1")
    options = parser.parse_args()
    for tool in ("nginx", "wrk"):
        if shutil.which(tool) is None:
            sys.exit(f"{tool} is not installed: ./dev setup --tests")
    bench = Bench(options)
    try:
        bench.run()
    finally:
        bench.close()


if __name__ == "__main__":
    main()

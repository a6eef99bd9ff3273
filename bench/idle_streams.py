#!/usr/bin/env python3
"""Opens thousands of event streams that say nothing, through nginx and through the gateway, and weighs them.

Each stream is a GET with a token and a session; the upstream holds it. What is printed is the resident memory that the
proxy took for one stream: the difference of before and after, over the number. At the end one event goes to every stream,
and it is counted how many arrived.
"""

import argparse
import http.client
import json
import os
import select
import socket
import ssl
import sys
import time

import rig

IP_BIND_ADDRESS_NO_PORT = 24


def head_of(connection):
    """Reads up to the end of the head; (head, what came after it)."""
    data = b""
    while b"\r\n\r\n" not in data:
        piece = connection.recv(4096)
        if not piece:
            raise SystemExit(f"the proxy closed a stream: {data[:500]!r}")
        data += piece
    head, rest = data.split(b"\r\n\r\n", 1)
    return head, rest


def ask(port, path):
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
    connection.request("GET", path)
    return json.load(connection.getresponse())


class Streams:
    """Open streams through one proxy."""

    def __init__(self, proxy, token, options, context):
        self.proxy, self.options, self.context = proxy, options, context
        self.open = []
        self.token = token
        self.session = self.begin_session()

    def connect(self, number=0):
        # One source address has some 28,000 ports towards one listener.
        source = f"127.0.0.{2 + number // 20_000}"
        connection = socket.socket()
        connection.settimeout(60)
        # The port is chosen when the listener is known: one that still waits for stragglers of another is free for it.
        connection.setsockopt(socket.IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, 1)
        connection.bind((source, 0))
        connection.connect(("127.0.0.1", self.proxy.port))
        return self.context.wrap_socket(connection, server_hostname="127.0.0.1") if self.context else connection

    def request(self, verb, path, session, body=b""):
        fields = [f"{verb} {path} HTTP/1.1", f"Host: 127.0.0.1:{self.proxy.port}", f"Authorization: Bearer {self.token}",
                  "MCP-Protocol-Version: 2025-11-25", "User-Agent: bench/1.0"]
        fields.append("Accept: text/event-stream" if verb == "GET" else "Accept: application/json, text/event-stream")
        if session:
            fields.append(f"Mcp-Session-Id: {session}")
        if body:
            fields += ["Content-Type: application/json", f"Content-Length: {len(body)}"]
        return "\r\n".join(fields).encode() + b"\r\n\r\n" + body

    def begin_session(self):
        body = json.dumps({"jsonrpc": "2.0", "id": 0, "method": "initialize", "params": {
            "protocolVersion": "2025-11-25", "capabilities": {}, "clientInfo": {"name": "bench", "version": "1"}}}).encode()
        with self.connect() as connection:
            connection.sendall(self.request("POST", "/mcp/session", None, body))
            head, _ = head_of(connection)
        for line in head.decode().split("\r\n"):
            name, _, value = line.partition(":")
            if name.lower() == "mcp-session-id":
                return value.strip()
        raise SystemExit(f"no session: {head.decode()}")

    def fill(self, count):
        request = self.request("GET", "/mcp/hold", self.session)
        while len(self.open) < count:
            batch = [self.connect(len(self.open) + i) for i in range(min(50, count - len(self.open)))]
            for connection in batch:
                connection.sendall(request)
            for connection in batch:
                head, _ = head_of(connection)
                if not head.startswith(b"HTTP/1.1 200"):
                    raise SystemExit(f"refused with {len(self.open)} open: {head.decode()}")
            self.open += batch

    def hear(self, seconds):
        """How many streams bring an event within that time."""
        poller = select.epoll()
        waiting = {}
        for connection in self.open:
            connection.setblocking(False)
            waiting[connection.fileno()] = [connection, b""]
            poller.register(connection.fileno(), select.EPOLLIN)
        heard, deadline = 0, time.monotonic() + seconds
        while waiting and time.monotonic() < deadline:
            for descriptor, _ in poller.poll(0.5):
                entry = waiting[descriptor]
                try:
                    piece = entry[0].recv(65536)
                except (ssl.SSLWantReadError, BlockingIOError):
                    continue
                entry[1] += piece
                # Comments that kept the stream open may come first.
                arrived = b"data:" in entry[1]
                heard += arrived
                if arrived or not piece:
                    poller.unregister(descriptor)
                    del waiting[descriptor]
        poller.close()
        return heard

    def close(self):
        for connection in self.open:
            connection.close()
        self.open = []


def weigh(name, proxy, token, upstream, options, context):
    streams = Streams(proxy, token, options, context)
    streams.fill(options.warm)  # what is made once is there now
    time.sleep(options.settle)
    before, before_files = rig.rss_bytes(proxy.pids), rig.descriptors(proxy.pids)
    began = time.monotonic()
    streams.fill(options.warm + options.streams)
    took = time.monotonic() - began
    time.sleep(options.settle)
    after, after_files = rig.rss_bytes(proxy.pids), rig.descriptors(proxy.pids)
    held = ask(upstream.port, "/count")["held"]
    ask(upstream.port, "/release")
    heard = streams.hear(60)
    total = len(streams.open)
    streams.close()
    deadline = time.monotonic() + 30
    while ask(upstream.port, "/count")["held"] > 0 and time.monotonic() < deadline:
        time.sleep(0.05)
    left = ask(upstream.port, "/count")["held"]
    freed = rig.rss_bytes(proxy.pids)
    print(f"| {name} | {options.streams} | {(after - before) / 1024 / options.streams:.1f} | {before / 2**20:.1f} | "
          f"{after / 2**20:.1f} | {freed / 2**20:.1f} | {(after_files - before_files) / options.streams:.2f} | {took:.1f} | "
          f"{held}/{total} | {heard}/{total} | {left} |", flush=True)
    return heard == total and held == total and left == 0


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--binary", default=os.environ.get("MCP_OAUTH_PROXY") or os.path.join(rig.ROOT, "build/release/mcp-oauth-proxy"))
    parser.add_argument("--streams", type=int, default=10_000)
    parser.add_argument("--warm", type=int, default=200, help="streams opened before, for what is made once")
    parser.add_argument("--settle", type=float, default=2, help="seconds before memory is read")
    parser.add_argument("--front", nargs="+", choices=["clear", "tls"], default=["clear", "tls"])
    parser.add_argument("--columns", nargs="+", choices=["nginx", "gateway"], default=["nginx", "gateway"])
    options = parser.parse_args()
    wanted = 2 * (options.streams + options.warm) + 200
    limit = rig.raise_descriptor_limit(wanted)
    if limit < wanted:
        fit = (limit - 200) // 2 - options.warm
        print(f"{options.streams} streams need {wanted} descriptors in the proxy, the limit is {limit} (ulimit -Hn): {fit} fit")
        options.streams, wanted = fit, limit
    for name, value in rig.machine_facts(options.binary).items():
        print(f"- {name}: {value}")
    print("\n| | streams | KiB RSS/stream | RSS before | RSS with them | RSS after | descriptors/stream | s to open | held | "
          "heard | left over |\n|---|" + "---:|" * 10)
    good = True
    with rig.Rig(options.binary) as stand:
        for front in options.front:
            context = None
            if front == "tls":
                context = ssl.create_default_context(cafile=stand.tls()[0])
            for column in options.columns:
                # A new one each time, as its old port still waits for stragglers with every port it was called from.
                upstream = stand.upstream()
                if column == "nginx":
                    proxy, token = stand.nginx(f"nginx-{front}", upstream.port, front == "tls", connections=wanted * 5 // 4), "none"
                else:
                    proxy = stand.gateway(f"gateway-{front}", upstream.port, front == "tls")
                    token = stand.sign_in(proxy)[0]["access_token"]
                good = weigh(f"{column}, {'TLS 1.3' if context else 'clear'}", proxy, token, upstream, options, context) and good
    if not good:
        sys.exit("not every stream lived, or some were left over upstream")


if __name__ == "__main__":
    main()

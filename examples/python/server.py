"""An MCP server of Python's standard library with the guard inside.

    OAUTH_ISSUER_URL=https://idp.example.com MCP_URL=https://mcp.example.com/mcp python3 server.py 8080
"""

import json
import os
import sys
import urllib.error
import urllib.request
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from mcp_oauth import Answer, Guard, Refused


class NoRedirect(urllib.request.HTTPRedirectHandler):
    def redirect_request(self, *_):
        return None


def fetch(method, url, headers, body, timeout):
    """Python's own way to fetch, so that its proxies and certificates count. Leave it out, and the library fetches."""
    asked = urllib.request.Request(url, data=body or None, headers=dict(headers), method=method)
    try:
        with urllib.request.build_opener(NoRedirect).open(asked, timeout=timeout) as answer:
            return answer.status, list(answer.headers.items()), answer.read(1 << 20)
    except urllib.error.HTTPError as answer:
        return answer.code, list(answer.headers.items()), answer.read(1 << 20)


def answer_to(message, user):
    """A small MCP server, without a word about who may do what."""
    if not isinstance(message, dict):
        return {"jsonrpc": "2.0", "id": None, "error": {"code": -32600, "message": "one message at a time"}}
    if "id" not in message:
        return None
    answer = {"jsonrpc": "2.0", "id": message["id"]}
    if message.get("method") == "initialize":
        answer["result"] = {"protocolVersion": "2025-11-25", "capabilities": {"tools": {}},
                            "serverInfo": {"name": "example", "version": "1"}}
    elif message.get("method") == "tools/list":
        answer["result"] = {"tools": [{"name": n, "inputSchema": {"type": "object"}} for n in ("whoami", "delete_note")]}
    elif message.get("method") == "tools/call":
        name = message["params"]["name"]
        text = f"you are {user.subject}" if name == "whoami" else f"{name} is done"
        answer["result"] = {"content": [{"type": "text", "text": text}]}
    else:
        answer["error"] = {"code": -32601, "message": f"there is no {message.get('method')}"}
    return answer


MOST_BODY_BYTES = 4 * 1024 * 1024


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def serve(self):
        length = self.headers.get("Content-Length", "0")
        if "Transfer-Encoding" in self.headers or not length.isdigit() or int(length) > MOST_BODY_BYTES:
            self.close_connection = True  # what is not read must not be taken for the next request
            return self.send_error(413 if length.isdigit() and int(length) > MOST_BODY_BYTES else 411)
        body = self.rfile.read(int(length))
        if self.path == "/health":
            ready = guard.status()["ready"]
            return self.send(Answer(200 if ready else 503, [("Content-Type", "text/plain")], b"ready" if ready else b"not ready"))
        document = guard.metadata(self.command, self.path)
        if document:
            return self.send(document)
        call = guard.admit(self.command, self.path, self.headers.items(), body)
        if call.answer:
            return self.send(call.answer)
        if call.method == "stream":  # GET and DELETE: no events here, and their body was not looked at
            return self.send(call.filtered(405, "text/plain", ""))
        answer = answer_to(json.loads(body), call.user)
        self.send(call.filtered(200 if answer else 202, "application/json", json.dumps(answer) if answer else ""))

    do_GET = do_POST = do_DELETE = do_OPTIONS = serve

    def send(self, answer):
        self.send_response(answer.status)
        for name, value in answer.headers:
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(answer.body)))
        self.end_headers()
        self.wfile.write(answer.body)

    def log_message(self, *_):
        pass


if __name__ == "__main__":
    try:
        guard = Guard({"issuer": os.environ.get("OAUTH_ISSUER_URL", ""), "resource": os.environ.get("MCP_URL", ""),
                       "tools": {"whoami": ["tools:read"], "delete_*": ["tools:read", "tools:write"]}},
                      fetch=fetch, log=lambda level, message, fields: print(level, message, fields, file=sys.stderr))
    except Refused as why:
        sys.exit(str(why))
    server = ThreadingHTTPServer(("127.0.0.1", int(sys.argv[1]) if len(sys.argv) > 1 else 8080), Handler)
    print(f"listening on http://127.0.0.1:{server.server_port}", flush=True)
    server.serve_forever()

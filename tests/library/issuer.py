"""An authorization server for tests: its discovery document and keys on a loopback port, and tokens signed by openssl."""

import base64
import http.server
import json
import subprocess
import threading
import time


def b64(data):
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


class Issuer:
    def __init__(self, folder):
        self.key = folder / "issuer.pem"
        subprocess.run(["openssl", "genrsa", "-out", self.key, "2048"], check=True, capture_output=True)
        modulus = subprocess.run(["openssl", "rsa", "-in", self.key, "-modulus", "-noout"], check=True,
                                 capture_output=True, text=True).stdout.strip().split("=")[1]
        self.jwks = json.dumps({"keys": [{"kty": "RSA", "kid": "one", "alg": "RS256", "use": "sig", "e": "AQAB",
                                          "n": b64(bytes.fromhex(modulus))}]})
        self.fetched = []
        issuer = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self):
                issuer.fetched.append(self.path)
                documents = {"/.well-known/openid-configuration":
                             json.dumps({"issuer": issuer.url, "jwks_uri": f"{issuer.url}/keys"}), "/keys": issuer.jwks}
                body = documents.get(self.path, "").encode()
                self.send_response(200 if body else 404)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_):
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def token(self, audience, **claims):
        now = int(time.time())
        payload = {"iss": self.url, "sub": "ada", "aud": audience, "iat": now, "exp": now + 600, "client_id": "test",
                   "scope": "tools:read"} | claims
        head = {"alg": "RS256", "typ": "at+jwt", "kid": "one"}
        signed = ".".join(b64(json.dumps(part).encode()) for part in (head, payload))
        signature = subprocess.run(["openssl", "dgst", "-sha256", "-sign", self.key], input=signed.encode(), check=True,
                                   capture_output=True).stdout
        return f"{signed}.{b64(signature)}"

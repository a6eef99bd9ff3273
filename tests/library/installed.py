#!/usr/bin/env python3
"""The library as its users get it: installed.py BUILD_FOLDER

Installs it into an empty prefix, builds hosts against that (CMake's package, pkg-config, C++ and C, shared and static),
and lets the example servers of examples/ be called with tokens that are signed here.
"""

import http.client
import json
import os
import re
import shlex
import shutil
import subprocess
import sys
import time
from pathlib import Path

from issuer import Issuer

ROOT = Path(__file__).resolve().parents[2]
RESOURCE = "https://mcp.example.com/mcp"
failures = []


def check(what, seen, wanted):
    good = wanted(seen) if callable(wanted) else seen == wanted
    if not good:
        failures.append(f"{what}: {seen!r}" + ("" if callable(wanted) else f", wanted {wanted!r}"))


def run(*command, **options):
    done = subprocess.run([str(word) for word in command], capture_output=True, text=True, **options)
    if done.returncode != 0:
        print(done.stdout[-6000:], done.stderr[-6000:], sep="\n")
        raise SystemExit(f"failed: {' '.join(str(word) for word in command)}")
    return done.stdout


def cached(build, name):
    return re.search(rf"^{name}:\w+=(.*)$", (build / "CMakeCache.txt").read_text(), re.M).group(1)


def by_pkg_config(prefix, folder, issuer):
    """Hosts of the other compiler, and of C."""
    pc = next(prefix.rglob("mcp_oauth.pc")).parent
    environment = os.environ | {"PKG_CONFIG_PATH": str(pc)}
    libdir = pc.parent
    flags = shlex.split(run("pkg-config", "--cflags", "--libs", "mcp_oauth", env=environment))
    static = shlex.split(run("pkg-config", "--static", "--libs", "mcp_oauth", env=environment))
    static = [libdir / "libmcp_oauth.a" if word == "-lmcp_oauth" else word for word in static]
    sources = ROOT / "tests/library/consumer"
    include = [word for word in flags if word.startswith("-I")]
    run("g++", "-std=c++20", "-Wall", "-Wextra", "-Wpedantic", "-Wconversion", "-Wshadow", "-Werror", sources / "host.cc", *flags,
        "-o", folder / "host_shared")
    run("g++", "-std=c++20", sources / "host.cc", *include, *static, "-o", folder / "host_static")
    run("gcc", "-std=c99", "-Wall", "-Wextra", "-Wpedantic", "-Wstrict-prototypes", "-Werror", sources / "host.c", *flags, "-o",
        folder / "host_c")
    at = {"LD_LIBRARY_PATH": str(libdir)}
    token = issuer.token(RESOURCE)
    for host in ("host_shared", "host_static"):
        asked = [folder / host, issuer.jwks, issuer.url, RESOURCE]
        check(host, run(*asked, token, env=at), "ada tools:read\n")
        done = subprocess.run([*asked, issuer.token("https://other.example.com")], env=at, capture_output=True, text=True)
        check(f"{host} with another audience", (done.returncode, done.stdout), (1, "token_audience_mismatch\n"))
    web = shlex.split(run("pkg-config", "--cflags", "--libs", "cpp-httplib"))
    run("g++", "-std=c++20", sources / "stream.cc", *flags, *web, "-pthread", "-o", folder / "host_stream")
    check("an answer that streams", run(folder / "host_stream", issuer.jwks, issuer.url, RESOURCE, token, env=at),
          '200 data: {"result":{"tools":[{"name":"echo"}]}}\n\n')
    linked = run("ldd", folder / "host_static")
    check("what a static host is linked to", "libmcp_oauth" in linked, False)
    run("gcc", "-std=c99", "-Wall", "-Wextra", "-Wpedantic", "-Werror", sources / "older.c", *flags, "-o", folder / "host_older")
    metadata = json.dumps({"issuer": issuer.url, "jwks_uri": f"{issuer.url}/keys"})
    asked = json.dumps({"issuer": issuer.url, "resource": RESOURCE})
    check("a host with a shorter struct", run(folder / "host_older", asked, issuer.jwks, metadata, token, env=at), "ada 2\n")
    config = json.dumps({"issuer": issuer.url, "resource": RESOURCE, "keys": json.loads(issuer.jwks)})
    check("host_c", run(folder / "host_c", config, token, env=at), "ada\n")


def headers_alone(prefix, folder):
    """The C header by itself, in every language that may read it, and the others in C++20, without a word of complaint."""
    include = next(prefix.rglob("mcp_oauth/c.h")).parents[1]
    strict = ["-Wall", "-Wextra", "-pedantic", "-Wconversion", "-Wshadow", "-Werror", "-fsyntax-only", f"-I{include}"]
    compilers = [("gcc", "c99"), ("gcc", "c11"), ("g++", "c++17"), ("g++", "c++20")]
    if shutil.which("clang-19"):
        compilers += [("clang-19", "c99"), ("clang++-19", "c++17"), ("clang++-19", "c++20")]
    for compiler, standard in compilers:
        plain = standard.startswith("c++")
        source = folder / f"alone.{'cc' if plain else 'c'}"
        # The same twice, and with names of its own that a careless header would have taken.
        names = ["c.h", "abi.h"] + (sorted(h.name for h in (include / "mcp_oauth").glob("*.h")
                                          if h.name not in ("beast.h", "cpp_httplib.h")) if standard == "c++20" else [])
        source.write_text("".join(f"#include <mcp_oauth/{name}>\n" for name in names + names[:1]) + "int main(void) { return 0; }\n")
        more = ["-Wold-style-cast"] if plain else ["-Wstrict-prototypes"]
        run(compiler, f"-std={standard}", *strict, *more, source)


class Server:
    """One of the example servers, on a port that it chose."""

    def __init__(self, name, command, environment, folder):
        self.name = name
        self.log = open(folder / f"{name}.log", "w")
        self.process = subprocess.Popen([str(word) for word in command], env=environment, text=True,
                                        stdout=subprocess.PIPE, stderr=self.log)
        line = self.process.stdout.readline()
        if not line.startswith("listening on http://127.0.0.1:"):
            raise SystemExit(f"{name} said {line!r}; its log: {Path(self.log.name).read_text()}")
        self.port = int(line.rsplit(":", 1)[1])

    def ask(self, method, path, body=None, token=None, **headers):
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=20)
        sent = {"Content-Type": "application/json"} | headers
        if token:
            sent["Authorization"] = f"Bearer {token}"
        connection.request(method, path, json.dumps(body) if body is not None else None, sent)
        answer = connection.getresponse()
        return answer.status, dict(answer.getheaders()), answer.read().decode()

    def call(self, method, token, **params):
        return self.ask("POST", "/mcp", {"jsonrpc": "2.0", "id": 1, "method": method, "params": params}, token)

    def stop(self):
        self.process.terminate()
        self.process.wait(20)
        self.log.close()


def try_server(server, issuer):
    name, good = server.name, issuer.token(RESOURCE)
    writer = issuer.token(RESOURCE, sub="grace", scope="tools:read tools:write")

    status, headers, body = server.ask("POST", "/mcp", {})
    check(f"{name} without a token", status, 401)
    challenge = headers.get("WWW-Authenticate", headers.get("Www-Authenticate", ""))
    check(f"{name}'s challenge", challenge,
          lambda c: 'resource_metadata="https://mcp.example.com/.well-known/oauth-protected-resource/mcp"' in c)
    for path in ("/.well-known/oauth-protected-resource/mcp", "/.well-known/oauth-protected-resource"):
        status, _, body = server.ask("GET", path)
        check(f"{name}: GET {path}", (status, json.loads(body).get("authorization_servers") if status == 200 else body),
              (200, [issuer.url]))

    status, _, body = server.call("tools/call", good, name="whoami", arguments={})
    check(f"{name}: whoami", (status, "you are ada" in body), (200, True))
    status, headers, body = server.call("tools/call", good, name="delete_note")
    check(f"{name}: a tool that needs more", (status, json.loads(body).get("error")), (403, "insufficient_scope"))
    status, _, body = server.call("tools/call", writer, name="delete_note")
    check(f"{name}: the same with the scope", (status, "is done" in body), (200, True))
    for token, tools in ((good, ["whoami"]), (writer, ["whoami", "delete_note"])):
        status, _, body = server.call("tools/list", token)
        listed = [tool["name"] for tool in json.loads(body)["result"]["tools"]] if status == 200 else body
        check(f"{name}: the list", listed, tools)

    status, _, body = server.call("initialize", good)
    check(f"{name}: what every client begins with", (status, "serverInfo" in json.loads(body).get("result", {})), (200, True))
    # Allowed, and no call: a server must not take for a message what the guard did not look at.
    for method, sent, wanted in (("GET", None, 405), ("DELETE", None, 405), ("POST", [{"jsonrpc": "2.0", "id": 1, "method": "ping"}], 200)):
        status, _, _ = server.ask(method, "/mcp", sent, good)
        check(f"{name}: {method} of {sent}", status, wanted)
    status, _, _ = server.ask("POST", "/mcp", {"jsonrpc": "2.0", "id": 1, "result": {}}, good)
    check(f"{name}: an answer instead of a call", status, lambda s: s in (200, 202))
    if not name.startswith("beast"):
        status, _, body = server.ask("GET", "/health")
        check(f"{name}: its health", (status, body.strip()), (200, "ready"))

    now = int(time.time())
    for what, token, words in (
            ("another audience", issuer.token("https://other.example.com"), "audience mismatch"),
            ("an old token", issuer.token(RESOURCE, exp=now - 3600), "expired"),
            ("another issuer", issuer.token(RESOURCE, iss="https://evil.example.com"), "issuer mismatch"),
            ("a broken signature", good[:-20] + "A" * 20, "signature"),
            ("an opaque token", "0123456789abcdef", "JWT")):
        status, _, body = server.call("tools/call", token, name="whoami")
        check(f"{name}: {what}", (status, words in json.loads(body)["error_description"]), (401, True))
    status, _, _ = server.ask("POST", "/mcp", {}, good, Origin="https://evil.example.com")
    check(f"{name}: another web page", status, 403)
    server.log.flush()
    log = Path(server.log.name).read_text()
    check(f"{name}: a token in the log", any(t[-30:] in log for t in (good, writer)), False)


def example_servers(build, prefix, folder, issuer):
    options = [f"-DCMAKE_PREFIX_PATH={prefix}", f"-DCMAKE_CXX_COMPILER={cached(build, 'CMAKE_CXX_COMPILER')}",
               "-DCMAKE_BUILD_TYPE=Debug", "-G", "Ninja"]
    run("cmake", "-S", ROOT / "examples", "-B", folder / "examples", *options)
    run("cmake", "--build", folder / "examples", "-j", str(os.cpu_count()))
    shutil.copytree(ROOT / "examples/node", folder / "node", ignore=shutil.ignore_patterns("node_modules"))
    run("npm", "ci", "--no-audit", "--no-fund", "--ignore-scripts", "--loglevel", "error", cwd=folder / "node")

    library = next(prefix.rglob("libmcp_oauth.so.1"))
    environment = {k: v for k, v in os.environ.items() if not k.lower().endswith("_proxy")}
    environment |= {"OAUTH_ISSUER_URL": issuer.url, "MCP_URL": RESOURCE, "MCP_OAUTH_LIBRARY": str(library),
                    "LD_LIBRARY_PATH": str(library.parent), "PYTHONDONTWRITEBYTECODE": "1",
                    "TOOL_SCOPES_JSON": '{"whoami": ["tools:read"], "delete_*": ["tools:write"]}'}
    commands = {
        "beast_server": [folder / "examples/beast_server"],
        "beast_server_static": [folder / "examples/beast_server_static"],
        "httplib_server": [folder / "examples/httplib_server"],
        "python": [sys.executable, ROOT / "examples/python/server.py"],
        "node": ["node", folder / "node/server.mjs"],
    }
    for name, command in commands.items():
        before = len(issuer.fetched)
        server = Server(name, [*command, "0"], environment, folder)
        try:
            try_server(server, issuer)
        finally:
            server.stop()
        check(f"{name}: what it fetched", issuer.fetched[before:], ["/.well-known/openid-configuration", "/keys"])
        # A server that is told nothing says what it needs, and does not start.
        nothing = {k: v for k, v in environment.items() if k not in ("OAUTH_ISSUER_URL", "MCP_URL")}
        done = subprocess.run([str(w) for w in [*command, "0"]], env=nothing, capture_output=True, text=True, timeout=30)
        check(f"{name} without settings", (done.returncode, "provider is required; resource URI is required" in done.stderr),
              (1, True))
    print(f"called: {', '.join(commands)}")


def a_call_outlives_its_guard(prefix, issuer):
    """A Python server that replaces its guard serves the calls that the old one let in."""
    served = (
        "import gc, sys\nfrom mcp_oauth import Guard\nissuer, resource, token = sys.argv[1:]\nlogged = []\n"
        "def make(log): return Guard({'issuer': issuer, 'resource': resource, 'tools': {'echo': ['tools:read']}}, log=log)\n"
        "guard = make(lambda *line: logged.append(line))\n"
        "call = guard.admit('POST', '/mcp', [('Authorization', 'Bearer ' + token), ('Content-Type', 'application/json')],\n"
        "                   b'{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"tools/list\"}')\n"
        "guard = make(lambda *line: None)\n"
        "gc.collect()\nothers = [bytearray(4096) for _ in range(2000)]\nbefore = len(logged)\n"
        "print(call.answer is None, call.filtered(200, 'text/html', b'<p>').status, len(logged) > before)\n")
    library = next(prefix.rglob("libmcp_oauth.so.1"))
    environment = os.environ | {"MCP_OAUTH_LIBRARY": str(library), "PYTHONDONTWRITEBYTECODE": "1",
                                "PYTHONPATH": str(ROOT / "examples/python")}
    done = subprocess.run([sys.executable, "-c", served, issuer.url, RESOURCE, issuer.token(RESOURCE)], env=environment,
                          capture_output=True, text=True, timeout=60)
    check("a call that outlives its guard", (done.returncode, done.stdout), (0, "True 502 True\n"))


def snippets_of_docs(prefix, folder):
    """What the documents show in C and C++ beside regions compiles, and what they configure is a configuration."""
    include = next(prefix.rglob("mcp_oauth/c.h")).parents[1]
    before = {
        "cpp": ("#include <mcp_oauth/guard.h>\n#include <iostream>\n"
                "void snippet(mcp_oauth::options& options, const mcp_oauth::outcome<mcp_oauth::guard, mcp_oauth::config_problems>& guard) {\n"
                "(void)options; (void)guard;\n"),
        "c": ("#include <mcp_oauth/c.h>\n#include <stdio.h>\n#include <string.h>\n"
              "void snippet(const char* config, const char* token);\nvoid snippet(const char* config, const char* token) {\n"),
    }
    compilers = {"cpp": ["g++", "-std=c++20"], "c": ["gcc", "-std=c99"]}
    seen = {"cpp": 0, "c": 0, "json": 0}
    for page in sorted((ROOT / "docs/library").glob("*.md")):
        for note, language, shown in re.findall(r"^(?:<!-- ([^\n]*) -->\n)?```(cpp|c|json)\n(.*?)^```", page.read_text(), re.S | re.M):
            if note.startswith(("region", "a coroutine")):
                continue
            if language == "json":
                if "issuer" not in json.loads(shown):
                    continue
                at = {"LD_LIBRARY_PATH": str(next(prefix.rglob("mcp_oauth.pc")).parents[1])}
                done = subprocess.run([folder / "host_c", shown, "no token"], env=at, capture_output=True, text=True)
                check(f"{page.name}: a configuration", done.stdout, lambda told: told.startswith("token_"))
            else:
                source = folder / f"snippet.{'cc' if language == 'cpp' else 'c'}"
                source.write_text(before[language] + shown + "}\n")
                run(*compilers[language], "-Wall", "-Wextra", "-Werror", "-fsyntax-only", f"-I{include}", source)
            seen[language] += 1
    for language, count in seen.items():
        check(f"snippets of {language} in the documents", count, lambda n: n > 0)


def regions_of_docs():
    """C++ in the documents is what stands between `// [NAME]` lines of a compiled example."""
    marked = re.compile(r"<!-- region (\w+) of (\S+) -->\n```cpp\n(.*?)^```", re.S | re.M)
    seen = 0
    for page in sorted((ROOT / "docs/library").glob("*.md")):
        for name, source, shown in marked.findall(page.read_text()):
            seen += 1
            parts = re.split(rf"^[ ]*// \[{name}\]\n", (ROOT / source).read_text(), flags=re.M)
            check(f"{page.name}: region {name} of {source}", shown == parts[1] if len(parts) == 3 else "not there", True)
    check("regions in the documents", seen, lambda count: count > 0)


def main():
    build = Path(sys.argv[1]).resolve()
    folder = build / "library_installed"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    prefix = folder / "prefix"
    run("cmake", "--install", build, "--component", "library", "--prefix", prefix)
    regions_of_docs()
    headers_alone(prefix, folder)
    issuer = Issuer(folder)
    by_pkg_config(prefix, folder, issuer)
    snippets_of_docs(prefix, folder)
    example_servers(build, prefix, folder, issuer)
    a_call_outlives_its_guard(prefix, issuer)
    print("\n".join(failures) or "all is well")
    sys.exit(1 if failures else 0)


if __name__ == "__main__":
    main()

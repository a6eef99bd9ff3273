#!/usr/bin/env python3
"""Runs the commands that the documents show.

A fence that begins with ```sh run is executed by bash -eu in a temporary folder; the fences of one file share it, in
order. A line `# => text` after a command wants that text in what the file's fences printed since the last such line.
In the folder `mcp-oauth-proxy` is on the PATH when a build has made it; without it, fences that use it are left out
and named. Nothing of the network is used.
"""

import os
import re
import subprocess
import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "lint"))
from sources import ROOT, repository_files  # noqa: E402

FENCE = re.compile(r"^```sh run[ \t]*\n(.*?)^```[ \t]*$", re.S | re.M)


def steps_of(fence):
    """[(commands, expected text or None)]: a `# => text` line ends a step."""
    steps, commands = [], []
    for line in fence.splitlines():
        wanted = re.match(r"\s*# => (.+)$", line)
        if wanted:
            steps.append(("\n".join(commands), wanted.group(1).strip()))
            commands = []
        else:
            commands.append(line)
    if any(c.strip() for c in commands):
        steps.append(("\n".join(commands), None))
    return steps


def run_step(commands, wanted, folder, environment):
    """Why the step failed, or None."""
    try:
        done = subprocess.run(["bash", "-euo", "pipefail", "-c", commands], cwd=folder, env=environment, timeout=120,
                              stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                              check=False)
    except subprocess.TimeoutExpired:
        return "it did not end within 120 s"
    if done.returncode != 0:
        return f"exit code {done.returncode}\n{done.stdout}"
    if wanted is not None and wanted not in done.stdout:
        return f"expected to see: {wanted}\nseen:\n{done.stdout}"
    return None


def program():
    given = os.environ.get("MCP_OAUTH_PROXY")
    for path in [given] if given else [ROOT / "build/dev/mcp-oauth-proxy", ROOT / "build/release/mcp-oauth-proxy"]:
        if os.access(path, os.X_OK):
            return Path(path).resolve()
    return None


def main():
    binary, ran, left_out, failures = program(), 0, 0, []
    for name in [n for n in repository_files() if n.endswith(".md")]:
        text = (ROOT / name).read_text()
        with tempfile.TemporaryDirectory() as folder:
            (Path(folder) / "home").mkdir()
            path = os.environ["PATH"]
            if binary:
                (Path(folder) / "bin").mkdir()
                (Path(folder) / "bin/mcp-oauth-proxy").symlink_to(binary)
                path = f"{folder}/bin:{path}"
            environment = {"PATH": path, "HOME": f"{folder}/home", "LANG": "C.UTF-8", "SOURCE": str(ROOT)}
            for fence in FENCE.finditer(text):
                line = text.count("\n", 0, fence.start()) + 1
                if "mcp-oauth-proxy" in fence.group(1) and not binary:
                    print(f"{name}:{line}: left out, there is no build of mcp-oauth-proxy")
                    left_out += 1
                    continue
                ran += 1
                for commands, wanted in steps_of(fence.group(1)):
                    why = run_step(commands, wanted, folder, environment)
                    if why:
                        failures.append(f"{name}:{line}: {why}")
                        break
    for failure in failures:
        print(failure)
    print(f"fences: {ran} run, {left_out} left out, {len(failures)} failed")
    sys.exit(1 if failures else 0)


if __name__ == "__main__":
    main()

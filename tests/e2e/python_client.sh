#!/usr/bin/env bash
# Prints the folder below build/ that has the official Python SDK of MCP. What python_client.txt pins is installed there
# once, with pip and whatever index pip is configured for.
#
#   PYTHONPATH=$(tests/e2e/python_client.sh) python3 -c 'import mcp'
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."
pins=tests/e2e/python_client.txt
# Some of it is compiled for one version of Python.
of=$(python3 -c 'import sys; print("%d.%d" % sys.version_info[:2])')
folder=$PWD/build/python-client-$of-$(sha256sum "$pins" | cut -c1-12)

exec 9>"$PWD/build/.python-client.lock"
flock 9
if ! [ -e "$folder/mcp/__init__.py" ]; then
  python3 -m pip --version >/dev/null || { echo "python_client.sh: pip is missing; ./dev setup --tests installs it" >&2; exit 1; }
  made=$(mktemp -d "$PWD/build/.python-client.XXXXXX")
  trap 'rm -rf "$made"' EXIT
  python3 -m pip install --quiet --disable-pip-version-check --root-user-action=ignore --no-input --no-deps --require-hashes --only-binary=:all: \
    --target "$made/packages" -r "$pins" </dev/null >&2
  rm -rf "$folder"
  mv "$made/packages" "$folder"
fi
echo "$folder"

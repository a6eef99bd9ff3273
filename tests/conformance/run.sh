#!/usr/bin/env bash
# The official MCP conformance suite, pinned in package-lock.json: the server scenarios of two revisions, directly at a
# fixture server and through the gateway, and the authorization-server scenarios. Loopback only. The binary is found as
# tests/e2e/run.sh finds it.
#
#   tests/conformance/run.sh                      everything
#   tests/conformance/run.sh 2026-07-28           one part: a revision, or authorization
#   tests/conformance/run.sh --record             writes down how many checks each scenario has now
set -euo pipefail
folder=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)

node=$("$folder/../e2e/node.sh")
PATH=$(dirname "$node"):$PATH
export PATH

# A path in the environment is the caller's.
for name in MOP_BINARY MCP_OAUTH_PROXY; do
  if [ -n "${!name:-}" ]; then export "$name=$(realpath "${!name}")"; fi
done
cd "$folder"

if ! cmp -s package-lock.json node_modules/.lock-installed; then
  npm ci --no-audit --no-fund --ignore-scripts --loglevel error </dev/null >&2
  cp package-lock.json node_modules/.lock-installed
fi

# Nothing here may leave the machine, or be turned away from it.
unset http_proxy https_proxy HTTP_PROXY HTTPS_PROXY all_proxy ALL_PROXY NODE_OPTIONS

exec "$node" run.mjs "$@" </dev/null

#!/usr/bin/env bash
# The end-to-end suite: the binary with real clients, a real identity provider, real MCP servers and a real browser.
# Loopback only. The binary is MOP_BINARY or MCP_OAUTH_PROXY, else build/release/mcp-oauth-proxy, else build/dev/….
#
#   tests/e2e/run.sh                            everything
#   tests/e2e/run.sh login_local revisions      those files
#   CHAOS_SECONDS=300 E2E_TIMEOUT_MS=900000 tests/e2e/run.sh chaos    the long form: ./dev bench chaos
#   E2E_KEEP=/some/folder tests/e2e/run.sh      keeps configurations, databases, logs and screenshots there
set -euo pipefail
folder=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)

node=$("$folder/node.sh")
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

files=()
for name in "$@"; do files+=("${name%.test.mjs}.test.mjs"); done
if [ ${#files[@]} = 0 ]; then files=(*.test.mjs); fi

# Nothing here may leave the machine, or be turned away from it.
unset http_proxy https_proxy HTTP_PROXY HTTPS_PROXY all_proxy ALL_PROXY NODE_OPTIONS

report=$(mktemp)
trap 'rm -f "$report"' EXIT
status=0
"$node" --test --test-concurrency="${E2E_FILES_AT_ONCE:-2}" --test-timeout="${E2E_TIMEOUT_MS:-120000}" \
  --test-reporter=spec --test-reporter-destination=stdout \
  --test-reporter=tap --test-reporter-destination="$report" \
  "${files[@]}" </dev/null || status=$?

passed=$(sed -nE 's/^# pass ([0-9]+)$/\1/p' "$report" | tail -n 1)
failed=$(sed -nE 's/^# (fail|cancelled) ([0-9]+)$/\2/p' "$report" | awk '{n += $1} END {print n + 0}')
if [ "$status" != 0 ] && [ "$failed" = 0 ]; then failed=1; fi
if [ "${passed:-0}" = 0 ] && [ "$failed" = 0 ]; then failed=1; fi
echo "${passed:-0} passed, $failed failed"
[ "$failed" = 0 ]

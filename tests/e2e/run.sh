#!/usr/bin/env bash
# The end-to-end suite: the binary with real clients, a real identity provider, real MCP servers and a real browser.
# Loopback only. The binary is MOP_BINARY or MCP_OAUTH_PROXY, else that of build/release or build/dev, whichever is newer.
#
#   tests/e2e/run.sh                            everything
#   tests/e2e/run.sh login_local revisions      those files
#   CHAOS_SECONDS=300 E2E_TIMEOUT_MS=900000 tests/e2e/run.sh chaos    the long form: ./dev bench chaos
#   E2E_KEEP=/some/folder tests/e2e/run.sh      keeps configurations, databases, logs and screenshots there
set -euo pipefail
# shellcheck source=tests/e2e/node_suite.sh
source "$(dirname "${BASH_SOURCE[0]}")/node_suite.sh"

files=()
for name in "$@"; do files+=("${name%.test.mjs}.test.mjs"); done
if [ ${#files[@]} = 0 ]; then files=(*.test.mjs); fi

# Before the clock of a test runs.
if printf '%s\n' "${files[@]}" | grep -qx bridge_python.test.mjs; then ./python_client.sh >/dev/null; fi

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
# The first lines of each reason, for who sees no more than the end of a log.
awk '/^ *not ok /{n = 30} n > 0 {print "why: " $0; n--} /^ *[.][.][.]$/{n = 0}' "$report"
sed -nE 's/^not ok [0-9]+ - (.*)$/failed: \1/p' "$report"
echo "${passed:-0} passed, $failed failed"
[ "$failed" = 0 ]

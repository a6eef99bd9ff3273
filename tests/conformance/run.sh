#!/usr/bin/env bash
# The official MCP conformance suite, pinned in package-lock.json: the server scenarios of two revisions, directly at a
# fixture server and through the gateway, the authorization-server scenarios, and the client scenarios through the
# bridge. Loopback only. The binary is found as tests/e2e/run.sh finds it.
#
#   tests/conformance/run.sh                      everything
#   tests/conformance/run.sh 2026-07-28           one part: a revision, authorization, or bridge-REVISION: its client
#                                                 scenarios through the bridge
#   tests/conformance/run.sh --record             writes down how many checks each scenario has now
set -euo pipefail
# shellcheck source=tests/e2e/node_suite.sh
source "$(dirname "${BASH_SOURCE[0]}")/../e2e/node_suite.sh"

exec "$node" run.mjs "$@" </dev/null

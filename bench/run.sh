#!/usr/bin/env bash
# ./dev bench: the gateway beside nginx as a plain proxy, before the same upstream, in one run.
# ./dev bench micro: the pieces of the request path, in nanoseconds.
# ./dev bench validate: what the library spends on a token, beside OpenSSL's check of its signature.
# ./dev bench bridge [--npm]: calls by way of the bridge, beside the same over HTTP, and by way of the npm programs.
# ./dev bench explain | idle_streams | login | share | stores | tokens | start | endurance | chaos [SECONDS [TIMES]]: see docs/performance.md.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
case "${1:-}" in
  micro)
    shift
    cmake --build "$here/../build/release" --target micro_bench
    exec "$here/../build/release/micro_bench" "$@"
    ;;
  validate)
    cmake --build "$here/../build/release" --target validate_bench
    shift
    exec "$here/../build/release/validate_bench" "$@"
    ;;
  bridge)
    shift
    cmake --build "$here/../build/release" --target bridge_calls >/dev/null
    exec python3 "$here/bridge.py" "$@"
    ;;
  explain | idle_streams | login | share | stores | tokens | start | endurance)
    bench=$1
    shift
    exec python3 "$here/$bench.py" "$@"
    ;;
  chaos)
    seconds=${2:-300}
    for _ in $(seq "${3:-5}"); do
      CHAOS_SECONDS=$seconds E2E_TIMEOUT_MS=$(((seconds * 2 + 300) * 1000)) "$here/../tests/e2e/run.sh" chaos
    done
    ;;
  *) exec python3 "$here/run.py" "$@" ;;
esac

#!/usr/bin/env bash
# ./dev bench: the gateway beside nginx as a plain proxy, before the same upstream, in one run.
# ./dev bench micro: the pieces of the request path, in nanoseconds.
# ./dev bench idle_streams | login | tokens | start | endurance: see docs/performance.md.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
case "${1:-}" in
  micro)
    shift
    cmake --build "$here/../build/release" --target micro_bench
    exec "$here/../build/release/micro_bench" "$@"
    ;;
  idle_streams | login | tokens | start | endurance)
    bench=$1
    shift
    exec python3 "$here/$bench.py" "$@"
    ;;
  *) exec python3 "$here/run.py" "$@" ;;
esac

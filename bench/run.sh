#!/usr/bin/env bash
# ./dev bench: the gateway beside nginx as a plain proxy, before the same upstream, in one run.
# ./dev bench micro: the pieces of the request path, in nanoseconds.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
if [ "${1:-}" = micro ]; then
  shift
  cmake --build "$here/../build/release" --target micro_bench
  exec "$here/../build/release/micro_bench" "$@"
fi
exec python3 "$here/run.py" "$@"

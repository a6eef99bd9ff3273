# shellcheck shell=bash
# Sourced by the suites that run under Node: sets `node` and `folder` (of the suite), goes there, and installs what its
# package-lock.json pins. The binary under test is MOP_BINARY or MCP_OAUTH_PROXY.
folder=$(cd "$(dirname "${BASH_SOURCE[1]}")" && pwd)

node=$("$(dirname "${BASH_SOURCE[0]}")/node.sh")
PATH=$(dirname "$node"):$PATH
export PATH

# A path in the environment is the caller's.
for name in MOP_BINARY MCP_OAUTH_PROXY; do
  if [ -n "${!name:-}" ]; then export "$name=$(realpath "${!name}")"; fi
done
cd "$folder" || exit 1

if ! cmp -s package-lock.json node_modules/.lock-installed; then
  npm ci --no-audit --no-fund --ignore-scripts --loglevel error </dev/null >&2
  cp package-lock.json node_modules/.lock-installed
fi

# Nothing here may leave the machine, or be turned away from it.
unset http_proxy https_proxy HTTP_PROXY HTTPS_PROXY all_proxy ALL_PROXY NODE_OPTIONS

#!/usr/bin/env bash
# clang-tidy takes some six seconds a file, so one run does not take the whole tree. It takes
#   - what changed since the commit before, and what is not committed;
#   - net/ and app/, where the coroutines are;
#   - an eighth of the rest, another one with every commit.
# `tests/lint/tidy.sh --all` takes everything; `tests/lint/tidy.sh FILE…` those files.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."
[ -f build/dev/compile_commands.json ] || { echo "tidy: run ./dev build first: build/dev/compile_commands.json is read" >&2; exit 1; }

sources() { find src -name '*.cc' ! -name '*_test.cc' | sort; }
chosen() {
  local turn
  turn=$(git rev-list --count HEAD 2>/dev/null || echo 0)
  { git diff --name-only HEAD~1 2>/dev/null || true; git ls-files --others --exclude-standard; } | grep -E '^src/.*\.cc$' || true
  sources | grep -E '^src/(net|app)/' || true
  sources | awk -v turn="$turn" 'NR % 8 == turn % 8'
}

if [ "${1:-}" = --all ]; then list=$(sources)
elif [ $# -gt 0 ]; then list=$(printf '%s\n' "$@")
else list=$(chosen | grep -v _test.cc | sort -u | while read -r file; do [ ! -f "$file" ] || echo "$file"; done)
fi
# Only what the build knows: a file that cmake has not seen yet has no command line.
list=$(while read -r file; do if grep -qF "/$file\"" build/dev/compile_commands.json; then echo "$file"; fi; done <<<"$list")
[ -n "$list" ] || { echo "tidy: nothing to read"; exit 0; }
printf 'tidy: %s files\n' "$(wc -l <<<"$list")"
xargs -P "$(nproc)" -n 1 clang-tidy-19 --quiet -p build/dev <<<"$list" 2> >(grep -vE 'warnings? (generated|treated)|^Suppressed|^Use -header-filter' >&2)

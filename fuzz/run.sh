#!/usr/bin/env bash
# Runs fuzz targets: fuzz/run.sh [--build DIR] [--seconds N] [--jobs N] [--keep] NAME…
#
# New inputs are collected in build/fuzz-corpus/NAME, and after runs of a minute or more reduced to those that reach
# something. With --keep, those that reach what no file of fuzz/corpus/NAME reaches are copied there; they are small, and
# are replayed by the ordinary tests from then on. What crashed, hung or took too much memory stays in build/fuzz-found as
# NAME-crash-…, NAME-timeout-… or NAME-oom-…: reduce it (-minimize_crash=1), mend, and commit it as a seed with a test.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

build=build/fuzz seconds=10 jobs=1 keep=
while [ $# -gt 0 ]; do
  case "$1" in
    --build) build=$2 && shift 2 ;;
    --seconds) seconds=$2 && shift 2 ;;
    --jobs) jobs=$2 && shift 2 ;;
    --keep) keep=yes && shift ;;
    *) break ;;
  esac
done
[ $# -gt 0 ] || { echo "fuzz/run.sh: no target named" >&2 && exit 2; }
mkdir -p build/fuzz-found build/fuzz-log

run_one() {
  local name=$1 options=(-rss_limit_mb=2048 -timeout=10 -max_len=16384)
  local log=build/fuzz-log/$name.log found=build/fuzz-corpus/$name
  mkdir -p "$found"
  if [ -f "fuzz/$name.dict" ]; then options+=("-dict=fuzz/$name.dict"); fi
  local status=0
  "$build/${name}_fuzz" -max_total_time="$seconds" "${options[@]}" -print_final_stats=1 \
    -artifact_prefix="build/fuzz-found/$name-" "$found" "fuzz/corpus/$name" >"$log" 2>&1 </dev/null || status=$?
  if [ "$status" = 0 ] && [ "$seconds" -ge 60 ]; then
    rm -rf "$found.less" && mkdir -p "$found.less"
    if "$build/${name}_fuzz" -merge=1 "${options[@]}" "$found.less" "fuzz/corpus/$name" "$found" >>"$log" 2>&1; then
      rm -rf "$found" && mv "$found.less" "$found"
    fi
    rm -rf "$found.less"
  fi
  if [ "$status" = 0 ] && [ -n "$keep" ]; then
    # With the corpus of the tree first, only what it lacks is added.
    "$build/${name}_fuzz" -merge=1 -max_len=1024 "fuzz/corpus/$name" "$found" >>"$log" 2>&1 || status=$?
  fi
  return "$status"
}

summary() {
  local name=$1 status=$2 log=build/fuzz-log/$1.log
  local executions before after
  executions=$(sed -nE 's/^stat::number_of_executed_units: *([0-9]+).*/\1/p' "$log" | head -n 1)
  before=$(sed -nE 's/.*INITED +cov: ([0-9]+).*/\1/p' "$log" | head -n 1)
  after=$(sed -nE 's/^#[0-9]+[[:space:]]+[A-Za-z]+ +cov: ([0-9]+).*/\1/p' "$log" | tail -n 1)
  printf '%-18s %12s executions  edges %5s -> %-5s  %s\n' "$name" "${executions:-?}" "${before:-?}" "${after:-?}" \
    "$([ "$status" = 0 ] && echo ok || echo "FAILED, exit $status: $log, build/fuzz-found/$name-*")"
}

passed=0 failed=0
declare -A running=()
reap() {
  local pid status=0 name
  wait -n -p pid "${!running[@]}" || status=$?
  name=${running[$pid]}
  unset "running[$pid]"
  summary "$name" "$status"
  if [ "$status" = 0 ]; then
    passed=$((passed + 1))
  else
    failed=$((failed + 1))
    grep -E 'ERROR:|SUMMARY:|runtime error|Test unit written' "build/fuzz-log/$name.log" | head -n 5 || true
  fi
}
for name in "$@"; do
  while [ "${#running[@]}" -ge "$jobs" ]; do reap; done
  run_one "$name" &
  running[$!]=$name
done
while [ "${#running[@]}" -gt 0 ]; do reap; done
printf '%d passed, %d failed\n' "$passed" "$failed"
[ "$failed" = 0 ]

#!/usr/bin/env python3
"""Runs fuzz targets for a time, several side by side; `./dev fuzz` builds them first.

New inputs are collected in build/fuzz-corpus/NAME, and after runs of a minute or more reduced to those that reach
something. With --keep what was run is added to fuzz/hours.tsv, and the small ones among the new inputs that reach what no
seed reaches go to fuzz/corpus/NAME, named by their digest; they are replayed by the ordinary tests from then on. What
crashed, hung or took too much memory stays in build/fuzz-found as NAME-crash-…, NAME-timeout-… or NAME-oom-…: reduce it
(-minimize_crash=1), mend, and commit it as a seed, under a name that says what it is, with a test.

SIGINT and SIGTERM end the runs early; what they found and how long they took still counts.
"""

import argparse
import base64
import gzip
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import ledger

# Of the seeds that are named by a digest; those with a name of their own are not counted and never go.
KEPT_FILES, KEPT_BYTES, LONGEST_SEED = 24, 8192, 1024
HOURS, PAGE = Path("fuzz/hours.tsv"), Path("docs/testing.md")
LONGEST_PRINTED = 8192
COUNTERS_OF_AN_EDGE = 8  # libFuzzer numbers features as edge × 8 + how often


def options_of(arguments):
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("which", nargs="?", default="all", help="a target; `all`, each once; or `least`, in each turn the "
                        "one that has the least time of CPU in fuzz/hours.tsv, until the seconds are over")
    parser.add_argument("seconds", nargs="?", type=int, default=10, help="of each target; with `least` of all together")
    parser.add_argument("--of", default="", metavar="NAME,NAME", help="of `all` and `least`: these only")
    parser.add_argument("--slice", type=int, default=600, metavar="SECONDS", help="of one turn of `least`")
    parser.add_argument("--keep", action="store_true", help="add to fuzz/hours.tsv and fuzz/corpus")
    parser.add_argument("--idle", action="store_true", help="only while nothing else wants the processor")
    parser.add_argument("--jobs", type=int, default=1, help="so many targets side by side")
    parser.add_argument("--build", type=Path, default=Path("build/asan"))
    return parser.parse_args(arguments)


def read_log(text):
    """What libFuzzer says of a run; 0 for what it does not say."""
    executions = re.search(r"^stat::number_of_executed_units: *(\d+)", text, re.M)
    status = re.findall(r"^#\d+\s+[A-Za-z]+ +cov: (\d+) ft: (\d+)", text, re.M)
    edges, features = status[-1] if status else (0, 0)
    return {"executions": int(executions.group(1)) if executions else 0, "edges": int(edges), "features": int(features)}


def input_of(text):
    """What the target died of, in the form of a command, since a machine that ran it for CI keeps no files."""
    written = re.search(r"Test unit written to (\S+)", text)
    content = Path(written.group(1)).read_bytes() if written and Path(written.group(1)).is_file() else b""
    packed = base64.b64encode(gzip.compress(content, mtime=0)).decode()
    return [f"base64 -d <<<{packed} | gzip -d"] if content and len(packed) <= LONGEST_PRINTED else []


def features_by_file(control):
    """Of libFuzzer's control file of a merge: {path: set of features}. A file at which the target died has none."""
    lines = control.splitlines()
    count = int(lines[0])
    paths = lines[2:2 + count]
    found = {path: set() for path in paths}
    for line in lines[2 + count:]:
        word, *numbers = line.split()
        if word == "FT":
            found[paths[int(numbers[0])]] = {int(number) for number in numbers[1:]}
    return found


def is_generated(path):
    return re.fullmatch(r"[0-9a-f]{40}", path.name) is not None


def chosen(features, sizes, files=KEPT_FILES, size=KEPT_BYTES):
    """Which of the generated inputs to have in the tree beside the seeds that have names: one after the other the one that
    reaches most edges that nothing before it reaches, then most features; among equals one that is there already, then the
    smallest. `features` and `sizes` are by (is in the tree, path)."""
    reached = set()
    candidates = {}
    for (in_tree, path), seen in features.items():
        if in_tree and not is_generated(path):
            reached |= seen
        elif sizes[in_tree, path] <= LONGEST_SEED and seen:
            candidates[in_tree, path] = set(seen)
    edges = {feature // COUNTERS_OF_AN_EDGE for feature in reached}
    taken, used = [], 0
    while candidates and len(taken) < files:
        gains = {}
        for key in list(candidates):
            candidates[key] -= reached
            if not candidates[key] or used + sizes[key] > size:
                del candidates[key]
                continue
            new_edges = {feature // COUNTERS_OF_AN_EDGE for feature in candidates[key]} - edges
            gains[key] = (len(new_edges), len(candidates[key]), key[0], -sizes[key], key[1].name)
        if not gains:
            break
        best = max(gains, key=gains.get)
        taken.append(best)
        used += sizes[best]
        reached |= candidates.pop(best)
        edges = {feature // COUNTERS_OF_AN_EDGE for feature in reached}
    return taken


class Runs:
    """The targets that run, and what became of them."""

    def __init__(self, options, targets):
        self.options, self.targets = options, targets
        self.running, self.failed, self.passed, self.started, self.stopping = {}, [], 0, 0, False
        self.rows = read_ledger()
        for folder in ("fuzz-found", "fuzz-log"):
            Path("build", folder).mkdir(parents=True, exist_ok=True)

    def flags(self, name):
        # A target that may not have the processor has to wait for it without being called hung.
        flags = ["-rss_limit_mb=2048", f"-timeout={300 if self.options.idle else 10}", "-max_len=16384"]
        if Path(f"fuzz/{name}.dict").is_file():
            flags.append(f"-dict=fuzz/{name}.dict")
        return flags

    def program(self, name):
        return str((self.options.build / f"{name}_fuzz").absolute())

    def log_of(self, name):
        return Path(f"build/fuzz-log/{name}.log")

    def start(self, name, seconds):
        found = Path("build/fuzz-corpus", name)
        found.mkdir(parents=True, exist_ok=True)
        with open(self.log_of(name), "w") as log:
            process = subprocess.Popen(
                [self.program(name), f"-max_total_time={seconds}", *self.flags(name), "-print_final_stats=1",
                 f"-artifact_prefix=build/fuzz-found/{name}-", str(found), f"fuzz/corpus/{name}"],
                stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True)
        self.running[process.pid] = (name, seconds, process)
        self.started += 1

    def names_running(self):
        return {name for name, _, _ in self.running.values()}

    def stop(self, *_):
        self.stopping = True
        for pid in self.running:
            os.kill(pid, signal.SIGTERM)

    def reap(self):
        """Waits until one has ended, and settles it."""
        pid, status, usage = os.wait4(-1, 0)
        name, seconds, process = self.running.pop(pid)
        process.returncode = code = os.waitstatus_to_exitcode(status)
        text = self.log_of(name).read_text(errors="replace")
        interrupted = self.stopping and "run interrupted" in text
        failed = code != 0 and not interrupted and not self.only_waited(name, text)
        run = {**read_log(text), "cpu_seconds": round(usage.ru_utime + usage.ru_stime), "crashes": int(failed)}
        if not failed and seconds >= 60:
            self.reduce(name)
        self.rows = ledger.add(read_ledger() if self.options.keep else self.rows, name, run)
        added = self.keep(name) if self.options.keep else 0
        print(f"{name:18} {run['executions']:12} executions  {run['cpu_seconds']:6} s of CPU  edges {run['edges']:5}  "
              f"features {run['features']:6}  {f'{added:+} seeds  ' if added else ''}"
              + (f"FAILED, exit {code}: {self.log_of(name)}, build/fuzz-found/{name}-*" if failed else "ok"), flush=True)
        if failed:
            self.failed.append(name)
            for line in [*re.findall(r"^.*(?:ERROR:|SUMMARY:|runtime error|Test unit written).*$", text, re.M)[:5],
                         *input_of(text)]:
                print(f"why: {name}: {line}", flush=True)
        else:
            self.passed += 1

    def only_waited(self, name, text):
        """Whether the run ended because an input took too long by the clock, and takes no time when it is run alone: the
        whole machine, or this process, had been stopped."""
        named = re.search(r"Test unit written to (\S+-timeout-\S+)", text)
        if not named or not Path(named.group(1)).is_file():
            return False
        refuted = self.call(name, [f"-timeout={10 if not self.options.idle else 300}", named.group(1)])
        if refuted:
            Path(named.group(1)).unlink()
        return refuted

    def call(self, name, arguments):
        with open(self.log_of(name), "a") as log:
            return subprocess.run([self.program(name), *arguments], stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                                  check=False, start_new_session=True).returncode == 0

    def reduce(self, name):
        found, less = Path("build/fuzz-corpus", name), Path("build/fuzz-corpus", f"{name}.less")
        shutil.rmtree(less, ignore_errors=True)
        less.mkdir()
        if self.call(name, ["-merge=1", *self.flags(name), str(less), f"fuzz/corpus/{name}", str(found)]):
            shutil.rmtree(found)
            less.rename(found)
        shutil.rmtree(less, ignore_errors=True)

    def keep(self, name):
        """Writes the ledger, and puts what was found among the seeds; how many more there are now."""
        replace(HOURS, ledger.write(self.rows))
        if PAGE.is_file():
            replace(PAGE, ledger.page_with(PAGE.read_text(), self.rows, self.targets))
        return self.renew_seeds(name)

    def renew_seeds(self, name):
        seeds, found = Path("fuzz/corpus", name), Path("build/fuzz-corpus", name)
        control, ignored = Path(f"build/fuzz-log/{name}.control"), Path(f"build/fuzz-corpus/{name}.cover")
        control.unlink(missing_ok=True)
        shutil.rmtree(ignored, ignore_errors=True)
        ignored.mkdir()
        merged = self.call(name, ["-set_cover_merge=1", f"-merge_control_file={control}", *self.flags(name), str(ignored),
                                  str(seeds), str(found)])
        shutil.rmtree(ignored, ignore_errors=True)
        if not merged:
            return 0
        features = {(path.parent == seeds, path): seen for path, seen in
                    ((Path(path), seen) for path, seen in features_by_file(control.read_text()).items())}
        taken = chosen(features, {key: key[1].stat().st_size for key in features})
        names = {path.name for _, path in taken}
        before = {path.name for path in seeds.iterdir() if is_generated(path)}
        for in_tree, path in taken:
            if not in_tree:
                shutil.copyfile(path, seeds / path.name)
        for gone in before - names:
            (seeds / gone).unlink()
        return len(names) - len(before)


def read_ledger():
    rows, complaints = ledger.read(HOURS.read_text()) if HOURS.is_file() else ({}, [])
    if complaints:
        raise SystemExit("\n".join(complaints))
    return rows


def replace(path, text):
    temporary = path.with_name(f".{path.name}.new")
    temporary.write_text(text)
    temporary.replace(path)


def run_each(runs, names, seconds, jobs):
    for name in names:
        while len(runs.running) >= jobs:
            runs.reap()
        if runs.stopping:
            break
        runs.start(name, seconds)
    while runs.running:
        runs.reap()


def run_least(runs, names, seconds, jobs, turn, clock=time.monotonic):
    end = clock() + seconds
    while True:
        left = int(end - clock())
        waiting = [name for name in names if name not in runs.names_running() and name not in runs.failed]
        # A turn that is too short only loads what is there already; but one is always had.
        worth_it = left >= min(turn, 10) or not runs.started
        if worth_it and waiting and not runs.stopping and len(runs.running) < jobs:
            runs.start(ledger.least(runs.rows, waiting), max(1, min(turn, left)))
        elif runs.running:
            runs.reap()
        else:
            return


def main(arguments):
    options = options_of(arguments)
    os.chdir(Path(__file__).resolve().parents[1])
    targets = ledger.targets_of(Path.cwd())
    names = [options.which.removesuffix("_fuzz")]
    if options.which in ("all", "least"):
        names = options.of.split(",") if options.of else targets
    for name in names:
        if name not in targets:
            raise SystemExit(f"fuzz/run.py: there is no fuzz/{name}_fuzz.cc")
    if options.idle:
        os.sched_setscheduler(0, os.SCHED_IDLE, os.sched_param(0))
    runs = Runs(options, targets)
    signal.signal(signal.SIGTERM, runs.stop)
    signal.signal(signal.SIGINT, runs.stop)
    if options.which == "least":
        run_least(runs, names, options.seconds, options.jobs, options.slice)
    else:
        run_each(runs, names, options.seconds, options.jobs)
    print(f"{runs.passed} passed, {len(runs.failed)} failed")
    return 1 if runs.failed or not runs.passed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

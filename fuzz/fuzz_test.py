#!/usr/bin/env python3
"""./dev fuzz runs what it should, for as long as it should, and writes down what it did."""

import os
import signal
import subprocess
import sys
import tempfile
import unittest
from pathlib import Path

import ledger
import run

LOG = """INFO: Seed: 1
#2\tINITED cov: 100 ft: 150 corp: 2/3b exec/s: 0 rss: 30Mb
#1024\tNEW    cov: 120 ft: 210 corp: 9/31b lim: 4 exec/s: 0 rss: 31Mb L: 3/4 MS: 1 CopyPart-
#2048\tDONE   cov: 121 ft: 215 corp: 9/31b lim: 4 exec/s: 512 rss: 31Mb
stat::number_of_executed_units: 2048
#99\tLOADED cov: 1 ft: 1
"""

# A target as run.py sees it: it says how it was called, runs until its time is over or it is told to stop, and merges.
TARGET = """#!/usr/bin/env python3
import os, pathlib, signal, sys, time
flags = dict(word[1:].split("=", 1) for word in sys.argv[1:] if word.startswith("-"))
folders = [pathlib.Path(word) for word in sys.argv[1:] if not word.startswith("-")]
name = pathlib.Path(sys.argv[0]).name.removesuffix("_fuzz")
with open("calls", "a") as calls:
    print(name, flags.get("max_total_time", "merge"), os.sched_getscheduler(0), file=calls)
if folders and folders[0].is_file():
    sys.exit(70 if b"hangs" in folders[0].read_bytes() else 0)
if "merge" in flags:
    for path in folders[2].iterdir():
        (folders[0] / path.name).write_bytes(path.read_bytes())
elif "set_cover_merge" in flags:
    paths = sorted(p for folder in folders[1:] for p in folder.iterdir())
    lines = [len(paths), 0, *paths]
    for i, path in enumerate(paths):
        lines += [f"STARTED {i} 1", f"FT {i} " + " ".join(str(8 * b) for b in set(path.read_bytes())), f"COV {i}"]
    pathlib.Path(flags["merge_control_file"]).write_text("\\n".join(map(str, lines)) + "\\n")
else:
    def stop(*_):
        print("== libFuzzer: run interrupted; exiting\\nstat::number_of_executed_units: 7", flush=True)
        os._exit(72)
    signal.signal(signal.SIGTERM, stop)
    (folders[0] / ("c" * 40)).write_bytes(b"new")
    if name == "crashing":
        found = pathlib.Path(flags["artifact_prefix"] + "crash-1")
        found.write_bytes(b"died \\0 of this")
        print(f"ERROR: libFuzzer: deadly signal\\nTest unit written to {found}")
        sys.exit(77)
    if name in ("hanging", "paused"):
        found = pathlib.Path(flags["artifact_prefix"] + "timeout-1")
        found.write_bytes(b"hangs" if name == "hanging" else b"quick")
        print(f"ERROR: libFuzzer: timeout after 301 seconds\\nTest unit written to {found}")
        sys.exit(70)
    if name == "waiting":
        print("waits", flush=True)
        pathlib.Path("waits").touch()
        time.sleep(60)
    end = time.process_time() + (1.6 if name == "busy" else 0)
    while time.process_time() < end: pass
    print("#9\\tDONE   cov: 12 ft: 34 corp: 1/1b\\nstat::number_of_executed_units: 9")
"""


class Logs(unittest.TestCase):
    def test_what_a_run_says_of_itself_is_read_where_the_run_says_it(self):
        self.assertEqual(run.read_log(LOG.rsplit("#99", 1)[0]), {"executions": 2048, "edges": 121, "features": 215})
        self.assertEqual(run.read_log("died at once"), {"executions": 0, "edges": 0, "features": 0})

    def test_the_control_file_of_a_merge_gives_each_input_what_it_reaches(self):
        control = "3\n1\na/b\nc d\ne\nSTARTED 0 5\nFT 0 8 17\nCOV 0 1 2\nSTARTED 1 2\nFT 1\nSTARTED 2 9\n"
        self.assertEqual(run.features_by_file(control), {"a/b": {8, 17}, "c d": set(), "e": set()})


class Ledger(unittest.TestCase):
    def test_what_is_written_is_read(self):
        rows = ledger.add({}, "http", {"cpu_seconds": 5, "executions": 9, "edges": 3, "features": 4, "crashes": 1})
        self.assertEqual(ledger.read(ledger.write(rows)), (rows, []))

    def test_times_add_up_and_a_run_that_says_nothing_of_edges_leaves_them(self):
        one = {"cpu_seconds": 5, "executions": 9, "edges": 3, "features": 4, "crashes": 1}
        rows = ledger.add(ledger.add({}, "http", one), "http", {**one, "edges": 0, "features": 8})
        self.assertEqual(rows["http"], {"cpu_seconds": 10, "executions": 18, "edges": 3, "features": 8, "crashes": 2})

    def test_a_line_that_is_none_is_refused(self):
        head = "\t".join(ledger.COLUMNS) + "\n"
        for text in ("", "http\t1\t2\t3\t4\t5\n", head + "http\t1\t2\t3\t4\n", head + "http\t1\t2\t3\t4\t-5\n",
                     head + "http\t1\t2\t3\t4\t5\n" * 2):
            self.assertEqual(len(ledger.read(text)[1]), 1, text)

    def test_the_least_is_what_never_ran(self):
        rows = {"a": {**ledger.nothing_yet(), "cpu_seconds": 1}, "b": ledger.nothing_yet()}
        self.assertEqual(ledger.least(rows, ["a", "b"]), "b")
        self.assertEqual(ledger.least(rows, ["c", "b", "a"]), "b")
        self.assertEqual(ledger.least(rows, ["a"]), "a")

    def test_the_table_stands_between_its_marks_and_has_every_target(self):
        page = f"before\n{ledger.BEGIN}\nold\n{ledger.END}\nafter\n"
        rows = {"a": {"cpu_seconds": 5400, "executions": 1234567, "edges": 3, "features": 4, "crashes": 0}}
        made = ledger.page_with(page, rows, ["a", "b"])
        self.assertIn("| `a` | 1.5 h | 1,234,567 | 3 | 4 | 0 |\n| `b` | 0 min |", made)
        self.assertTrue(made.startswith("before\n") and made.endswith("\nafter\n") and "old" not in made)
        self.assertEqual(ledger.page_with(made, rows, ["a", "b"]), made)
        with self.assertRaises(ValueError):
            ledger.page_with("no mark", rows, ["a"])


class Chosen(unittest.TestCase):
    def chosen(self, inputs, **bounds):
        """inputs: {name: (in tree, size, features)}"""
        key = {name: (row[0], Path("seeds" if row[0] else "found", name)) for name, row in inputs.items()}
        return [path.name for _, path in run.chosen({key[n]: set(row[2]) for n, row in inputs.items()},
                                                    {key[n]: row[1] for n, row in inputs.items()}, **bounds)]

    def test_edges_go_before_features_and_small_before_large(self):
        a, b, c, d = ("a" * 40, "b" * 40, "c" * 40, "d" * 40)
        self.assertEqual(self.chosen({a: (False, 9, [8, 9, 10]), b: (False, 9, [16, 24]), c: (False, 5, [16, 24]),
                                      d: (False, 1, [16])}), [c, a])

    def test_what_a_named_seed_reaches_needs_no_other(self):
        self.assertEqual(self.chosen({"hex": (True, 9000, [8, 16]), "a" * 40: (False, 1, [8, 16])}), [])

    def test_an_equal_one_that_is_there_stays(self):
        self.assertEqual(self.chosen({"b" * 40: (False, 1, [8]), "a" * 40: (True, 9, [8])}), ["a" * 40])

    def test_the_bounds_hold(self):
        many = {f"{i:040x}": (False, 100, [8 * i]) for i in range(50)}
        self.assertEqual(len(self.chosen(many)), run.KEPT_FILES)
        self.assertEqual(len(self.chosen(many, size=350)), 3)
        self.assertEqual(self.chosen({"a" * 40: (False, run.LONGEST_SEED + 1, [8])}), [])


class OnPaper:
    """Runs whose targets take all the time they are given and nothing else."""

    def __init__(self, rows):
        self.rows, self.failed, self.stopping, self.started = rows, [], False, 0
        self.running, self.turns, self.now = {}, [], 0

    def names_running(self):
        return {name for name, _ in self.running.values()}

    def start(self, name, seconds):
        self.started += 1
        self.running[self.started] = (name, seconds)
        self.turns.append((name, seconds))

    def reap(self):
        _, (name, seconds) = self.running.popitem()
        self.now += seconds
        self.rows = ledger.add(self.rows, name, {**ledger.nothing_yet(), "cpu_seconds": seconds})


class Least(unittest.TestCase):
    def turns(self, seconds, jobs=1, turn=100):
        runs = OnPaper({"a": {**ledger.nothing_yet(), "cpu_seconds": 150}})
        run.run_least(runs, ["a", "b", "c"], seconds, jobs, turn, lambda: runs.now)
        return runs.turns

    def test_turns_go_to_whoever_has_least_until_the_time_is_over(self):
        self.assertEqual(self.turns(550), [("b", 100), ("c", 100), ("b", 100), ("c", 100), ("a", 100), ("b", 50)])

    def test_a_rest_that_is_too_short_is_left_but_one_turn_is_always_had(self):
        self.assertEqual(self.turns(105), [("b", 100)])
        self.assertEqual(self.turns(3), [("b", 3)])

    def test_no_target_runs_twice_at_once(self):
        self.assertEqual(self.turns(10, jobs=9), [("b", 10), ("c", 10), ("a", 10)])


class Runs(unittest.TestCase):
    """run.py itself, in a tree of its own with targets that are made up."""

    def setUp(self):
        self.folder = tempfile.TemporaryDirectory()
        self.root = Path(self.folder.name)
        (self.root / "fuzz").mkdir()
        (self.root / "docs").mkdir()
        (self.root / "docs/testing.md").write_text(f"{ledger.BEGIN}\n{ledger.END}\n")
        for name in ("run.py", "ledger.py"):
            (self.root / "fuzz" / name).write_text(Path(__file__).with_name(name).read_text())

    def tearDown(self):
        self.folder.cleanup()

    def target(self, name):
        (self.root / f"fuzz/{name}_fuzz.cc").touch()
        (self.root / "fuzz/corpus" / name).mkdir(parents=True)
        (self.root / "fuzz/corpus" / name / "named").write_bytes(b"old")
        program = self.root / f"build/asan/{name}_fuzz"
        program.parent.mkdir(parents=True, exist_ok=True)
        program.write_text(TARGET)
        program.chmod(0o755)

    def command(self, *arguments):
        return [sys.executable, str(self.root / "fuzz/run.py"), *arguments]

    def lines_of(self, *arguments):
        done = subprocess.run(self.command(*arguments), capture_output=True, text=True, check=False)
        return done.returncode, (done.stdout + done.stderr).strip().splitlines()

    def run_it(self, *arguments):
        code, lines = self.lines_of(*arguments)
        return code, lines[-1]

    def calls(self):
        return [line.split() for line in (self.root / "calls").read_text().splitlines()]

    def hours(self):
        return ledger.read((self.root / "fuzz/hours.tsv").read_text())[0]

    def test_without_keep_the_tree_stays_as_it_is(self):
        self.target("quick")
        self.assertEqual(self.run_it("quick", "60"), (0, "1 passed, 0 failed"))
        self.assertFalse((self.root / "fuzz/hours.tsv").exists())
        self.assertEqual([p.name for p in (self.root / "fuzz/corpus/quick").iterdir()], ["named"])

    def test_with_keep_time_and_inputs_are_added(self):
        self.target("busy")
        stale = self.root / "fuzz/corpus/busy" / ("d" * 40)
        stale.write_bytes(b"ol")  # reaches nothing that the named one does not
        self.assertEqual(self.run_it("busy", "60", "--keep"), (0, "1 passed, 0 failed"))
        row = self.hours()["busy"]
        self.assertEqual((row["executions"], row["edges"], row["features"], row["crashes"]), (9, 12, 34, 0))
        self.assertGreaterEqual(row["cpu_seconds"], 1)
        self.assertEqual(sorted(p.name for p in (self.root / "fuzz/corpus/busy").iterdir()), ["c" * 40, "named"])
        self.assertIn("| `busy` |", (self.root / "docs/testing.md").read_text())

    def test_a_crash_fails_is_counted_and_does_not_hold_up_the_others(self):
        self.target("crashing")
        self.target("quick")
        self.assertEqual(self.run_it("all", "1", "--keep"), (1, "1 passed, 1 failed"))
        self.assertEqual((self.hours()["crashing"]["crashes"], self.hours()["quick"]["crashes"]), (1, 0))

    def test_what_a_target_died_of_can_be_had_from_what_is_printed(self):
        self.target("crashing")
        _, lines = self.lines_of("crashing", "1")
        self.assertIn("why: crashing: ERROR: libFuzzer: deadly signal", lines)
        command = next(line.removeprefix("why: crashing: ") for line in lines if "base64" in line)
        self.assertEqual(subprocess.run(["bash", "-c", command], capture_output=True, check=True).stdout, b"died \0 of this")

    def test_an_input_that_hangs_fails_and_one_that_only_had_to_wait_does_not(self):
        self.target("hanging")
        self.target("paused")
        self.assertEqual(self.run_it("all", "1", "--keep"), (1, "1 passed, 1 failed"))
        self.assertEqual((self.hours()["hanging"]["crashes"], self.hours()["paused"]["crashes"]), (1, 0))
        self.assertEqual([p.name for p in (self.root / "build/fuzz-found").iterdir()], ["hanging-timeout-1"])

    def test_least_tries_nothing_again_that_crashed(self):
        self.target("crashing")
        self.assertEqual(self.run_it("least", "600", "--slice", "1"), (1, "0 passed, 1 failed"))

    def test_idle_is_the_schedulers_idle(self):
        self.target("quick")
        self.run_it("quick", "1", "--idle")
        self.assertEqual(self.calls()[0][2], str(os.SCHED_IDLE))

    def test_a_signal_ends_it_and_what_was_done_counts(self):
        self.target("waiting")
        process = subprocess.Popen(self.command("least", "600", "--keep"), stdout=subprocess.PIPE, text=True)
        while not (self.root / "waits").exists():
            self.assertIsNone(process.poll())
        process.send_signal(signal.SIGTERM)
        said, _ = process.communicate(timeout=60)
        self.assertEqual((process.returncode, said.strip().splitlines()[-1]), (0, "1 passed, 0 failed"))
        self.assertEqual((self.hours()["waiting"]["executions"], self.hours()["waiting"]["crashes"]), (7, 0))
        self.assertEqual(sorted(p.name for p in (self.root / "fuzz/corpus/waiting").iterdir()), ["c" * 40, "named"])

    def test_a_name_that_is_no_target_is_refused(self):
        self.target("quick")
        self.assertEqual(self.run_it("nothing", "1"), (1, "fuzz/run.py: there is no fuzz/nothing_fuzz.cc"))
        self.assertEqual(self.run_it("least", "1", "--of", "quick,none"), (1, "fuzz/run.py: there is no fuzz/none_fuzz.cc"))

    def test_some_are_run_where_some_are_named(self):
        for name in ("quick", "busy", "other"):
            self.target(name)
        self.assertEqual(self.run_it("all", "1", "--of", "quick,other"), (0, "2 passed, 0 failed"))
        self.assertEqual([call[0] for call in self.calls()], ["quick", "other"])


if __name__ == "__main__":
    unittest.main()

#!/usr/bin/env python3
"""The totals of ./dev and .ci/run count what failed, whatever way it fails."""

import os
import subprocess
import tempfile
import unittest
from pathlib import Path

from sources import ROOT


def run(script, folder, extra_path=""):
    environment = dict(os.environ, PATH=f"{extra_path}:{os.environ['PATH']}" if extra_path else os.environ["PATH"])
    done = subprocess.run(["bash", "-c", script], cwd=folder, env=environment, capture_output=True, text=True,
                          stdin=subprocess.DEVNULL, check=False)
    return done.returncode, (done.stdout.strip().splitlines() or [""])[-1]


class Totals(unittest.TestCase):
    def setUp(self):
        self.folder = tempfile.TemporaryDirectory()
        root = Path(self.folder.name)
        (root / "build").mkdir()
        (root / "dev").write_text((ROOT / "dev").read_text())
        (root / "ci").mkdir()
        (root / "ci/run").write_text((ROOT / ".ci/run").read_text())
        self.steps = (ROOT / ".ci/run").read_text().count("\nstep ")
        (root / "bin").mkdir()

    def tearDown(self):
        self.folder.cleanup()

    def after(self, commands, ctest=None):
        root = Path(self.folder.name)
        if ctest:
            program = root / "bin/ctest"
            program.write_text(f"#!/bin/sh\n{ctest}\n")
            program.chmod(0o755)
        return run(f"source ./dev; {commands}; total_and_exit", root, str(root / "bin"))

    def test_ctest(self):
        line = "echo '{}% tests passed, {} tests failed out of {}'; exit {}"
        for ctest, expected in {
            line.format(100, 0, 7, 0): (0, "7 passed, 0 failed"),
            line.format(71, 2, 7, 8): (1, "5 passed, 2 failed"),
            "echo '3/7 Test #3: x ***Skipped 0 s';" + line.format(100, 0, 7, 0): (0, "6 passed, 0 failed"),
            line.format(100, 0, 7, 8): (1, "7 passed, 1 failed"),  # it failed, and does not say what
            "echo 'No tests were found!!!'; exit 8": (1, "0 passed, 1 failed"),
        }.items():
            self.assertEqual(self.after("run_ctest dev", ctest), expected, ctest)

    def test_what_failed_is_named_at_the_end(self):
        skipped = "printf 'The following tests did not run:\\n\\t  2 - policy/Allocations.A (Skipped)\\n'"
        listing = "printf 'The following tests FAILED:\\n\\t  3 - net/Tls.Reads (Failed)\\n\\t 12 - jose/A.B (SEGFAULT)\\n'"
        root = Path(self.folder.name)
        program = root / "bin/ctest"
        program.write_text(f"#!/bin/sh\n{skipped}; {listing}; echo '71% tests passed, 2 tests failed out of 7'; exit 8\n")
        program.chmod(0o755)
        environment = dict(os.environ, PATH=f"{root}/bin:{os.environ['PATH']}")
        commands = "run_ctest dev; check lint false; check_suite ends sh -c 'echo failed: a page; echo 1 passed, 1 failed; exit 1'"
        done = subprocess.run(["bash", "-c", f"source ./dev; {{ {commands}; }} >/dev/null 2>&1; total_and_exit"], cwd=root,
                              env=environment, capture_output=True, text=True, stdin=subprocess.DEVNULL, check=False)
        self.assertEqual(done.stdout.splitlines(), ["failed: net/Tls.Reads", "failed: jose/A.B", "failed: lint",
                                                    "failed: a page", "6 passed, 4 failed"])

    def test_checks(self):
        for commands, expected in {
            "check a true; check b true": (0, "2 passed, 0 failed"),
            "check a true; check b false": (1, "1 passed, 1 failed"),
            "true": (1, "0 passed, 0 failed"),  # nothing ran
        }.items():
            self.assertEqual(self.after(commands), expected, commands)

    def test_suites(self):
        for suite, expected in {
            "echo 9 passed, 0 failed": (0, "9 passed, 0 failed"),
            "echo 9 passed, 2 failed; exit 1": (1, "9 passed, 2 failed"),
            "echo 9 passed, 0 failed; exit 1": (1, "9 passed, 1 failed"),  # died after its total
            "echo nothing; exit 1": (1, "0 passed, 1 failed"),
            "echo nothing": (0, "1 passed, 0 failed"),
        }.items():
            self.assertEqual(self.after(f"check_suite s bash -c '{suite}' >&2"), expected, suite)

    def test_ci_goes_on_and_adds_up(self):
        root = Path(self.folder.name)
        (root / "dev").write_text("#!/bin/bash\ncase $1 in\n test) echo 5 passed, 1 failed; exit 1 ;;\n docs) exit 1 ;;\n"
                                  " asan) echo 3 passed, 0 failed; exit 3 ;;\n tsan) echo 2 passed, 0 failed ;;\nesac\n")
        (root / "dev").chmod(0o755)
        code, last = run("bash ci/run", root)
        self.assertEqual((code, last), (1, f"{10 + self.steps - 4} passed, 3 failed"))

    def test_ci_says_why_at_its_end(self):
        root = Path(self.folder.name)
        (root / "dev").write_text("#!/bin/bash\nif [ $1 = docs ]; then echo 'why: a page is old'; echo much else; exit 1; fi\necho 1 passed, 0 failed\n")
        (root / "dev").chmod(0o755)
        done = subprocess.run(["bash", "ci/run"], cwd=root, capture_output=True, text=True, stdin=subprocess.DEVNULL, check=False)
        self.assertIn("docs: a page is old", done.stdout[done.stdout.index("==== why"):])

    def test_a_failure_gives_its_reasons(self):
        root = Path(self.folder.name)
        program = root / "bin/ctest"
        (root / "bin/ctest").write_text("#!/bin/sh\necho 'a_test.cc:7: Failure'; echo 'Value of: x'; echo '50% tests passed, 1 tests failed out of 2'; exit 8\n")
        program.chmod(0o755)
        done = subprocess.run(["bash", "-c", "source ./dev; run_ctest dev; check lint sh -c 'echo line 3 is too long; exit 1'"], cwd=root,
                              env=dict(os.environ, PATH=f"{root}/bin:{os.environ['PATH']}"), capture_output=True, text=True,
                              stdin=subprocess.DEVNULL, check=False)
        said = [line for line in (done.stderr + done.stdout).splitlines() if line.startswith("why: ")]
        self.assertEqual(said[:2] + said[-1:], ["why: a_test.cc:7: Failure", "why: Value of: x", "why: line 3 is too long"])

    def test_ci_passes(self):
        root = Path(self.folder.name)
        (root / "dev").write_text("#!/bin/bash\necho 1 passed, 0 failed\n")
        (root / "dev").chmod(0o755)
        self.assertEqual(run("bash ci/run", root), (0, f"{self.steps} passed, 0 failed"))


if __name__ == "__main__":
    unittest.main()

#!/usr/bin/env python3
"""The benches judge what they read as they should."""

import unittest

import instructions

CALLGRIND = """# callgrind format
version: 1
positions: line
events: Ir sysCount sysTime
summary: 130 2 0

ob=(1) /usr/lib/libc.so.6
fl=(1) a.c
fn=(1) strlen
40 4
+1 1

ob=(2) /build/request_path
fn=(2) serve
10 100 1
cob=(1)
cfn=(1)
calls=1 40
11 5
* 20

ob=(1)
fn=(3) send
12 5 1 7
totals: 130 2 7
"""


class Instructions(unittest.TestCase):
    def test_costs_go_to_the_object_that_spent_them_and_calls_are_not_counted_twice(self):
        costs = instructions.costs_by_object(CALLGRIND)
        self.assertEqual(costs["/build/request_path"]["Ir"], 120)
        self.assertEqual(costs["/usr/lib/libc.so.6"]["Ir"], 10)
        self.assertEqual(sum(c["sysCount"] for c in costs.values()), 2)

    def test_within_the_band_nothing_is_said(self):
        then = {"instructions": 1000, "own": 500, "syscalls": 10.0}
        self.assertIsNone(instructions.verdict_on("call", {"instructions": 1029, "own": 486, "syscalls": 10.7}, then))

    def test_beyond_it_both_directions_are_said(self):
        then = {"instructions": 1000, "own": 500, "syscalls": 10.0}
        dearer = instructions.verdict_on("call", {**then, "instructions": 1031}, then)
        self.assertRegex(dearer, r"^call: instructions 1000 -> 1031 \(\+3\.1%\): dearer$")
        cheaper = instructions.verdict_on("call", {**then, "own": 400}, then)
        self.assertRegex(cheaper, r"own 500 -> 400 .*cheaper, to be recorded$")
        self.assertIn("syscalls", instructions.verdict_on("call", {**then, "syscalls": 11.0}, then))

    def test_a_case_is_whole(self):
        for case, (few, many, units, unit) in instructions.CASES.items():
            self.assertLess(few, many, case)
            self.assertGreater(units, 0, case)
            self.assertTrue(unit, case)


if __name__ == "__main__":
    unittest.main()

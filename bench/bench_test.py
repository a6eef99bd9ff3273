#!/usr/bin/env python3
"""The benches judge what they read as they should."""

import unittest

import endurance
import explain
import instructions
import rig
import run
import share

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


class Explain(unittest.TestCase):
    def test_the_cost_is_the_difference_of_medians(self):
        self.assertAlmostEqual(explain.more_than([103, 102, 900], [100, 100, 1]), 3.0)
        self.assertAlmostEqual(explain.more_than([99], [100]), -1.0)

    def test_the_loads_differ_in_the_tool_or_in_the_token(self):
        allowed, denied = (explain.body_of(explain.CALL[load]) for load in ("allowed", "denied"))
        self.assertEqual(allowed.replace("search", "delete_everything"), denied)
        self.assertEqual([explain.token_for(load, "a.good.one") for load in explain.CALL], ["a.good.one", "a.good.one", "not.a.token"])


class Instructions(unittest.TestCase):
    def test_costs_go_to_the_object_that_spent_them_and_calls_are_not_counted_twice(self):
        costs = instructions.costs_by_object(CALLGRIND)
        self.assertEqual(costs["/build/request_path"]["Ir"], 120)
        self.assertEqual(costs["/usr/lib/libc.so.6"]["Ir"], 10)
        self.assertEqual(sum(c["sysCount"] for c in costs.values()), 2)

    def test_a_step_costs_what_its_functions_cost_with_all_that_they_call(self):
        costs = instructions.inclusive_costs(CALLGRIND)
        self.assertEqual((costs["strlen"], costs["serve"], costs["send"]), (5, 125, 5))
        self.assertEqual(instructions.steps_of({"mcp_oauth::authorize(x)": 5, "mcp_oauth::authorize_stream(x)": 7,
                                                "mcp_oauth::envelope_scanner::feed(y)": 9})["policy"], 5)

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


def one_round(rate, foreign=0.0, errors=0):
    return {"rate": rate, "cpu": 10.0, "p50": 1, "p99": 2, "p999": 3, "rss": 4.0, "foreign": foreign, "errors": errors}


class SideBySide(unittest.TestCase):
    def test_a_disturbed_round_does_not_count_while_others_do(self):
        median = run.median_of([one_round(100), one_round(10, foreign=0.5), one_round(102)], 0.05)
        self.assertEqual((median["rate"], median["disturbed"]), (101, False))

    def test_when_all_were_disturbed_it_is_said(self):
        rounds = {"nginx": [one_round(100, 0.5)], "gateway": [one_round(80, errors=3)]}
        text = run.table("t", "req", [(32, rounds)], 0.05)
        self.assertIn("disturbed: 0.50 cores", text)
        self.assertIn("3 errors", text)
        self.assertIn("| 32 | **gateway / nginx** | **0.80** | **1.00** |", text)

    def test_a_round_in_which_nothing_ended_gives_no_ratio(self):
        stuck = {**one_round(1), "p50": 0, "p99": 0, "p999": 0}
        text = run.table("t", "req", [(2048, {"nginx": [stuck], "gateway": [one_round(80)]})], 0.05)
        self.assertIn("too short: no reply ended", text)
        self.assertIn("**nan**", text)

    def test_the_whole_matrix_is_run_only_when_nothing_of_it_is_named(self):
        every = run.options_of([])
        self.assertEqual((len(every.connections), len(every.load), len(every.front)), (4, 4, 2))
        one = run.options_of(["--pin", "--connections", "64", "--rounds", "3", "--seconds", "5"])
        self.assertEqual((one.connections, one.load, one.front, one.columns), ([64], ["json"], ["clear"], ["nginx", "gateway"]))

    def test_interrupts_and_idle_time_are_nobodys(self):
        self.assertEqual(rig.machine_busy_seconds("cpu 100 200 300 4000 5000 600 700 800 0 0") * rig.TICK, 1400)


class Share(unittest.TestCase):
    def test_each_place_is_counted_once_under_its_step(self):
        shares = share.shares_of("""
    70.00%  [kernel.kallsyms]  [k] tcp_sendmsg
     3.00%  libcrypto.so.3     [.] 0x000000000029c4c3
     2.00%  mcp-oauth-proxy    [.] mcp_oauth::bearer_token
     1.50%  mcp-oauth-proxy    [.] mcp_oauth::json_scanner::scan_plain
     0.50%  mcp-oauth-proxy    [.] mcp_oauth::authorize
     9.00%  mcp-oauth-proxy    [.] mcp_oauth::net::channel::on_events
     4.00%  libc.so.6          [.] authenticate_of_somebody_else
""")
        self.assertEqual(shares, {"token": 5.0, "session": 0.0, "call and its headers": 1.5, "policy": 0.5, "kernel": 70.0,
                                  "the rest": 13.0})


class Endurance(unittest.TestCase):
    def test_memory_that_wobbles_is_flat_and_memory_that_creeps_is_not(self):
        mib = 2**20
        wobbling = [(t, 20 * mib + (t % 7) * mib // 4) for t in range(300)]
        creeping = [(t, 20 * mib + t * mib // 100) for t in range(300)]
        self.assertLess(abs(endurance.rise_of(wobbling)), 0.1)
        self.assertAlmostEqual(endurance.rise_of(creeping), 2.99, delta=0.1)
        self.assertAlmostEqual(endurance.slope(creeping), mib / 100, delta=1)

    def test_what_waits_for_a_disk_comes_and_goes_and_what_is_kept_for_good_is_a_rise(self):
        mib = 2**20
        waiting = [(t, (28 if 250 <= t < 268 or 285 <= t < 297 else 20) * mib) for t in range(300)]
        kept = [(t, (28 if t >= 250 else 20) * mib) for t in range(300)]
        stairs = [(t, (20 + t // 60) * mib + (t % 11 == 0) * 8 * mib) for t in range(300)]
        self.assertEqual(endurance.rise_of(waiting), 0)
        self.assertGreater(endurance.rise_of(kept), 2)
        self.assertGreater(endurance.rise_of(stairs), 2)

    def test_a_run_that_is_too_short_for_low_water_is_judged_by_all_of_it(self):
        self.assertAlmostEqual(endurance.rise_of([(t, t * 2**20) for t in range(10)]), 9)

    def test_the_first_of_several_runs_is_the_warm_up_and_of_one_its_first_third(self):
        self.assertEqual(endurance.after_warm_up([1, 2, 3], 0, 5), [])
        self.assertEqual(endurance.after_warm_up([1, 2, 3], 1, 5), [1, 2, 3])
        self.assertEqual(endurance.after_warm_up([1, 2, 3], 0, 1), [2, 3])

    def test_answers_of_5xx_are_found_in_the_metrics(self):
        self.assertEqual(endurance.refused_in('mop_requests_total{area="mcp",status="5xx"} 3\n'
                                              'mop_requests_total{area="mcp",status="2xx"} 9\n'), 3)


if __name__ == "__main__":
    unittest.main()

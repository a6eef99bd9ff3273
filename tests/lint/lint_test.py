#!/usr/bin/env python3
"""Each lint finds its bad examples and leaves the good ones alone."""

import tempfile
import unittest
from pathlib import Path
from unittest import mock

import conformance_page
import coroutines
import docs_links
import fuzz_hours
import includes
import layers
import named_tests
import past_mistakes
import sizes
import sources
import symptoms
import tidy
import words

CMAKE = """
room(base LIBS Boost::url)   # room(comment NEEDS nothing)
room(jose NEEDS base LIBS OpenSSL::Crypto)
room(store NEEDS jose LIBS SQLite::SQLite3)
room(net NEEDS base)
room(app NEEDS store net)
"""


class Blank(unittest.TestCase):
    def test_keeps_code_and_positions(self):
        text = 'a("x{y"); // {\nb(R"(co_await {)"); /* { */ 10\'000; \'{\';'
        code = sources.blank(text)
        self.assertEqual(len(code), len(text))
        self.assertNotIn("{", code)
        self.assertNotIn("co_await", code)
        self.assertIn("10'000", code)


class Tidy(unittest.TestCase):
    def test_reads_a_file_again_until_it_is_clean_and_whenever_it_or_a_rule_changed(self):
        with tempfile.TemporaryDirectory() as root, mock.patch.object(tidy, "is_clean") as is_clean:
            source, seen = Path(root, "a.cc"), Path(root, "seen")
            seen.mkdir()
            entry = {"directory": root, "command": "c++ -o a.o -c a.cc"}

            def look(finding, rules=b"rules"):
                is_clean.return_value = not finding
                return tidy.look_at("a.cc", entry, rules, seen)

            source.write_text("int a;\n")
            self.assertEqual(look(finding=True), (False, False))
            self.assertEqual(look(finding=False), (True, False))
            self.assertEqual(look(finding=True), (True, True))
            self.assertEqual(look(finding=True, rules=b"others"), (False, False))
            source.write_text("int a;  // NOLINT\n")
            self.assertEqual(look(finding=False), (True, False), "a comment may be a NOLINT")
            source.write_text("does not compile\n#error\n")
            self.assertEqual(look(finding=False), (True, False))
            self.assertEqual(look(finding=False), (True, False), "what does not compile is not remembered")


class Layers(unittest.TestCase):
    def complaints(self, name, text):
        return layers.complaints_about(name, text, layers.rooms_of(CMAKE))

    def test_reads_the_map(self):
        rooms = layers.rooms_of(CMAKE)
        self.assertEqual(rooms["store"], {"store", "jose", "base"})
        self.assertNotIn("comment", rooms)

    def test_refuses_a_circle(self):
        with self.assertRaises(SystemExit):
            layers.rooms_of("room(a NEEDS b)\nroom(b NEEDS a)\n")

    def test_refuses(self):
        for name, text in {
            "src/base/x.cc": '#include "jose/key.h"',  # upward
            "src/jose/x.cc": '#include "net/socket.h"',  # sideways
            "src/store/x.cc": '#include <openssl/evp.h>',
            "src/jose/x.h": '#  include <sys/epoll.h>',
            "src/base/x.h": '#include <sqlite3.h>',
            "src/store/x.h": '#include <yaml-cpp/yaml.h>',
            "src/net/x.h": '#include <sodium.h>',
            "src/store/y.cc": "task<int> f() { co_return 1; }",
            "src/jose/y.cc": "auto now = std::chrono::system_clock::now();",
            "src/jose/z.cc": '#include "key.h"',
            "src/nowhere/x.cc": "",
        }.items():
            self.assertEqual(len(self.complaints(name, text)), 1, (name, text))

    def test_allows(self):
        for name, text in {
            "src/store/x.cc": '#include "base/error.h"\n#include "jose/key.h"\n#include <sqlite3.h>\n#include <vector>',
            "src/net/x.cc": '#include <sys/epoll.h>\n#include <openssl/ssl.h>\ntask<int> f() { co_return 1; }',
            "src/app/x.cc": '#include "net/socket.h"\n#include "store/store.h"',
            "src/base/x.cc": '// co_await is only spoken of\nauto s = "co_return";',
            "src/store/x_test.cc": "auto t = std::chrono::steady_clock::now();",
        }.items():
            self.assertEqual(self.complaints(name, text), [], (name, text))


class Coroutines(unittest.TestCase):
    def test_refuses(self):
        for text in [
            'co_await f({.a = "x"});',
            'co_await f(1, {"a", "b"});',
            "auto a = co_await http.send(http_call{.url = u});",
            "auto a = co_await send(ns::call<int>{u}, 3);",
            "co_await f([p] { return p; });",
            "co_await spawn(ex, [&](int x) mutable { use(x); });",
            "co_await spawn(ex, [p = std::move(p)]() -> task<void> { co_return; });",
            "switch (co_await f()) { case 1: break; }",
            "auto p = new thing(co_await f());",
            "auto p = thing{co_await f(), 2};",
            "co_return thing{1, co_await f()};",
            "co_await f(co_await g());",
        ]:
            self.assertTrue(coroutines.complaints_about("x.cc", f"task<int> t() {{\n  {text}\n}}\n"), text)

    def test_allows(self):
        for text in [
            "http_call ask{.url = u};\n  auto a = co_await send(ask);",
            'auto a = co_await f("{", 1);  // co_await f({1})',
            "co_await f(std::move(x), std::chrono::seconds(1));",
            "co_await f([](int x) { return x; });",
            "co_await f(list[i], g(x));",
            "if (auto a = co_await f(); a) { use(*a); }",
            "while (true) { co_await f(); }",
            "co_return thing{1, 2};",
            "auto t = [](int x) -> task<void> { co_await f(x); };",
            "{ auto lock = g(); co_await f(); }",
            "auto a = co_await f();\n  g({1, 2});",
        ]:
            self.assertEqual(coroutines.complaints_about("x.cc", f"task<int> t() {{\n  {text}\n}}\n"), [], text)


class Sizes(unittest.TestCase):
    def test_bounds(self):
        self.assertIsNone(sizes.complaint_about("src/a.cc", 600, {}))
        self.assertIsNone(sizes.complaint_about("src/a_test.cc", 900, {}))
        self.assertIsNotNone(sizes.complaint_about("src/a.cc", 601, {}))
        self.assertIsNotNone(sizes.complaint_about("src/a_test.cc", 901, {}))

    def test_an_exception_needs_a_reason_and_a_need(self):
        allowed = sizes.allowed_of("# no: comment\nsrc/a.cc: a table\nsrc/b.cc:\n")
        self.assertEqual(allowed, {"src/a.cc": "a table"})
        self.assertIsNone(sizes.complaint_about("src/a.cc", 700, allowed))
        self.assertIsNotNone(sizes.complaint_about("src/a.cc", 10, allowed))


class Includes(unittest.TestCase):
    def complaints(self, text, **headers):
        texts = {f"src/{name}.h": header for name, header in headers.items()} | {"src/a.cc": text}
        return includes.complaints_about("src/a.cc", texts)

    def test_refuses(self):
        self.assertEqual(self.complaints("#include <vector>\n\nauto x = std::any_of(a, b, c);"),
                         ["src/a.cc:3: std::any_of without <algorithm>"])
        self.assertEqual(len(self.complaints('#include "b.h"\nstd::map<int, int> x;', b="#include <set>")), 1)

    def test_allows(self):
        self.assertEqual(self.complaints("#include <algorithm>\nauto x = std::min(a, b);"), [])
        self.assertEqual(self.complaints('#include "b.h"\nstd::map<int, int> x;', b='#include "c.h"', c="#include <map>"), [])
        self.assertEqual(self.complaints("// std::min\nauto x = \"std::min\";"), [])
        self.assertEqual(self.complaints("#include <set>\nauto x = std::next(a);"), [], "containers bring their iterators")


class Words(unittest.TestCase):
    def test_refuses(self):
        for name, text in {
            "src/a.cc": '"/home/x/y"',
            "docs/a.md": "see /wo" "rk/main/x",
            "tests/a.sh": "npm --registry https://registry.npm" "js.org",
            "src/b.cc": "// TODO: later",
            "src/c.cc": "std::string quoted(std::string_view text) {",
            "tests/key.txt": "-----BEGIN PRIVATE KEY-----",
        }.items():
            self.assertEqual(len(words.complaints_about(name, text)), 1, (name, text))

    def test_allows(self):
        for name, text in {
            "src/a.cc": 'path("/mcp/work/x"); route("/oauth/token");',
            "docs/a.md": "a TODO list is a thing; ~/wo" "rk/x, $HOME/wo" "rk/x and https://example.com/wo" "rk/x are no paths",
        }.items():
            self.assertEqual(words.complaints_about(name, text), [], (name, text))


class NamedTests(unittest.TestCase):
    def test_reads_every_kind(self):
        for name, text, expected in [
            ("src/jose/key_test.cc", "TEST(Key, Opens) {}\n// TEST(Key, Gone)\nTEST_F(Keys,\n       Turn) {}\nTEST(Key, DISABLED_x) {}",
             {"jose_test: Key.Opens", "jose_test: Keys.Turn"}),
            ("tests/e2e/a.test.mjs", "test('it\\'s', async () => {});\n  test(`${f({a: 1})}: is ${b}`, () => {});\n//test('no')",
             {"a.test.mjs › it's", "a.test.mjs › …: is …"}),
            ("fuzz/url_fuzz.cc", "", {"fuzz: url"}),
            ("tests/lint/x_test.py", "class A(T):\n    def test_b(self):\n", {"x_test.py: A.test_b"}),
            ("src/jose/key.cc", "TEST(Key, Opens)", set()),
        ]:
            self.assertEqual(named_tests.names_in(name, text), expected, name)

    def test_knows_itself(self):
        self.assertIn("lint_test.py: NamedTests.test_knows_itself", named_tests.known())


class PastMistakes(unittest.TestCase):
    TESTS = {"a_test: Advisory.One", "a_test: Plain.Two", "x.test.mjs › it | does"}
    HEAD = "| what happened | published as | our rule | kept in | test |\n|---|---|---|---|---|\n"

    def complaints(self, rows, head=HEAD):
        return past_mistakes.complaints_about(head + rows, self.TESTS)

    def test_allows(self):
        for rows in [
            "| a | CVE | b | `c/` | `a_test: Advisory.One` |",
            "| a | CVE | b | `c/` | `a_test: Advisory.One`, `a_test: Plain.Two`; `x.test.mjs › it \\| does` |",
            "| a | CVE | b | `c/` | `a_test: Advisory.One` |\n| a | x, 2026 | b | c | cannot apply: there is no `such thing` |",
        ]:
            self.assertEqual(self.complaints(rows), [], rows)

    def test_refuses(self):
        one = "| a | CVE | b | c | `a_test: Advisory.One` |\n"
        for rows in [
            "",  # no row names Advisory.One
            one + "| a | CVE | b | c | `a_test: Advisory.Gone` |",
            one + "| a | CVE | b | c | tested by hand |",
            one + "| a | CVE | b | c | cannot apply: |",
            one + "| a | | b | c | `a_test: Plain.Two` |",
            one + "| a | CVE | b | `a_test: Plain.Two` |",
        ]:
            self.assertEqual(len(self.complaints(rows)), 1, (rows, self.complaints(rows)))
        self.assertEqual(len(self.complaints(one, self.HEAD.replace("| test", "| tests"))), 1)


class Symptoms(unittest.TestCase):
    CODES, TESTS = {"MOP-AUD-001", "MOP-AUD-003"}, {"a_test: One.Two"}
    HEAD = "| no. | symptom | here | test |\n|---|---|---|---|\n"

    def complaints(self, rows, head=HEAD):
        return symptoms.complaints_about(head + rows, self.CODES, self.TESTS)

    def test_allows(self):
        for row in ["| 1 | s | MOP-AUD-001, MOP-AUD-003 | `a_test: One.Two` |",
                    "| 1 | s | cannot occur: there is none | `a_test: One.Two` |",
                    "| 1 | s | answered by: `a command` | `a_test: One.Two` |"]:
            self.assertEqual(self.complaints(row), [], row)

    def test_refuses(self):
        good = "| 1 | s | MOP-AUD-001 | `a_test: One.Two` |\n"
        for rows in ["", good + good, "| 1 | s | MOP-AUD-002 | `a_test: One.Two` |", "| 1 | s | MOP-AUD-001 | `a_test: One.Three` |",
                     "| 1 | s | MOP-AUD-001 | by hand |", "| 1 | s | cannot occur: | `a_test: One.Two` |",
                     "| 1 | s | MOP-AUD-001 perhaps | `a_test: One.Two` |", good + "| 2 | | MOP-AUD-001 | `a_test: One.Two` |"]:
            self.assertEqual(len(self.complaints(rows)), 1, (rows, self.complaints(rows)))
        self.assertEqual(len(self.complaints(good, self.HEAD.replace("here", "there"))), 1)

    def worlds(self, *outcomes):
        rows = [f"| w | MOP-AUD-001 | doctor | MOP-AUD-001 | {outcome} |" for outcome in outcomes]
        head = "| world | cause | asked | named first | |\n|---|---|---|---|---|\n"
        return symptoms.complaints_about_worlds(head + "\n".join(rows), self.CODES)

    def test_counts_worlds(self):
        self.assertEqual(self.worlds(*["named first"] * 19, "not named"), [])
        self.assertEqual(len(self.worlds(*["named first"] * 18, "not named", "another, as likely")), 1)
        self.assertEqual(len(self.worlds(*["named first"] * 99, "WRONG, and certain")), 1)
        self.assertEqual(len(self.worlds()), 1)


    def causes(self, worlds, without):
        text = "| world | cause | asked | named first | |\n|---|---|---|---|---|\n" + "".join(f"| w | {cause} | doctor | x | y |\n" for cause in worlds)
        text += "\n| cause | why no world shows it | test that proves the row |\n|---|---|---|\n" + "".join(f"| {row} |\n" for row in without)
        return symptoms.complaints_about_causes(text, self.CODES, self.TESTS)

    def test_wants_a_world_for_every_code(self):
        one, row = "MOP-AUD-001", "MOP-AUD-003 | a defect | `a_test: One.Two`"
        for worlds, without in [([one, "MOP-AUD-003"], []), ([one + " or MOP-AUD-003"], []), ([one, "nothing"], [row])]:
            self.assertEqual(self.causes(worlds, without), [], (worlds, without))
        for worlds, without in [([one], []), ([], [row]), ([one, "MOP-AUD-003"], [row]), ([one], [row, row]),
                                ([one], [row.replace("Two", "Three")]), ([one], [row.replace("`", "")]), ([one], [row.replace("a defect", "")]),
                                ([one], [row, "MOP-AUD-004 | gone | `a_test: One.Two`"])]:
            self.assertEqual(len(self.causes(worlds, without)), 1, (worlds, without, self.causes(worlds, without)))


class ConformancePage(unittest.TestCase):
    def complaints(self, text):
        sections, found = conformance_page.rules_of(text)
        return found + conformance_page.complaints_about(sections, {"a_test: B.C", "conformance: p/s"})

    def test_refuses(self):
        for text in [
            "## S\nX-1 | must | RFC 1 | Rule\n",  # neither a test nor a reason
            "## S\nX-1 | must | RFC 1 | Rule\n    a_test: B.D\n",
            "## S\nX-1 | must | RFC 1 | Rule\n    conformance: p/t\n",
            "## S\nX-1 | must | RFC 1 | Rule\n    not yet: \n",
            "## S\nX-1 | often | RFC 1 | Rule\n",
            "## S\nX-1 | must | RFC 1 | Rule\n    a_test: B.C\nX-1 | must | RFC 1 | Rule\n    a_test: B.C\n",
        ]:
            self.assertEqual(len(self.complaints(text)), 1, text)

    def test_allows(self):
        text = "# why\n## S\nX-1 | must | RFC 1 | Rule\n    a_test: B.C\n    conformance: p/s\nX-2 | may | RFC 2 | R\n    not yet: later\n"
        text += "X-3 | should | RFC 3 | R\n    a_test: B.C\n    otherwise: clients cannot\nX-4 | must | RFC 4 | R\n    not ours: yours\n"
        self.assertEqual(self.complaints(text), [])
        page = conformance_page.page_of(conformance_page.rules_of(text)[0])
        self.assertIn("Of 4 rules 1 are proved, 0 in part, 1 not yet, 1 is kept otherwise, and 1 binds others only.", page)


class FuzzHours(unittest.TestCase):
    def test_refuses(self):
        for rows, seeds in [({"gone": {}}, {}), ({}, {"http": [1] * 25}), ({}, {"http": [5000, 5000]})]:
            self.assertEqual(len(fuzz_hours.complaints_about(rows, ["http"], seeds)), 1, (rows, seeds))

    def test_allows(self):
        self.assertEqual(fuzz_hours.complaints_about({"http": {}}, ["http", "new"], {"http": [100] * 24}), [])

    def test_every_target_is_described_before_the_hours(self):
        page = f"| `http` | heads |\n{fuzz_hours.ledger.BEGIN}\n| `new` | 1 h |"
        self.assertEqual(len(fuzz_hours.not_described(page, ["http", "new"])), 1)
        self.assertEqual(fuzz_hours.not_described(page, ["http"]), [])


class Links(unittest.TestCase):
    def test_links(self):
        with tempfile.TemporaryDirectory() as folder:
            root = Path(folder)
            (root / "b.md").write_text("# One: two\n\n# Same\n\n# Same\n")
            for link, broken in {
                "b.md": 0, "./b.md#one-two": 0, "b.md#same-1": 0, "https://example.com/x": 0, "#here": 0,
                "c.md": 1, "b.md#three": 1, "#nowhere": 1,
            }.items():
                text = f"## Here\n[x]({link}) and `[y](nowhere.md)`\n```\n[z](nowhere.md)\n```\n"
                (root / "a.md").write_text(text)
                self.assertEqual(len(docs_links.complaints_about("a.md", text, root)), broken, link)


if __name__ == "__main__":
    unittest.main()

"""Planted faults are found, by the right test; the same plugins without a fault pass."""

import os
import subprocess
import unittest

from kit import TIER, check

# Plugin: what it is held to (--as), a test that must fail, and why.
FAULTS = {
    "damped-in-step-only": (None, "spd-10", "from the solution"),
    "previous-iterate-saved": (None, "multiple-of-identity", "it reports a residual of .*e-16, but .* is 1"),
    "previous-iterate-break": (None, "multiple-of-identity", "it reports a residual of .*e-16, but .* is 1"),
    "direction-of-old-residual": (None, "spd-1e3", "from the solution"),
    "nan-to-zero": (None, "nan", "every product is NaN, and it returns a finite x"),
    "one-term-too-many": ("neumann", "spd-10", "from what it claims to compute"),
    "wrong-sign": ("one-step", "partial-sum", "2 from what it claims to compute"),
    "uncounted": ("one-step", "quadratic-10", "the ledger shows 1 hvps, and it declares 0"),
    "rows-mixed": (None, "rows", "another last row changes the other rows' numbers"),
    "nan-at-rest": (None, "zero-gradient", "a result of the step is -?nan"),
}
RIGHT = {"right-cg": None, "right-neumann": "neumann", "right-last-step": "one-step",
         "right-loss": None, "right-step": None}


def planted(name):
    return os.path.join(os.environ["PLANTED"], f"planted-{name}.so")


def run(name, held_to, *more):
    return check(planted(name), *(["--as", held_to] if held_to else []), *more)


def verdicts(document):
    return {t["test"]: (t["verdict"], t["reason"]) for t in document["tests"]}


class Planted(unittest.TestCase):
    def test_each_fault_is_found(self):
        for name, (held_to, test, reason) in FAULTS.items():
            with self.subTest(name):
                code, document, errors = run(name, held_to)
                self.assertEqual(code, 1, errors)
                self.assertEqual(verdicts(document)[test][0], "failed", document)
                self.assertRegex(verdicts(document)[test][1], reason)

    def test_without_a_fault_they_pass(self):
        for name, held_to in RIGHT.items():
            with self.subTest(name):
                code, document, errors = run(name, held_to)
                self.assertEqual([t for t in document["tests"] if t["verdict"] == "failed"], [],
                                 errors)
                self.assertEqual(code, 0)
                self.assertGreater(document["passed"], 3)

    def test_the_reason_has_the_numbers(self):
        _, document, _ = run("one-term-too-many", "neumann", "--only", "spd-10")
        self.assertRegex(document["tests"][0]["reason"],
                         r"0\.\d+ from what it claims to compute .* \(bound 1e-12")
        _, document, _ = run("uncounted", "one-step", "--only", "quadratic-10")
        self.assertEqual(document["tests"][0]["reason"],
                         "the ledger shows 1 hvps, and it declares 0")

    def test_a_crash_is_a_failed_test(self):
        code, document, _ = run("crashing", None, "--only", "spd-10")
        self.assertEqual(code, 1)
        self.assertEqual(verdicts(document)["spd-10"],
                         ("failed", "the process was ended by SIGSEGV (Segmentation fault)"))

    def test_a_hang_is_a_failed_test(self):
        code, document, _ = run("hanging", None, "--only", "spd-10", "--limit", "1")
        self.assertEqual(code, 1)
        self.assertRegex(verdicts(document)["spd-10"][1], r"did not end within .*SIG(XCPU|KILL)")


class CommandLine(unittest.TestCase):
    def call(self, *arguments):
        return subprocess.run([TIER, "check", *arguments], capture_output=True, text=True)

    def test_lines_and_a_summary(self):
        done = self.call("cg", "--only", "spd-10")
        self.assertEqual(done.returncode, 0)
        lines = done.stdout.splitlines()
        self.assertRegex(lines[0], r"^ok +linear-solver +cg +spd-10: error ")
        self.assertEqual(lines[1], "1 passed, 0 failed, 0 skipped")

    def test_it_never_flickers(self):
        self.assertEqual(self.call("lissa").stdout, self.call("lissa", "--jobs", "7").stdout)

    def test_unknown_names(self):
        done = self.call("gmress")
        self.assertEqual(done.returncode, 65)
        self.assertIn('did you mean "gmres"?', done.stderr)
        self.assertEqual(self.call("cg", "--only", "no-such").returncode, 65)
        self.assertEqual(self.call("cg", "--limit", "soon").returncode, 64)

    def test_missing_file(self):
        done = self.call("./no-such.so")
        self.assertEqual(done.returncode, 66)
        self.assertIn("no-such.so", done.stderr)


if __name__ == "__main__":
    unittest.main()

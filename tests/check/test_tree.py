"""Every plugin in the tree passes the conformance kit."""

import json
import subprocess
import unittest

from kit import TIER, check


KINDS = {"linear-solver", "estimator", "model", "loss", "map", "evaluator", "set", "optimizer"}


class Tree(unittest.TestCase):
    def test_every_component_passes(self):
        code, document, errors = check()
        failed = [f"{t['kind']} {t['id']} {t['test']}: {t['reason']}"
                  for t in document["tests"] if t["verdict"] == "failed"]
        self.assertEqual(failed, [], errors)
        self.assertEqual(code, 0)
        self.assertEqual(document["failed"], 0)
        self.assertEqual(len(document["tests"]), document["passed"] + document["skipped"])

    def test_every_component_is_tested(self):
        listed = json.loads(subprocess.run([TIER, "list", "--json"], capture_output=True,
                                           text=True, check=True).stdout)
        _, document, _ = check("--list")
        tested = {(t["kind"], t["id"]) for t in document["tests"]}
        known = {(c["kind"], c["id"]) for c in listed["components"]
                 if c["kind"] in KINDS}
        self.assertEqual(known - tested, set())


if __name__ == "__main__":
    unittest.main()

"""tier compare: variants and sweeps; estimators on one frozen state."""

import json
import math
import pathlib
import unittest

from harness import LATER, Case, ridge


def with_variants():
    m = ridge()
    m["seeds"] = [0, 1]
    m["compare"] = {
        "short": {"levels.outer.steps": 2},
        "later": LATER,
    }
    return m


class Variants(Case):
    def test_rows(self):
        document = self.json("compare", self.manifest(with_variants()))
        rows = document["rows"]
        self.assertEqual([(r["variant"], r["seed"], r["status"]) for r in rows],
                         [("base", 0, "finished"), ("base", 1, "finished"),
                          ("short", 0, "finished"), ("short", 1, "finished"),
                          ("later", None, "skipped")])
        for row in rows[:4]:
            self.assertGreater(row["oracle"]["gradients"], 0)
            self.assertGreater(row["seconds"], 0)
            self.assertIsNone(row["error"])
            self.assertIn("val_loss", row["metrics"])
        self.assertIn("not supported yet", rows[4]["error"])

    def test_rows_are_the_runs(self):
        path = self.manifest(with_variants())
        rows = self.json("compare", path)["rows"]
        run = self.json("run", path, "--variant", "short", "--seeds", "1", "--out", "x")["runs"][0]
        self.assertEqual(rows[3]["metrics"], run["metrics"])

    def test_table_has_mean_and_sample_deviation(self):
        path = self.manifest(with_variants())
        rows = self.json("compare", path)["rows"]
        a, b = (r["metrics"]["val_loss"] for r in rows[:2])
        table = self.tier("compare", path)
        line = next(l for l in table.splitlines() if l.startswith("base"))
        mean, deviation = line.split()[2], line.split()[4]
        self.assertAlmostEqual(float(mean), (a + b) / 2, delta=1e-3 * abs(a + b))
        self.assertAlmostEqual(float(deviation), abs(a - b) / math.sqrt(2), delta=0.06 * abs(a - b))

    def test_finished_runs_are_used_again_until_forced(self):
        path = self.manifest(with_variants())
        self.assertFalse(any(r.get("reused") for r in self.json("compare", path)["rows"]))
        again = self.json("compare", path)["rows"]
        self.assertTrue(all(r["reused"] for r in again[:4]))
        self.assertFalse(self.json("compare", path, "--force")["rows"][0]["reused"])

    def test_a_damaged_run_is_run_again(self):
        path = self.manifest()
        row = self.json("compare", path)["rows"][0]
        state = self.folder / row["dir"] / "state.json"
        state.write_text('{"status": "finished", "metrics": [1], "oracle": 3, "steps": "x"}')
        again = self.json("compare", path)["rows"][0]
        self.assertFalse(again["reused"])
        self.assertEqual(again["metrics"], row["metrics"])

    def test_other_metrics_are_run_again(self):
        m = ridge()
        self.json("compare", self.manifest(m))
        m["metrics"]["fit"] = "training"
        row = self.json("compare", self.manifest(m))["rows"][0]
        self.assertFalse(row["reused"])
        self.assertIn("fit", row["metrics"])

    def test_sweep(self):
        m = ridge()
        m["sweep"] = {"levels.outer.steps": [1, 2]}
        rows = self.json("compare", self.manifest(m))["rows"]
        self.assertEqual(rows[0]["variant"], "base")
        self.assertEqual(len(rows), 3)
        self.assertLess(rows[1]["oracle"]["gradients"], rows[2]["oracle"]["gradients"])

    def test_a_failing_variant_leaves_the_others(self):
        m = ridge()
        m["compare"] = {"wild": {"levels.inner.optimizer": {"sgd": {"lr": 1e6}},
                                 "levels.inner.tolerance": 0},
                        "short": {"levels.outer.steps": 2}}
        rows = self.json("compare", self.manifest(m), code=1)["rows"]
        self.assertEqual([r["status"] for r in rows], ["finished", "failed", "finished"])
        self.assertIn("inner", rows[1]["error"])


class Estimators(Case):
    def estimators(self, items, *more, manifest=None, **named):
        return self.json("compare", manifest or self.manifest(), "--estimators", items,
                         "--at-step", 3, *more, **named)

    def test_document(self):
        d = self.estimators("dense,cg,neumann,unroll,one-step")
        self.assertEqual(d["step"], 3)
        self.assertLess(d["reference"]["residual"], 1e-11)
        self.assertEqual([r["estimator"] for r in d["rows"]],
                         ["dense", "cg", "neumann", "unroll", "one-step"])
        for row in d["rows"]:
            self.assertIsNone(row["error"], row)
            self.assertGreater(row["gradients"], 0)
            self.assertGreater(row["cosine"], 0.5)
            self.assertGreater(row["peak_bytes"], 0)
            self.assertTrue(row["stop"])
            self.assertGreaterEqual(row["solve_seconds"], 0)
            self.assertGreaterEqual(row["pullback_seconds"], 0)
        exact = d["rows"][0]
        self.assertLess(exact["relative_error"], 1e-3)

    def test_in_f64_exact_estimators_agree(self):
        d = self.estimators("dense,cg:tolerance=1e-12:iterations=100", "--set",
                            "compute.dtype=f64", "--set", "levels.inner.tolerance=1e-11")
        for row in d["rows"]:
            self.assertLess(row["relative_error"], 1e-8, row)

    def test_items_take_parameters(self):
        d = self.estimators("neumann:terms=2,neumann:terms=300,unroll:truncate=2")
        few, many, unroll = d["rows"]
        self.assertLess(few["hvps"], many["hvps"])
        self.assertLess(many["relative_error"], few["relative_error"])
        # The same two terms of the same series, at nearly the same point.
        self.assertAlmostEqual(unroll["relative_error"], few["relative_error"], places=2)

    def test_a_step_that_is_missing_is_made_and_counted(self):
        d = self.estimators("unroll:truncate=5,unroll:truncate=5:step={\"sgd\":{\"lr\":0.01}}")
        made, given = d["rows"]
        self.assertEqual(made["curvature"]["hvps"], 20)
        self.assertEqual(made["hvps"], given["hvps"] + 20)
        self.assertNotIn("curvature", given)
        self.assertIn("power iterations", self.tier(
            "compare", self.manifest(), "--estimators", "unroll:truncate=5", "--at-step", 3))

    def test_a_bare_id_equal_to_the_manifests_own_keeps_its_parameters(self):
        m = ridge()
        m["levels"][1]["through"]["inner"] = {"cg": {"iterations": 1}}
        d = self.estimators("cg,cg:iterations=50", manifest=self.manifest(m))
        self.assertLess(d["rows"][0]["hvps"], d["rows"][1]["hvps"])

    def test_a_refusal_is_a_result(self):
        m = ridge()
        m["variables"]["log_lr"] = -3
        m["levels"][0].update(optimizer={"sgd": {"lr": {"exp": "log_lr"}}}, warm_start=False,
                              steps=5, tolerance=0)
        m["levels"][1].update(over="log_lr", through={"inner": "unroll"})
        d = self.estimators("cg,unroll", manifest=self.manifest(m))
        refused, unroll = d["rows"]
        self.assertIn("optimizer", refused["error"])
        self.assertIsNone(refused["cosine"])
        self.assertIsNone(unroll["error"])

    def test_a_failure_leaves_the_others(self):
        d = self.estimators("neumann:lr=1e30:terms=50,cg", code=1)
        self.assertIsNotNone(d["rows"][0]["error"])
        self.assertIsNone(d["rows"][1]["error"])

    def test_unknown_estimator_is_65_before_any_work(self):
        self.tier("compare", self.manifest(), "--estimators", "cg,neuman", code=65)
        self.assertIn('did you mean "neumann"?', self.messages)
        self.assertFalse((self.folder / "runs").exists())

    def test_an_unreadable_item_is_65(self):
        self.tier("compare", self.manifest(), "--estimators", "cg:iterations", code=65)
        self.assertIn("PARAM=JSON", self.messages)

    def test_a_step_beyond_the_end_is_told(self):
        self.tier("compare", self.manifest(), "--estimators", "cg", "--at-step", 99, code=65)
        self.assertIn("ends after 6 steps", self.messages)

    def test_files(self):
        self.estimators("cg")
        directory = next(pathlib.Path(self.folder).glob("runs/small/*-r0-at-3"))
        self.assertEqual({p.name for p in directory.iterdir()},
                         {"frozen.state", "reference.result", "estimate-0.result",
                          "comparison.json"})
        json.loads((directory / "comparison.json").read_text())


if __name__ == "__main__":
    unittest.main()

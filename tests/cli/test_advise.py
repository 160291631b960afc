"""tier advise: facts of an edge, what each estimator costs, refusals, choices; as text and JSON."""

import unittest

import harness


class Advise(harness.Case):
    def rows(self, content, *options):
        document = self.json("advise", self.manifest(content), *options)
        return document, {row["estimator"]: row for row in document["rows"] if not row["own"]}

    def text(self, content, *options):
        return self.tier("advise", self.manifest(content), *options)

    def stepped(self, **level):
        content = harness.ridge()
        content["levels"][0].update({"optimizer": {"momentum": {"lr": 0.01, "beta": 0.5}},
                                     "steps": 40}, **level)
        content["levels"][0].pop("tolerance")
        return content

    def test_solved_level(self):
        document, rows = self.rows(harness.ridge())
        self.assertEqual((document["n"], document["p"], document["steps"]), (6, 1, 50))
        self.assertFalse(document["stochastic"])
        self.assertEqual((rows["dense"]["hvps"], rows["dense"]["at_most"]), (7, False))
        self.assertEqual((rows["cg"]["hvps"], rows["cg"]["at_most"]), (1000, True))
        self.assertTrue(rows["nystrom"]["biased"])
        self.assertFalse(rows["unroll"]["fits"])
        self.assertIn("differentiable step", rows["unroll"]["reason"])
        self.assertIsNone(rows["unroll"]["hvps"])
        self.assertTrue(rows["es"]["fits"])
        self.assertIsNone(rows["es"]["gradients"])  # what lbfgs calls is not known
        self.assertEqual((document["if_solved"], document["if_steps"]), ("dense", None))

    def test_steps(self):
        document, rows = self.rows(self.stepped())
        self.assertEqual((rows["unroll"]["hvps"], rows["unroll"]["cross"]), (40, 40))
        self.assertEqual(rows["unroll"]["bytes"], (40 * 3 * 6 + 4 * 6) * 4)
        self.assertEqual(rows["forward"]["hvps"], 39)
        self.assertEqual(rows["es"]["gradients"], 800)
        self.assertEqual(rows["forward"]["gradients"], 40)
        self.assertEqual(document["if_steps"], "unroll")
        self.assertIn("\n  forward holds least, ", self.text(self.stepped()))

    def test_batches_make_implicit_ones_biased(self):
        content = self.stepped(batch=10)
        document, rows = self.rows(content)
        self.assertTrue(document["stochastic"])
        self.assertTrue(rows["dense"]["biased"] and rows["dense"]["random"])
        self.assertFalse(rows["unroll"]["biased"])
        self.assertIsNone(document["if_solved"])
        self.assertIn("No implicit method is exact here", self.text(content))

    def test_refusals_for_one_reason_are_one_line(self):
        text = self.text(harness.ridge())
        lines = [line for line in text.splitlines() if "differentiates through" in line]
        self.assertEqual(len(lines), 1, text)
        self.assertTrue(lines[0].startswith("  forward, nested-fd, one-step, unroll: it "), lines)

    def test_hyperparameters_leave_only_steps(self):
        content = self.stepped()
        content["levels"][0]["optimizer"] = {"adam": {"lr": {"exp": "log_lr"}}}
        content["variables"]["log_lr"] = -3
        content["levels"][1]["over"] = "log_lr"
        content["variables"]["log_l2"] = {"init": 0}
        content["levels"][1]["through"] = {"inner": {"unroll": {"truncate": 4}}}
        content.pop("outputs")
        document, rows = self.rows(content)
        self.assertFalse(rows["cg"]["fits"])
        self.assertIsNone(document["if_solved"])
        self.assertEqual(document["if_steps"], "forward")

    def test_long_tapes_name_a_checkpointed_form(self):
        content = self.stepped(steps=10000)
        content["data"]["pool"]["linear-problem"]["features"] = 2000
        content["variables"] = {"ridge": {"linear": [2000, 1]}, "log_l2": {"shape": "ridge",
                                                                          "init": 0}}
        content["objectives"]["training"][1] = {
            "total": {"times": [{"exp": "log_l2"}, {"square": "ridge"}]}}
        text = self.text(content)
        self.assertIn('It holds 240 MB of steps; {"unroll": {"checkpoint": 498}} holds 12', text)

    def test_errors(self):
        self.tier("advise", self.manifest(), "--edge", "outer.nothing", code=65)
        self.assertIn('no edge "outer.nothing"', self.messages)


if __name__ == "__main__":
    unittest.main()

"""tier compare: many states, --vary, --repeat; --csv and --html of estimators and of whole runs."""

import csv
import pathlib
import re
import sys
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).parent.parent / "page"))

from browser import CHROMIUM, dump_dom
from harness import Case, ridge


def descent():
    """The ridge problem with a differentiable inner optimizer."""
    m = ridge()
    m["levels"][0].update(optimizer={"sgd": {"lr": 0.1}}, steps=20, tolerance=0)
    return m


def charts(text):
    """Title, and places of the marks, of each chart."""
    found = {}
    for figure in re.findall(r'<figure class="chart".*?</figure>', text, re.S):
        title = re.search(r"<figcaption>(.*?)</figcaption>", figure).group(1)
        drawing = figure[figure.index("<svg"):figure.index("</svg>")]
        marks = re.findall(r'class="mark" transform="translate\(([\d.]+) ([\d.]+)\)"', drawing)
        found[title] = [tuple(map(float, mark)) for mark in marks]
    return found


class States(Case):
    def compare(self, items, *more, manifest=None):
        return self.json("compare", self.manifest(manifest), "--estimators", items, *more)

    def test_several_states_are_those_of_single_ones(self):
        many = self.compare("cg:iterations=2", "--at-steps", "0,2..4..2")
        self.assertEqual([r["step"] for r in many["rows"]], [0, 2, 4])
        self.assertEqual([r["step"] for r in many["references"]], [0, 2, 4])
        one = self.compare("cg:iterations=2", "--at-step", "2")
        self.assertEqual(one["rows"][0]["relative_error"], many["rows"][1]["relative_error"])
        summary = many["summary"][0]
        errors = [r["relative_error"] for r in many["rows"]]
        self.assertEqual(summary["states"], 3)
        self.assertAlmostEqual(summary["relative_error"] ** 3, errors[0] * errors[1] * errors[2],
                               delta=1e-9 * errors[0] * errors[1] * errors[2])
        self.assertEqual((summary["low"], summary["high"]), (min(errors), max(errors)))

    def test_vary_of_an_item_is_the_item_with_that_parameter(self):
        d = self.compare("cg,cg:iterations=1,cg:iterations=3,dense", "--vary", "cg.iterations=1,3",
                         "--set", 'levels.outer.through.inner={"cg":{"tolerance":1e-9}}')
        errors = {(r["series"], r["estimator"]): r["relative_error"] for r in d["rows"]}
        self.assertEqual(len(d["rows"]), 2 + 2 + 2 + 1)
        self.assertEqual(errors["cg", "cg:iterations=3"],
                         errors["cg:iterations=3", "cg:iterations=3:iterations=3"])

    def test_vary_of_the_manifest_makes_settings(self):
        d = self.compare("unroll,cg", "--vary", "levels.inner.steps=5,50", manifest=descent())
        self.assertEqual([r["setting"] for r in d["rows"]],
                         ["levels.inner.steps=5"] * 2 + ["levels.inner.steps=50"] * 2)
        self.assertEqual([r["inner_steps"] for r in d["rows"]], [5, 5, 50, 50])
        unroll = [r for r in d["rows"] if r["estimator"] == "unroll"]
        self.assertLess(unroll[0]["cost"], unroll[1]["cost"])
        self.assertLess(unroll[1]["relative_error"], unroll[0]["relative_error"])

    def test_costs_are_counted_as_stated(self):
        for row in self.compare("cg,dense,unroll", manifest=descent())["rows"]:
            counted = (row["values"] / 4 + row["gradients"] / 2 + row["hvps"] + row["cross"])
            self.assertEqual(row["cost"] + row["solve_cost"], counted)

    def test_the_front(self):
        d = self.compare("cg,neumann:lr=0.1", "--vary", "cg.iterations=1,3", "--vary",
                         "neumann.terms=1,30")
        front = {s["estimator"] for s in d["summary"] if s["pareto_cost"]}
        for s in d["summary"]:
            beaten = any(o["cost"] <= s["cost"] and o["relative_error"] <= s["relative_error"]
                         and o is not s for o in d["summary"])
            self.assertEqual(s["estimator"] in front, not beaten, s)
        self.assertTrue(front)

    def test_repetitions_draw_anew_and_only_where_something_is_drawn(self):
        d = self.compare("es,cg", "--repeat", "6", manifest=descent())
        es, cg = d["rows"]
        self.assertEqual(es["repetitions"], 6)
        self.assertGreater(es["relative_error_deviation"], 0)
        self.assertLessEqual(es["bias"]["low"], es["bias"]["estimate"])
        self.assertLessEqual(es["bias"]["estimate"], es["bias"]["high"])
        self.assertEqual(cg["repetitions"], 1)
        self.assertNotIn("bias", cg)
        once = self.compare("es", manifest=descent())["rows"][0]
        self.assertEqual(once["repetitions"], 1)
        again = self.compare("es", "--repeat", "6", manifest=descent())["rows"][0]
        self.assertEqual(again["relative_error"], es["relative_error"])
        self.assertEqual(again["bias"], es["bias"])

    def test_what_cannot_be_varied_is_told_before_any_work(self):
        for wrong in ("neumann.terms=1", "cg.iteration=1", "cg.iterations=-1",
                      "levels.innr.steps=1,2", "levels.inner.steps=-1,2"):
            self.tier("compare", self.manifest(), "--estimators", "cg", "--vary", wrong, code=65)
            self.assertIn(wrong.split("=")[0].split(".")[1], self.messages)
        self.tier("compare", self.manifest(), "--vary", "cg.iterations=1", code=64)
        self.tier("compare", self.manifest(), "--html", "none/page.html", code=74)
        self.assertFalse((self.folder / "runs").exists())


class Files(Case):
    def estimators(self):
        return self.json("compare", self.manifest(descent()), "--estimators",
                         'cg,unroll:step={"sgd":{"lr":0.1}},es', "--vary",
                         "cg.iterations=1,2,3", "--at-steps", "0,2", "--repeat", "3", "--csv",
                         "a.csv", "--html", "a.html")

    def test_csv_of_estimators(self):
        d = self.estimators()
        with open(self.folder / "a.csv", newline="") as file:
            rows = list(csv.DictReader(file))
        self.assertEqual([r["estimator"] for r in rows], [r["estimator"] for r in d["rows"]])
        for read, row in zip(rows, d["rows"]):
            for key in ("step", "relative_error", "cost", "peak_bytes", "inner_steps"):
                self.assertEqual(float(read[key]), row[key])
            self.assertEqual(read["bias.high"] != "", "bias" in row)

    def test_page_of_estimators(self):
        d = self.estimators()
        path = self.folder / "a.html"
        text = dump_dom(path) if CHROMIUM else path.read_bytes().decode("utf-8")
        found = charts(text)
        count = {title: len(marks) for title, marks in found.items()}
        self.assertEqual(count, {"Error against oracle calls": 5, "Error against seconds": 5,
                                 "Memory against inner steps": 5,
                                 "Error along the trajectory": len(d["rows"])})
        self.assertIn("At equal cost", text)
        self.assertIn("Stochastic estimators", text)
        self.assertEqual(len(re.findall('class="ring"', text)),
                         sum(s["pareto_cost"] + s["pareto_seconds"] for s in d["summary"]))
        for word in ("http:", "https:", "<script", "url("):
            self.assertNotIn(word, text)

    def test_page_and_csv_of_runs(self):
        m = ridge()
        m["seeds"] = [0, 1]
        m["compare"] = {"short": {"levels.outer.steps": 3}}
        d = self.json("compare", self.manifest(m), "--csv", "v.csv", "--html", "v.html")
        with open(self.folder / "v.csv", newline="") as file:
            rows = list(csv.DictReader(file))
        self.assertEqual([r["variant"] for r in rows], [r["variant"] for r in d["rows"]])
        self.assertEqual([float(r["metrics.val_loss"]) for r in rows],
                         [r["metrics"]["val_loss"] for r in d["rows"]])
        path = self.folder / "v.html"
        text = dump_dom(path) if CHROMIUM else path.read_bytes().decode("utf-8")
        figures = re.findall(r'<figure class="chart".*?</figure>', text, re.S)
        self.assertEqual(len(figures), 3)
        for figure in figures:
            lines = re.findall(r'class="line" d="M([^"H]*)"', figure)
            self.assertEqual([line.count("L") + 1 for line in lines], [6, 3])
            self.assertEqual(figure.count('class="band"'), 2)
            self.assertIn("short (2 seeds)", figure)

    @unittest.skipUnless(CHROMIUM, "chromium is not installed")
    def test_in_a_browser(self):
        self.estimators()
        self.assertEqual(charts(dump_dom(self.folder / "a.html")),
                         charts((self.folder / "a.html").read_bytes().decode("utf-8")))


if __name__ == "__main__":
    unittest.main()

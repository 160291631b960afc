"""tier run --profile and --trace, tier compare --profile."""

import json
import pathlib
import unittest

import harness


def inside(phases, index):
    """The phases directly inside phase `index`."""
    depth = phases[index]["depth"]
    for phase in phases[index + 1:]:
        if phase["depth"] <= depth:
            return
        if phase["depth"] == depth + 1:
            yield phase


class Profile(harness.Case):
    def profile(self, *arguments, content=None):
        return self.json("run", self.manifest(content), "--profile", *arguments)["profile"]

    def test_phases_contain_one_another(self):
        profile = self.profile()
        phases = profile["phases"]
        names = [phase["phase"] for phase in phases]
        self.assertEqual(names[0], "run")
        for name in ("prepare", "step", "solve inner", "pullback inner", "linear solver cg", "hvp",
                     "run inner hvp", "bind inner hvp", "run inner gradient", "vectors", "cross",
                     "metric val_loss", "output weights", "save state", "compile inner hvp"):
            self.assertIn(name, names)
        for i, phase in enumerate(phases):
            rest = phase["seconds"] - sum(p["seconds"] for p in inside(phases, i))
            self.assertAlmostEqual(rest, phase["own_seconds"], delta=1e-8)
            self.assertGreaterEqual(phase["own_seconds"], 0)
            self.assertAlmostEqual(phase["share"], phase["seconds"] / profile["seconds"])
        calls = {phase["phase"]: phase["calls"] for phase in phases}
        self.assertEqual(calls["step"], 6)
        self.assertEqual(calls["linear solver cg"], 6)

    def test_oracle_calls_are_those_of_the_ledger(self):
        document = self.json("run", self.manifest(), "--profile")
        calls = {phase["phase"]: phase["calls"] for phase in document["profile"]["phases"]}
        self.assertEqual(calls["hvp"], document["runs"][0]["oracle"]["hvps"])
        self.assertEqual(calls["cross"], document["runs"][0]["oracle"]["cross"])

    def test_operations_have_rates_and_sources(self):
        profile = self.profile()
        products = [o for o in profile["operations"]
                    if o["operation"] == "matmul" and o["shapes"] == "30x5 5x1"
                    and o["source"] == "linear.forward"]
        self.assertTrue(products)
        for o in products:
            flops = 2 * 30 * 5 * o["calls"]
            self.assertAlmostEqual(o["gflops"] * o["seconds"] * 1e9 / flops, 1, places=6)
            size = 4 * (30 * 5 + 5 + 30) * o["calls"]
            self.assertAlmostEqual(o["gbytes"] * o["seconds"] * 1e9 / size, 1, places=6)
            path, line, column = o["place"].rsplit(":", 2)
            text = pathlib.Path(self.folder / path).read_text().splitlines()[int(line) - 1]
            self.assertRegex(text[int(column) - 1:], '^"ridge": "(train|val).x"')

    def test_groups_hold_all_the_time_in_programs(self):
        profile = self.profile()
        in_phases = sum(p["seconds"] for p in profile["phases"] if p["program"])
        for group in ("operations", "sources"):
            seconds = [row["seconds"] for row in profile[group]]
            self.assertEqual(seconds, sorted(seconds, reverse=True))
            self.assertAlmostEqual(sum(seconds), profile["program_seconds"], delta=1e-7)
        self.assertLessEqual(profile["program_seconds"], in_phases)

    def test_results_do_not_change(self):
        for solver in ("cg", "neumann", "dense"):
            content = harness.ridge()
            content["levels"][0]["optimizer"] = {"sgd": {"lr": 0.05}}
            content["levels"][1]["through"]["inner"] = solver
            path = self.manifest(content)
            directory = self.json("run", path)["runs"][0]["dir"]
            files = [self.folder / directory / name for name in ("metrics.jsonl", "final.state")]
            before = [file.read_bytes() for file in files]
            self.tier("run", path, "--force", "--profile", "--trace", "t.json")
            self.assertEqual([file.read_bytes() for file in files], before, solver)

    def test_tables(self):
        out = self.tier("run", self.manifest(), "--profile")
        self.assertRegex(out, r"finished .*\n\nprofile: \d+\.\d+ s, ")
        self.assertRegex(out, r"100\.0 +\d+\.\d+ +1  run\n")
        self.assertRegex(out, r"Gflop/s +GB/s +operation +asked for by\n")
        self.assertRegex(out, r"matmul 30x5 5x1 +linear.forward at m.json:\d+:\d+\n")
        self.assertNotIn("profile", self.tier("run", self.manifest(), "--force"))

    def test_seeds_add_up(self):
        calls = {p["phase"]: p["calls"] for p in self.profile("--seeds", "1,2")["phases"]}
        self.assertEqual((calls["run"], calls["step"]), (2, 12))

    def test_a_file_holds_the_same_as_json(self):
        document = self.json("run", self.manifest(), "--profile=p.json")
        self.assertEqual(json.loads((self.folder / "p.json").read_text()), document["profile"])

    def test_a_file_that_cannot_be_written_is_refused_before_the_run(self):
        for option in ("--profile=no/such/p.json", "--trace=no/such/t.json", "--trace=."):
            self.assertEqual(self.tier("run", self.manifest(), option, code=74), "")
            self.assertIn(option.split("=")[0], self.messages)
            self.assertFalse((self.folder / "runs").exists())

    def test_a_failed_run_has_a_profile(self):
        content = harness.ridge()
        content["levels"][0]["optimizer"] = {"sgd": {"lr": 1e9}}
        document = json.loads(self.tier("run", self.manifest(content), "--profile", "--json",
                                        "--trace", "t.json", code=1))
        self.assertEqual(document["runs"][0]["status"], "failed")
        self.assertEqual(document["profile"]["phases"][0]["calls"], 1)
        self.assertTrue(json.loads((self.folder / "t.json").read_text())["traceEvents"])


class Trace(harness.Case):
    def trace(self, *arguments):
        self.tier("run", self.manifest(), "--trace", "t.json", *arguments)
        self.assertFalse(list(self.folder.glob("t.json?*")))
        return json.loads((self.folder / "t.json").read_text())

    def test_events_nest(self):
        trace = self.trace("--threads", "2")
        complete = [e for e in trace["traceEvents"] if e["ph"] == "X"]
        names = {e["name"] for e in complete}
        for name in ("run", "step", "solve inner", "pullback inner", "linear solver cg", "hvp",
                     "run inner hvp", "matmul 30x5 5x1"):
            self.assertIn(name, names)
        for thread in {e["tid"] for e in complete}:
            open_until = []
            # An event that begins at the same time as another one but ends later stands first.
            events = [e for e in complete if e["tid"] == thread]
            for e in sorted(events, key=lambda e: (e["ts"], -e["dur"])):
                self.assertGreaterEqual(e["ts"], 0)
                self.assertGreaterEqual(e["dur"], 0)
                begin, end = round(1e3 * e["ts"]), round(1e3 * (e["ts"] + e["dur"]))
                while open_until and open_until[-1] <= begin:
                    open_until.pop()
                if open_until:
                    self.assertLessEqual(end, open_until[-1], e)
                open_until.append(end)

    def test_metadata_names_every_thread(self):
        trace = self.trace()
        events = trace["traceEvents"]
        named = {(e["name"], e["tid"]): e["args"]["name"] for e in events if e["ph"] == "M"}
        self.assertEqual(named[("process_name", 0)], "tier")
        self.assertEqual(named[("thread_name", 0)], "main")
        for e in events:
            self.assertIn(("thread_name", e["tid"]), named)
            self.assertIn(e["ph"], "XM")
        self.assertEqual(len({e["pid"] for e in events}), 1)
        self.assertEqual(trace["otherData"]["lost_events"], 0)

    def test_operations_have_their_source(self):
        events = self.trace()["traceEvents"]
        product = next(e for e in events if e["name"] == "matmul 30x5 5x1")
        self.assertEqual(product["cat"], "operation")
        self.assertEqual(product["args"]["source"], "linear.forward")
        self.assertRegex(product["args"]["place"], r"m\.json:\d+:\d+$")


class Compare(harness.Case):
    def variants(self):
        content = harness.ridge()
        content["compare"] = {"short": {"levels.outer.steps": 2}}
        return self.manifest(content)

    def test_variants(self):
        path = self.variants()
        rows = self.json("compare", path, "--profile", "--seeds", "0,1")["rows"]
        self.assertEqual(len(rows), 4)
        for row in rows:
            calls = {p["phase"]: p["calls"] for p in row["profile"]["phases"]}
            self.assertEqual(calls["step"], 2 if row["variant"] == "short" else 6)
        out = self.tier("compare", path, "--profile", "--force", "--seeds", "1")
        for name in ("base", "short"):
            self.assertRegex(out, rf"\n== variant {name}, seed 1\n\nprofile: ")

    def test_a_finished_run_has_none(self):
        path = self.variants()
        self.tier("run", path)
        out = self.tier("compare", path, "--profile=p.json")
        self.assertRegex(out, r"== variant base, seed 0\nno profile: it was finished before; --force")
        rows = json.loads((self.folder / "p.json").read_text())["rows"]
        self.assertEqual([(r["variant"], r["seed"], "profile" in r) for r in rows],
                         [("base", 0, False), ("short", 0, True)])

    def test_estimators(self):
        path = self.manifest()
        rows = self.json("compare", path, "--estimators", "cg:iterations=2,dense", "--at-step", "1",
                         "--profile")["rows"]
        phases = [{p["phase"]: p["calls"] for p in row["profile"]["phases"]} for row in rows]
        self.assertEqual(phases[0]["hvp"], 2)
        self.assertEqual(phases[1]["linear solver dense"], 1)
        out = self.tier("compare", path, "--estimators", "cg:iterations=2", "--profile")
        self.assertRegex(out, r"\n== estimator cg:iterations=2\n\nprofile: ")


if __name__ == "__main__":
    unittest.main()

"""tier run: the run directory, its files, determinism, refusals, signals."""

import ast
import json
import math
import os
import signal
import struct
import subprocess
import time
import unittest

from harness import EXPERIMENTS, ROOT, Case, ridge


class Run(Case):
    def run_once(self, *more, manifest=None, **named):
        document = self.json("run", manifest or self.manifest(), *more, **named)
        return document["runs"][0]

    def directory(self, run):
        return self.folder / run["dir"]

    def test_document_and_files(self):
        run = self.run_once()
        self.assertEqual((run["seed"], run["status"], run["error"]), (0, "finished", None))
        self.assertRegex(run["dir"], r"^runs/small/[0-9a-f]{12}-r0$")
        self.assertIn("val_loss", run["metrics"])
        names = {p.name for p in self.directory(run).iterdir()}
        self.assertLessEqual({"manifest.json", "resolved.json", "state.json", "provenance.json",
                              "metrics.jsonl", "timing.jsonl", "log.txt", "artifacts",
                              "final.state"}, names)

    def test_phases(self):
        m = ridge()
        inner = dict(m["levels"][0], optimizer={"sgd": {"lr": 0.01}}, steps=3)
        m["variables"]["anchor"] = {"linear": [5, 1]}
        m["phases"] = [{"name": "first", "levels": [inner], "then": {"anchor": "ridge"}},
                       {"name": "second", "levels": m.pop("levels")}]
        m["outputs"]["kept"] = "anchor"
        run = self.run_once(manifest=self.manifest(m))
        folder = self.directory(run)
        lines = self.lines(folder / "metrics.jsonl")
        phases = [line["phase"] for line in lines]
        self.assertEqual(phases, sorted(phases))
        last = {p: max(l["step"] for l in lines if l["phase"] == p) for p in set(phases)}
        self.assertEqual(last, {"first": 3, "second": 6})
        names = {l["name"] for l in lines if l["phase"] == "first"}
        self.assertIn("val_loss", names)
        self.assertNotIn("outer.loss", names)
        files = {p: (folder / "artifacts" / p / "kept.npy").read_bytes() for p in last}
        self.assertEqual(files["first"], files["second"])
        self.assertTrue((folder / "first.state").exists())
        self.assertTrue((folder / "final.state").exists())
        self.assertEqual(json.loads((folder / "state.json").read_text())["steps"], 9)

    def test_worked_phases_on_digits(self):
        """Manifest 07, small: three phases, two entries of a model, a value of two outputs."""
        m = json.loads((ROOT / "tests/manifest/worked/07-vae-auto-evaluator.json").read_text())
        m["data"] = {"pool": {"digits": {"rows": 40}}, "train": ["pool", {"take": 30}],
                     "test": ["pool", {"skip": 30}]}
        m["variables"] = {"vae": {"vae": [784, 8, 2]}, "evaluator": {"mlp": [784, 6, 4]}}
        for phase in m["phases"]:
            level = phase["levels"][0]
            del level["epochs"]
            level.update(steps=2, batch=10)
        m["outputs"]["reconstructions"]["value"]["image-grid"].update(rows=2, columns=3)
        m["outputs"]["vae"] = "vae"
        m.update(seeds=[0], name="small")
        run = self.run_once(manifest=self.manifest(m))
        self.assertEqual(run["status"], "finished")
        self.assertLessEqual({"negative_elbo", "prefers_originals"}, set(run["metrics"]))
        artifacts = self.directory(run) / "artifacts"

        def vae(phase):
            files = sorted((artifacts / phase).glob("vae*"))
            return [(f.name, f.read_bytes()) for f in files]

        self.assertTrue(vae("pretrain"))
        self.assertEqual(vae("pretrain"), vae("dependent"))  # frozen while the evaluator learns
        self.assertNotEqual(vae("dependent"), vae("joint"))
        self.assertTrue((artifacts / "joint" / "reconstructions.png").exists())

    def test_manifest_is_copied_to_the_byte(self):
        text = json.dumps(ridge(), indent=3) + "\n\n"
        run = self.run_once(manifest=self.manifest(text))
        self.assertEqual((self.directory(run) / "manifest.json").read_text(), text)

    def test_resolved_manifest_gives_the_same_run(self):
        first = self.run_once()
        resolved = self.directory(first) / "resolved.json"
        again = self.run_once("--out", "again", manifest=str(resolved))
        self.assertEqual(first["dir"].rpartition("/")[2], again["dir"].rpartition("/")[2])
        self.assertEqual(first["metrics"], again["metrics"])

    def test_metrics(self):
        run = self.run_once()
        lines = self.lines(self.directory(run) / "metrics.jsonl")
        for line in lines:
            self.assertEqual(set(line), {"phase", "step", "name", "value"})
        losses = [l["value"] for l in lines if l["name"] == "outer.loss"]
        self.assertEqual(len(losses), 6)
        self.assertLess(losses[-1], losses[0])
        names = {l["name"] for l in lines}
        for name in ("outer.loss", "inner.loss", "inner.loss.0", "inner.loss.1",
                     "inner.gradient_norm", "outer.report.residual", "outer.report.stop",
                     "oracle.hvps", "val_loss"):
            self.assertIn(name, names)
        last = [l["value"] for l in lines if l["name"] == "val_loss"][-1]
        self.assertEqual(last, run["metrics"]["val_loss"])

    def test_every(self):
        m = ridge()
        m["metrics"] = {"third": {"value": "validation", "every": 3}}
        m["levels"][1]["steps"] = 8
        run = self.run_once(manifest=self.manifest(m))
        steps = [l["step"] for l in self.lines(self.directory(run) / "metrics.jsonl")
                 if l["name"] == "third"]
        self.assertEqual(steps, [3, 6, 8])

    def npy(self, path):
        """A one-array file of format version 1.0, little-endian: (shape, numbers)."""
        data = path.read_bytes()
        self.assertEqual(data[:8], b"\x93NUMPY\x01\x00")
        length = struct.unpack("<H", data[8:10])[0]
        header = ast.literal_eval(data[10:10 + length].decode())
        self.assertEqual((header["descr"], header["fortran_order"]), ("<f8", False))
        numbers = struct.unpack(f"<{(len(data) - 10 - length) // 8}d", data[10 + length:])
        self.assertEqual(len(numbers), math.prod(header["shape"]))
        return header["shape"], numbers

    def test_outputs_are_npy(self):
        artifacts = self.directory(self.run_once()) / "artifacts"
        _, weights = self.npy(artifacts / "weights.npy")
        self.assertEqual(len(weights), 6)
        _, log_l2 = self.npy(artifacts / "log_l2.npy")
        self.assertNotEqual(log_l2[0], 0.0)

    def test_provenance(self):
        run = self.run_once("--set", "compute.dtype=f64")
        p = json.loads((self.directory(run) / "provenance.json").read_text())
        self.assertEqual((p["seed"], p["variant"], p["dtype"]), (0, "base", "f64"))
        self.assertTrue(p["identity"].startswith(run["dir"].rpartition("/")[2].split("-")[0]))
        self.assertEqual(p["command"][1], "run")
        for plugin in p["plugins"]:
            digest = subprocess.run(["sha256sum", plugin["file"]], capture_output=True, text=True)
            self.assertEqual(digest.stdout.split()[0], plugin["sha256"])
        self.assertIn("tier-optimizers-lbfgs.so", {os.path.basename(x["file"]) for x in p["plugins"]})
        self.assertNotIn("tier-datasets-digits.so",
                         {os.path.basename(x["file"]) for x in p["plugins"]})

    def same_bytes(self, a, b):
        a, b = self.directory(a), self.directory(b)
        names = ["metrics.jsonl", *sorted(p.relative_to(a) for p in (a / "artifacts").iterdir())]
        self.assertGreater(len(names), 1)
        for name in names:
            self.assertEqual((a / name).read_bytes(), (b / name).read_bytes(), name)

    def test_threads_and_repetition_change_no_byte(self):
        m = self.manifest()
        first = self.run_once("--threads", 1, "--out", "t1", manifest=m)
        for name, threads in (("again", 1), ("t2", 2), ("t3", 3), ("t4", 4)):
            self.same_bytes(first, self.run_once("--threads", threads, "--out", name, manifest=m))

    def test_threads_change_no_byte_where_work_is_split(self):
        for path, sets in ((EXPERIMENTS / "hyper-cleaning" / "digits.json", ["levels.outer.steps=2"]),
                           (EXPERIMENTS / "learning-rate" / "learning-rate.json",
                            ["levels.outer.steps=1", "levels.inner.steps=20"])):
            metrics = set()
            for threads in (1, 2, 3, 4):
                sets_written = [word for s in sets for word in ("--set", s)]
                run = self.run_once("--threads", threads, "--out", f"t{threads}", *sets_written,
                                    manifest=str(path))
                metrics.add((self.directory(run) / "metrics.jsonl").read_bytes())
            self.assertEqual(len(metrics), 1, path)

    def test_seeds(self):
        document = self.json("run", self.manifest(), "--seeds", "3,5")
        self.assertEqual([r["seed"] for r in document["runs"]], [3, 5])
        self.assertNotEqual(document["runs"][0]["metrics"], document["runs"][1]["metrics"])

    def test_no_step_gives_no_objectives(self):
        run = self.run_once("--set", "levels.outer.steps=0")
        self.assertEqual(run["status"], "finished")
        self.assertEqual(list(run["metrics"]), ["val_loss"])

    def test_a_metric_that_is_no_number_is_not_shown_as_zero(self):
        m = ridge()
        m["metrics"] = {"bad": {"log": {"times": [-1, "validation"]}}}
        printed = self.tier("run", self.manifest(m), "--quiet")
        self.assertRegex(printed, r"  bad -?nan  ")
        self.assertRegex(self.tier("inspect", printed.split()[0]), r"\n  bad +-?nan\n")

    def test_set_and_variant(self):
        m = ridge()
        m["compare"] = {"short": {"levels.outer.steps": 2}}
        path = self.manifest(m)
        self.assertEqual(self.run_once("--variant", "short", manifest=path)["steps"], 2)
        self.assertEqual(self.run_once("--set", "levels.outer.steps=3", manifest=path)["steps"], 3)
        self.tier("run", path, "--variant", "shirt", code=64)
        self.assertIn('did you mean "short"?', self.messages)

    def test_a_finished_run_is_refused_unless_forced(self):
        path = self.manifest()
        first = self.run_once(manifest=path)
        before = (self.directory(first) / "state.json").stat().st_mtime_ns
        refused = self.json("run", path, code=1)["runs"][0]
        self.assertEqual(refused["status"], "refused")
        self.assertIn("--force", refused["error"])
        self.assertEqual((self.directory(first) / "state.json").stat().st_mtime_ns, before)
        self.assertEqual(self.run_once("--force", manifest=path)["status"], "finished")

    def test_quiet_says_nothing(self):
        self.tier("run", self.manifest(), "--quiet")
        self.assertEqual(self.messages, "")

    def test_divergence_stops_the_run(self):
        m = ridge()
        m["levels"][0].update(optimizer={"sgd": {"lr": 1e6}}, tolerance=0)
        run = self.run_once(manifest=self.manifest(m), code=1)
        self.assertEqual(run["status"], "failed")
        self.assertIn("inner", run["error"])
        state = json.loads((self.directory(run) / "state.json").read_text())
        self.assertEqual((state["status"], state["reason"]), ("failed", run["error"]))
        self.assertIn(run["error"], (self.directory(run) / "log.txt").read_text())

    def test_budget_ends_cleanly(self):
        m = ridge()
        m["budget"] = {"hvps": 8}
        run = self.run_once(manifest=self.manifest(m))
        self.assertEqual(run["status"], "finished")
        self.assertIn("hvps", run["reason"])
        self.assertLess(run["steps"], 6)

    def test_inspect_shows_a_run(self):
        run = self.run_once()
        self.assertIn("val_loss", self.tier("inspect", run["dir"]))
        self.assertEqual(self.json("inspect", run["dir"])["metrics"], run["metrics"])

    def test_inspect_refuses_a_damaged_state(self):
        run = self.run_once()
        state = self.directory(run) / "state.json"
        whole = json.loads(state.read_text())
        for member, wrong in (("status", 5), ("metrics", [1]), ("oracle", 3), ("steps", "x"),
                              ("seconds", None)):
            state.write_text(json.dumps({**whole, member: wrong}))
            self.tier("inspect", run["dir"], code=65)
            self.assertIn(f'"{member}"', self.messages)

    def test_inspect_knows_a_killed_run(self):
        run = self.run_once()
        state = self.directory(run) / "state.json"
        state.write_text(json.dumps({"status": "running", "reason": "", "seed": 0}))
        self.assertIn("killed", self.tier("inspect", run["dir"]))


class Wrong(Case):
    def test_out_that_cannot_be_made_is_74(self):
        (self.folder / "file").write_text("")
        self.tier("run", self.manifest(), "--out", "file", code=74)
        self.assertIn("file/small", self.messages)

    def test_bad_manifest_is_65_and_leaves_nothing(self):
        self.tier("run", self.manifest("{}"), code=65)
        self.assertFalse((self.folder / "runs").exists())

    def test_missing_data_is_66(self):
        m = ridge()
        m["data"]["pool"] = {"npy": {"x": "x.npy", "y": "y.npy"}}
        self.tier("run", self.manifest(m), code=66)
        self.assertIn("x.npy", self.messages)

    def test_needed_plugin_that_was_refused_is_69(self):
        (self.folder / "plugins").mkdir()
        (self.folder / "plugins" / "mine.so").write_text("not a library")
        m = ridge()
        m["levels"][1]["optimizer"] = {"mine": {}}
        self.tier("run", self.manifest(m), "--plugin-path", "plugins", code=69)
        self.assertIn("mine.so", self.messages)

    def test_an_unneeded_plugin_that_was_refused_is_no_matter(self):
        (self.folder / "plugins").mkdir()
        (self.folder / "plugins" / "bad.so").write_text("not a library")
        self.tier("run", self.manifest(), "--plugin-path", "plugins")


class Signals(Case):
    """A run of many steps, stopped in its middle."""

    def setUp(self):
        super().setUp()
        m = ridge()
        m["levels"][1]["steps"] = 10_000_000
        self.path = self.manifest(m)

    def begin(self):
        """A process in the middle of its run."""
        process = self.start("run", self.path, "--json")
        deadline = time.monotonic() + 60
        while not self.is_stepping(process):
            self.assertLess(time.monotonic(), deadline)
            time.sleep(0.01)
        return process

    def is_stepping(self, process):
        try:
            metrics = next(self.folder.glob("runs/*/*/metrics.jsonl"))
            return self.state().get("pid") == process.pid and metrics.stat().st_size > 0
        except (StopIteration, FileNotFoundError):
            return False

    def state(self):
        return json.loads(next(self.folder.glob("runs/*/*/state.json")).read_text())

    def test_interrupt(self):
        for number in (signal.SIGINT, signal.SIGTERM):
            process = self.begin()
            process.send_signal(number)
            out, _ = process.communicate(timeout=60)
            self.assertEqual(process.returncode, 128 + number)
            run = json.loads(out)["runs"][0]
            self.assertEqual((run["status"], self.state()["status"]), ("interrupted",) * 2)
            self.assertGreater(run["steps"], 0)
            self.assertTrue((self.folder / run["dir"] / "final.state").exists())

    def test_killed_runs_leave_whole_files_and_are_replaced(self):
        for pause in (0.0, 0.02, 0.05):
            process = self.begin()
            time.sleep(pause)
            process.kill()
            process.communicate()
            self.assertEqual(self.state()["status"], "running")
            directory = next(self.folder.glob("runs/*/*/"))
            for name in ("manifest.json", "resolved.json", "provenance.json"):
                json.loads((directory / name).read_text())
            for line in (directory / "metrics.jsonl").read_text().splitlines()[:-1]:
                json.loads(line)
        process = self.begin()
        process.send_signal(signal.SIGINT)
        _, messages = process.communicate(timeout=60)
        self.assertIn("replacing a killed run", messages)

    def test_two_at_once_are_refused(self):
        process = self.begin()
        run = self.json("run", self.path, "--force", code=1)["runs"][0]
        self.assertIn("in progress", run["error"])
        process.kill()
        process.communicate()

    def test_progress_is_lines_when_there_is_no_terminal(self):
        process = self.begin()
        process.send_signal(signal.SIGINT)
        _, messages = process.communicate(timeout=60)
        self.assertNotIn("\r", messages)
        self.assertNotIn("\033", messages)


if __name__ == "__main__":
    unittest.main()

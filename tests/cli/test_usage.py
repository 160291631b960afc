"""Verbs, options, help, exit codes of wrong use."""

import json
import subprocess
import unittest

from harness import TIER, Case


class Usage(Case):
    def test_no_verb(self):
        self.tier(code=64)
        self.assertIn("Usage: tier VERB", self.messages)

    def test_help_goes_to_stdout(self):
        self.assertIn("compare", self.tier("--help"))
        for verb in ("run", "validate", "compare", "list", "inspect", "doctor", "version"):
            self.assertIn(f"Usage: tier {verb}", self.tier(verb, "--help"))

    def test_unknown_verb_names_the_nearest(self):
        self.tier("comapre", code=64)
        self.assertIn("did you mean compare?", self.messages)

    def test_unknown_option_names_the_nearest(self):
        self.tier("run", "--frce", "m.json", code=64)
        self.assertIn("did you mean --force?", self.messages)

    def test_options_are_not_abbreviated(self):
        self.tier("run", "--forc", self.manifest(), code=64)

    def test_options_need_their_arguments_and_no_others(self):
        self.tier("run", "m.json", "--out", code=64)
        self.assertIn("--out DIR", self.messages)
        self.tier("run", "m.json", "--force=1", code=64)

    def test_operands_are_counted(self):
        self.tier("run", code=64)
        self.tier("run", "a", "b", code=64)
        self.assertIn('"b"', self.messages)

    def test_numbers_are_checked(self):
        self.tier("run", self.manifest(), "--threads", "two", code=64)
        self.tier("run", self.manifest(), "--threads", "0", code=64)
        self.tier("run", self.manifest(), "--threads", "all")
        self.tier("run", self.manifest(), "--seeds", "1,,2", code=64)
        self.tier("run", self.manifest(), "--seeds", "3,5,3", code=64)
        self.tier(
            "compare", self.manifest(), "--estimators", "cg", "--seeds", "a", code=64)
        self.tier("compare", self.manifest(), "--estimators", "cg", "--at-step", "-1", code=64)

    def test_options_of_estimators_need_estimators(self):
        self.tier("compare", self.manifest(), "--at-step", "3", code=64)

    def test_version(self):
        self.assertRegex(self.tier("version"), r"^tier \d+\.\d+\.\d+ ")
        self.assertEqual(self.tier("--version"), self.tier("version"))
        self.assertIn("abi", self.json("version"))

    def test_version_loads_nothing(self):
        """Plugins on the path are not looked at: one that would be complained of is not."""
        (self.folder / "plugins").mkdir()
        (self.folder / "plugins" / "bad.so").write_text("not a library")
        process = subprocess.run([TIER, "version"], stderr=subprocess.PIPE, stdout=subprocess.PIPE,
                                 env={"TIER_PLUGIN_PATH": str(self.folder / "plugins"),
                                      "LD_DEBUG": "files"}, text=True)
        self.assertEqual(process.returncode, 0)
        self.assertIn("libmd", process.stderr)  # the trace works
        for library in ("openblas", "bad.so", "tier-models"):
            self.assertNotIn(library, process.stderr)

    def test_closed_streams_are_not_reused_for_files(self):
        path = self.manifest()
        process = subprocess.run(["sh", "-c", '"$0" "$@" <&- >&- 2>&-', TIER, "run", path,
                                  "--out", "closed"], cwd=self.folder)
        self.assertEqual(process.returncode, 74)  # the result could not be printed
        directory = next((self.folder / "closed").glob("*/*/"))
        self.assertEqual(json.loads((directory / "state.json").read_text())["status"], "finished")
        for line in (directory / "metrics.jsonl").read_text().splitlines():
            json.loads(line)

    def test_empty_arguments(self):
        for option in ("--out", "--data", "--plugin-path"):
            self.tier("run", self.manifest(), option, "", code=64)
            self.assertIn("empty", self.messages)

    def test_a_limit_of_file_sizes_is_an_io_error(self):
        process = subprocess.run(["sh", "-c", 'ulimit -f 1; exec "$0" "$@"', TIER, "run",
                                  self.manifest(), "--out", "limited"], cwd=self.folder,
                                 stderr=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self.assertEqual(process.returncode, 74)
        self.assertIn("limited/small", process.stderr)

    def test_a_full_disk_behind_stdout_is_told(self):
        with open("/dev/full", "w") as full:
            process = subprocess.run([TIER, "version"], stdout=full,
                                     stderr=subprocess.PIPE, text=True)
        self.assertEqual(process.returncode, 74)
        self.assertIn("stdout", process.stderr)


class List(Case):
    def test_all_kinds(self):
        document = self.json("list")
        ids = {(c["kind"], c["id"]) for c in document["components"]}
        for wanted in (("model", "linear"), ("optimizer", "adam"), ("linear-solver", "cg"),
                       ("estimator", "unroll"), ("dataset", "digits"), ("solver", "nested")):
            self.assertIn(wanted, ids)
        self.assertTrue(all(c["summary"] for c in document["components"]))

    def test_one_kind(self):
        kinds = {c["kind"] for c in self.json("list", "optimizer")["components"]}
        self.assertEqual(kinds, {"optimizer"})
        self.assertIn("adam", self.tier("list", "optimizer"))

    def test_unknown_kind(self):
        self.tier("list", "optimiser", code=64)
        self.assertIn('"optimizer"', self.messages)


class Inspect(Case):
    def test_component(self):
        component = self.json("inspect", "adam")["components"][0]
        slots = {s["name"]: s for s in component["slots"]}
        self.assertTrue(slots["lr"]["differentiable"])
        self.assertIn("lr", self.tier("inspect", "adam"))

    def test_unknown_component_is_65(self):
        self.tier("inspect", "adma", code=65)
        self.assertIn('did you mean "adam"?', self.messages)

    def test_plugin_file(self):
        path = self.json("inspect", "adam")["components"][0]["file"]
        self.assertIn("adam", self.tier("inspect", path))

    def test_file_that_is_no_plugin_is_69(self):
        (self.folder / "no.so").write_text("not a library")
        self.tier("inspect", "./no.so", code=69)

    def test_missing_file_is_66(self):
        self.tier("inspect", "./none.so", code=66)

    def test_directory_that_is_no_run(self):
        self.tier("inspect", ".", code=66)


class Doctor(Case):
    def test_facts(self):
        document = self.json("doctor")
        self.assertTrue(document["cpu"])
        self.assertGreater(document["plugins"][0]["components"], 20)
        self.assertEqual(document["refused"], [])

    def test_refused_plugin_and_missing_data_are_problems(self):
        (self.folder / "no.so").write_text("not a library")
        document = self.json("doctor", "--plugin-path", ".", "--data", "nowhere")
        problems = json.dumps(document["problems"])
        self.assertIn("no.so", problems)
        self.assertIn("nowhere", problems)
        self.assertTrue(all(p["remedy"] for p in document["problems"]))


if __name__ == "__main__":
    unittest.main()

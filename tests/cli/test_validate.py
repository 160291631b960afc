"""tier validate: all errors at once, with places; the document of --json."""

import json
import gzip
import struct
import unittest

from harness import EXPERIMENTS, LATER, Case, ridge


class Validate(Case):
    def test_good(self):
        self.assertIn("ok", self.tier("validate", self.manifest()))
        document = self.json("validate", self.manifest())
        self.assertIs(document["ok"], True)
        self.assertEqual(document["errors"], [])

    def test_experiments(self):
        for path in sorted(EXPERIMENTS.glob("*/*.json")):
            if not path.name.endswith("mnist.json"):  # the images may not be here
                self.assertIn("ok", self.tier("validate", path), path)

    def test_all_errors_at_once_with_places(self):
        text = json.dumps(ridge(), indent=1).replace('"lr"', '"ler"').replace('"tolerance"', '"tol"')
        document = self.json("validate", self.manifest(text), code=65)
        self.assertIs(document["ok"], False)
        self.assertGreaterEqual(len(document["errors"]), 2)
        lines = text.splitlines()
        for error in document["errors"]:
            self.assertEqual(set(error), {"file", "line", "column", "path", "message", "hint"})
            self.assertTrue(error["message"])
        slot = next(e for e in document["errors"] if '"ler"' in e["message"])
        self.assertIn('"ler"', lines[slot["line"] - 1])

    def test_messages_go_to_stderr(self):
        self.assertEqual(self.tier("validate", self.manifest("{"), code=65), "")
        self.assertRegex(self.messages, r"m\.json:1:\d+: ")

    def test_shapes_are_checked(self):
        m = ridge()
        m["variables"]["ridge"] = {"linear": [4, 1]}
        document = self.json("validate", self.manifest(m), code=65)
        self.assertTrue(document["errors"])

    def test_missing_manifest_is_66(self):
        self.tier("validate", "none.json", code=66)
        self.assertIs(self.json("validate", "none.json", code=66)["ok"], False)

    def test_missing_data_is_66_and_lists_the_places(self):
        self.tier("validate", EXPERIMENTS / "hyper-cleaning" / "mnist.json", "--data", "here",
                  code=66)
        self.assertIn("here/mnist/", self.messages)

    def test_unknown_id_is_65_with_the_nearest(self):
        m = ridge()
        m["levels"][0]["optimizer"] = "lbgfs"
        self.tier("validate", self.manifest(m), code=65)
        self.assertIn("lbfgs", self.messages)

    def test_a_set_must_address_something(self):
        self.tier("validate", self.manifest(), "--set", "levels.outer.stepz=3", code=65)

    def test_every_variant_is_checked(self):
        m = ridge()
        m["compare"] = {"bad": {"levels.outer.optimizer": {"adam": {"ler": 1}}}}
        self.tier("validate", self.manifest(m), code=65)

    def test_a_variant_that_is_not_supported_yet_is_skipped(self):
        m = ridge()
        m["compare"] = {"later": LATER}
        document = self.json("validate", self.manifest(m))
        self.assertEqual([s["variant"] for s in document["skipped"]], ["later"])
        self.assertIn("not supported yet", document["skipped"][0]["message"])

    def test_errors_inside_a_set_have_its_place_alone(self):
        self.tier("validate", self.manifest(), "--set", 'variables.ridge={"mlp": [3]}', code=65)
        self.assertTrue(self.messages.startswith('--set variables.ridge={"mlp": [3]}: mlp:'))
        self.assertEqual(self.messages.count("--set"), 1)

    def test_long_chains_of_values_are_refused(self):
        m = ridge()
        m["values"] = {f"v{i}": {"exp": f"v{i - 1}"} for i in range(1, 3000)}
        m["values"]["v0"] = 0.1
        m["objectives"]["validation"] = [m["objectives"]["validation"], "v2999"]
        self.tier("validate", self.manifest(m), code=65)
        self.assertIn("nest deeper than", self.messages)

    def test_only_headers_are_read(self):
        """Data that end after their header pass `validate`, and fail a run."""
        folder = self.folder / "mnist"
        folder.mkdir()
        for kind, count in (("train", 60000), ("t10k", 10000)):
            images = struct.pack(">4i", 0x803, count, 28, 28)
            labels = struct.pack(">2i", 0x801, count)
            (folder / f"{kind}-images-idx3-ubyte.gz").write_bytes(gzip.compress(images))
            (folder / f"{kind}-labels-idx1-ubyte.gz").write_bytes(gzip.compress(labels))
        manifest = EXPERIMENTS / "hyper-cleaning" / "mnist.json"
        self.tier("validate", manifest, "--data", self.folder)
        self.tier("run", manifest, "--data", self.folder, code=65)
        self.assertIn("mnist/train", self.messages)


if __name__ == "__main__":
    unittest.main()

#!/usr/bin/env python3
"""The public structs against layout.txt and against version 1.0; and the checker against itself."""
import pathlib
import re
import shutil
import tempfile
import unittest

import layout

HERE = pathlib.Path(__file__).resolve().parent


def layout_after(header, pattern, replacement):
    """The layout of include/ after one change in one header."""
    with tempfile.TemporaryDirectory() as folder:
        copy = pathlib.Path(folder) / "tier"
        shutil.copytree(layout.INCLUDE / "tier", copy)
        old = (copy / header).read_text()
        new = re.sub(pattern, replacement, old, count=1, flags=re.S)
        assert new != old, f"{pattern} is not in {header}"
        (copy / header).write_text(new)
        return layout.layout(folder)


class Layout(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.now = layout.layout(layout.INCLUDE)

    def broken_by(self, header, pattern, replacement):
        return list(layout.violations(self.now, layout_after(header, pattern, replacement)))

    def test_is_the_committed_one(self):
        committed = (HERE / "layout.txt").read_text()
        self.assertEqual(committed.splitlines(), self.now.splitlines(),
                         "the headers changed: run tests/abi/layout.py update, and read the diff")

    def test_version_1_0_is_a_prefix(self):
        self.assertEqual([], list(layout.violations(layout.layout(HERE / "v1.0"), self.now)))

    def test_knows_the_structs_that_matter(self):
        structs, constants = layout.parse(self.now)
        self.assertIn("0 8 name: const char *", structs["tier_slot"])
        self.assertEqual("0 4 magic: uint32_t", structs["tier_plugin"][0])
        self.assertIn("tier_problem_1", structs)
        self.assertEqual(0x52454954, constants["TIER_PLUGIN_MAGIC"])
        self.assertEqual(-12, constants["TIER_E_INTERRUPTED"])

    def test_appending_is_legal(self):
        self.assertEqual([], self.broken_by("plugin.h", r"\} tier_slot;",
                                            "  const char *hint;\n} tier_slot;"))
        self.assertEqual([], self.broken_by("graph.h", r"TIER_OP_COUNT 42u", "TIER_OP_COUNT 43u"))

    def test_reordering_breaks(self):
        broken = self.broken_by("plugin.h", r"const char \*name;( +/\* \[a-z\].*?)const char \*doc;",
                                r"const char *doc;\1const char *name;")
        self.assertTrue(any("tier_slot: member 0" in b for b in broken), broken)

    def test_inserting_removing_and_widening_break(self):
        self.assertTrue(self.broken_by("plugin.h", r"  const char \*unit;", "  int64_t extra;\\g<0>"))
        self.assertTrue(self.broken_by("metric.h", r"  int32_t \(\*compute\).*?;", ""))
        self.assertTrue(self.broken_by("plugin.h", r"int32_t type; ", "int64_t type; "))

    def test_another_signature_breaks(self):
        broken = self.broken_by("random.h", r"uint64_t draw, int64_t first", "int64_t first, uint64_t draw")
        self.assertEqual(1, len(broken), broken)
        self.assertIn("tier_random_1", broken[0])

    def test_another_name_of_a_parameter_is_legal(self):
        self.assertEqual([], self.broken_by("random.h", r"uint64_t draw, int64_t first",
                                            "uint64_t number, int64_t start"))

    def test_changed_constants_break(self):
        self.assertTrue(self.broken_by("plugin.h", r"TIER_E_IO \(-6\)", "TIER_E_IO (-66)"))
        self.assertTrue(self.broken_by("graph.h", r"TIER_OP_COUNT 42u", "TIER_OP_COUNT 41u"))


if __name__ == "__main__":
    unittest.main(verbosity=2)

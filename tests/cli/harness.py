"""What the command line's tests share: running build/tier, and a manifest that takes a second."""

import json
import os
import pathlib
import subprocess
import tempfile
import unittest

TIER = os.environ["TIER"]
ROOT = pathlib.Path(__file__).resolve().parents[2]
EXPERIMENTS = ROOT / "experiments"

# Overrides of a variant that is legal, but not supported yet.
LATER = {"metrics.val_loss": {"value": "validation", "after": {"inner": 3}}}


def ridge():
    """Manifest 01, small: ridge regression's regularisation by implicit differentiation."""
    return {
        "tier": 1,
        "name": "small",
        "data": {
            "pool": {"linear-problem": {"rows": 60, "features": 5, "noise": 0.5}},
            "train": ["pool", {"take": 30}],
            "val": ["pool", {"skip": 30}],
        },
        "variables": {"ridge": {"linear": [5, 1]}, "log_l2": 0},
        "objectives": {
            "training": [
                {"mse": {"of": {"ridge": "train.x"}, "target": "train.y"}},
                {"times": [{"exp": "log_l2"}, {"l2": "ridge"}]},
            ],
            "validation": {"mse": {"of": {"ridge": "val.x"}, "target": "val.y"}},
        },
        "levels": [
            {"name": "inner", "minimize": "training", "over": "ridge", "optimizer": "lbfgs",
             "steps": 50, "tolerance": 1e-6},
            {"name": "outer", "minimize": "validation", "over": "log_l2",
             "through": {"inner": "cg"}, "optimizer": {"adam": {"lr": 0.1}}, "steps": 6},
        ],
        "metrics": {"val_loss": "validation"},
        "outputs": {"weights": "ridge", "log_l2": "log_l2"},
    }


class Case(unittest.TestCase):
    """A test in an empty directory of its own."""

    maxDiff = None

    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = pathlib.Path(folder.name)

    def manifest(self, content=None, name="m.json"):
        path = self.folder / name
        path.write_text(content if isinstance(content, str) else json.dumps(content or ridge()))
        return str(path)

    def start(self, *arguments, **more):
        environment = {k: v for k, v in os.environ.items() if k not in ("TIER_DATA", "NO_COLOR")}
        environment.update(more.pop("environment", {}))
        return subprocess.Popen([TIER, *map(str, arguments)], cwd=self.folder, env=environment,
                                text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE, **more)

    def tier(self, *arguments, code=0, **more):
        """Runs it, checks its exit code, gives its stdout; its stderr is in self.messages."""
        process = self.start(*arguments, **more)
        out, self.messages = process.communicate(timeout=240)
        self.assertEqual(process.returncode, code, f"{arguments}\n{out}\n{self.messages}")
        return out

    def json(self, *arguments, **more):
        return json.loads(self.tier(*arguments, "--json", **more))

    def lines(self, path):
        return [json.loads(line) for line in pathlib.Path(path).read_text().splitlines()]

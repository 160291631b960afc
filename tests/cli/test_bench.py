"""tier-bench, the tier side of bench/run: its commands, that evaluations start from the same state,
and that its tasks agree with one another. (bench/run itself compares them with PyTorch.)"""

import array
import json
import random
import subprocess
import unittest

from harness import Case, ridge


def problem(**inner):
    m = ridge()
    m["levels"][0].update(optimizer={"sgd": {"lr": 0.05}}, steps=5, tolerance=0, **inner)
    m["levels"][1]["through"] = {"inner": "unroll"}
    m["guards"] = {"stationarity": "off"}
    return m


class BenchCase(Case):
    def floats(self, name, values):
        with open(self.folder / f"{name}.f32", "wb") as file:
            array.array("f", values).tofile(file)

    def bench(self, task, *commands, manifest=True, code=0, threads=1):
        """The answers to the commands, one line each, after "ready"."""
        operands = [self.manifest(problem())] if manifest else []
        process = self.start(task, *operands, "--data", self.folder, "--threads", threads,
                             stdin=subprocess.PIPE)
        out, self.messages = process.communicate("\n".join(commands) + "\n", timeout=240)
        self.assertEqual(process.returncode, code, f"{out}\n{self.messages}")
        return out.splitlines()

    def result(self, task, runs=1, **more):
        path = self.folder / "result"
        self.bench(task, f"run {runs}", f"result {path}", **more)
        values = array.array("d")
        values.frombytes(path.read_bytes())
        return list(values)


class Problem(BenchCase):
    def test_every_evaluation_begins_at_the_start(self):
        self.floats("start.ridge", [0.5, -0.25, 1, 2, -1, 0.125])
        first = self.result("hypergradient")
        self.assertEqual(len(first), 1)
        self.assertNotEqual(first, [0])
        self.assertEqual(self.result("hypergradient", runs=3), first)
        self.floats("start.ridge", [0] * 6)
        self.assertNotEqual(self.result("hypergradient"), first)

    def test_gradients_differ_by_products(self):
        # The objective is quadratic: its gradient at d is that at 0 plus H d.
        d = [0.5, -0.25, 1, 2, -1, 0.125]
        self.floats("start.direction", d)
        self.floats("start.ridge", [0] * 6)
        at_zero = self.result("gradient")
        product = self.result("hvp")
        self.assertEqual(self.result("staged-hvp", runs=2), product)
        self.floats("start.ridge", d)
        for g, g0, hd in zip(self.result("gradient"), at_zero, product):
            self.assertAlmostEqual(g, g0 + hd, places=5)

    def test_run_answers_one_time_an_evaluation(self):
        ready, times, empty = self.bench("hypergradient", "run 3", "run 0")
        self.assertEqual((ready, empty), ("ready", ""))
        self.assertEqual([float(t) > 0 for t in times.split()], [True] * 3)

    def test_making_can_be_repeated(self):
        _, made = self.bench("making", "run 2")
        self.assertEqual(len(made.split()), 2)

    def test_facts(self):
        facts = json.loads(self.bench("hypergradient", "run 2", "facts")[2])
        self.assertEqual((facts["hvps"], facts["cross"], facts["threads"]), (5, 5, 1))
        self.assertGreater(facts["peak"], 0)

    def test_sgemm(self):
        ready, rate = self.bench("sgemm", "sgemm 8 4 2 1 0 0.001", manifest=False)
        self.assertEqual(ready, "ready")
        self.assertGreater(float(rate), 0)

    def error(self, code, task, *commands, **more):
        lines = self.bench(task, *commands, code=code, **more)
        self.assertTrue(lines[-1].startswith("error: "), lines)
        return lines[-1]

    def test_errors(self):
        self.assertIn("start.direction.f32", self.error(66, "hvp"))
        self.assertIn('unknown command "fly"', self.error(65, "sgemm", "fly", manifest=False))
        self.assertIn("there is no task", self.error(65, "sgemm", "run 1", manifest=False))
        self.floats("start.ridge", [0] * 5)
        self.assertIn("6 numbers", self.error(65, "hypergradient"))
        self.assertIn("x.f32", self.error(65, "vae", manifest=False))


class Training(BenchCase):
    def random(self, name, count, scale):
        r = random.Random(name)
        self.floats(name, (scale * r.random() for _ in range(count)))

    def test_vae(self):
        weights = 784 * 400 + 400 + 2 * (400 * 20 + 20) + 20 * 400 + 400 + 400 * 784 + 784
        self.random("x", 20 * 128 * 784, 1)
        self.random("noise", 20 * 128 * 20, 1)
        self.floats("start.vae", [0.01] * weights)
        trained = self.result("vae", manifest=False)
        moved = max(abs(w - 0.01) for w in trained)
        self.assertEqual(len(trained), weights)
        self.assertTrue(0.01 < moved < 0.03, moved)  # 20 Adam steps of at most about 0.001
        self.assertEqual(self.result("vae", runs=2, manifest=False, threads=2), trained)

    def test_wgan(self):
        generator, critic = 100 * 256 + 256 + 256 * 784 + 784, 784 * 256 + 256 + 256 + 1
        self.random("real", 20 * 64 * 784, 1)
        self.random("critic_noise", 20 * 64 * 100, 1)
        self.random("generator_noise", 4 * 64 * 100, 1)
        self.random("start.generator", generator, 0.1)
        self.random("start.critic", critic, 0.02)
        trained = self.result("wgan", manifest=False)
        self.assertEqual(len(trained), generator + critic)
        self.assertLessEqual(max(abs(w) for w in trained[generator:]), 0.01 + 1e-8)
        self.assertEqual(self.result("wgan", runs=2, manifest=False, threads=2), trained)


if __name__ == "__main__":
    unittest.main()

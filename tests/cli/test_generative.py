"""Generative models and games as manifests: a critic with a gradient penalty, MMD, diffusion, and
an evaluator beside an autoencoder."""

import math
import struct
import unittest

import harness

NOISE = {"real": {"ring": {}}, "noise": {"gaussian": 2},
         "held": ["real", {"take": 60}], "noise_held": ["noise", {"take": 80}]}
ADAM = {"adam": {"lr": 1e-2, "beta1": 0.5}}


def game():
    """WGAN with a gradient penalty."""
    return {
        "tier": 1, "name": "game", "data": NOISE,
        "variables": {"f": {"mlp": {"layers": [2, 16, 1], "activation": "tanh"}},
                      "g": {"mlp": [2, 16, 2]}},
        "values": {
            "fake": {"g": "noise.x"},
            "between": {"interpolate": {"first": "real.x", "second": "fake"}},
            "penalty": {"gradient-penalty": {"of": {"f": "between"}, "at": "between"}}},
        "objectives": {
            "telling": [{"f": "fake"}, {"times": [-1, {"f": "real.x"}]}, {"times": [10, "penalty"]}],
            "fooling": {"times": [-1, {"f": "fake"}]}},
        "levels": [
            {"name": "critic", "minimize": "telling", "over": "f", "batch": 32, "steps": 3,
             "optimizer": ADAM},
            {"name": "generator", "minimize": "fooling", "over": "g", "batch": 32, "steps": 12,
             "optimizer": ADAM}],
        "metrics": {
            "w1": {"sliced-w1": {"first": {"g": "noise_held.x"}, "second": "held.x"}},
            "modes": {"ring-modes": {"of": {"g": "noise_held.x"}}},
            "all_modes": {"ring-modes": {"of": "held.x"}}},
        "compute": {"dtype": "f64"}}


LR, GAMMA, EPS, CLIP, CRITIC_STEPS, STEPS = 0.003, 0.9, 1e-8, 0.01, 5, 7
REAL = [[0.5, -1.25], [2.0, 0.75], [-0.25, -0.5]]
DRAWN = [[1.0, 0.5], [-0.75, 2.0], [0.25, -1.5]]


def wasserstein():
    """WGAN's algorithm 1 with linear networks that start at 0, on all rows."""
    return {
        "tier": 1, "name": "wasserstein",
        "data": {"real": {"csv": "real.csv"}, "noise": {"csv": "noise.csv"}},
        "variables": {
            "f": {"model": {"linear": {"layers": [2, 1], "init": "zeros"}},
                  "within": {"box": {"min": -CLIP, "max": CLIP}}},
            "g": {"linear": {"layers": [2, 2], "init": "zeros"}}},
        "values": {"fake": {"g": "noise.x"}},
        "objectives": {"gap": [{"f": "real.x"}, {"times": [-1, {"f": "fake"}]}],
                       "fooling": {"times": [-1, {"f": "fake"}]}},
        "levels": [
            {"name": "critic", "maximize": "gap", "over": "f", "steps": CRITIC_STEPS,
             "optimizer": {"rmsprop": {"lr": LR, "gamma": GAMMA, "eps": EPS}}},
            {"name": "generator", "minimize": "fooling", "over": "g", "steps": STEPS,
             "optimizer": {"rmsprop": {"lr": LR, "gamma": GAMMA, "eps": EPS}}}],
        "outputs": {"critic": "f", "generator": "g"},
        "compute": {"dtype": "f64"}}


class Rmsprop:
    """w <- w - lr g / sqrt(E + eps), E <- gamma E + (1 - gamma) g^2."""

    def __init__(self, size):
        self.mean = [0.0] * size

    def step(self, w, gradient):
        self.mean = [GAMMA * e + (1 - GAMMA) * d * d for e, d in zip(self.mean, gradient)]
        return [x - LR * d / math.sqrt(e + EPS) for x, d, e in zip(w, gradient, self.mean)]


def by_hand():
    """The critic (w1, w2, b) and the generator (A row by row, c) after STEPS: fake = z A + c."""
    critic, generator = [0.0] * 3, [0.0] * 6
    moves_critic, moves_generator = Rmsprop(3), Rmsprop(6)
    real = [sum(column) / len(REAL) for column in zip(*REAL)]
    z = [sum(column) / len(DRAWN) for column in zip(*DRAWN)]
    for _ in range(STEPS):
        fake = [z[0] * generator[j] + z[1] * generator[2 + j] + generator[4 + j] for j in (0, 1)]
        for _ in range(CRITIC_STEPS):
            down = [fake[0] - real[0], fake[1] - real[1], 0.0]
            critic = [min(max(w, -CLIP), CLIP) for w in moves_critic.step(critic, down)]
        slope = [-z[i] * critic[j] for i in (0, 1) for j in (0, 1)] + [-critic[0], -critic[1]]
        generator = moves_generator.step(generator, slope)
    return critic, generator


def npy(path):
    """The numbers of a one-dimensional float64 file."""
    content = path.read_bytes()
    start = 10 + struct.unpack("<H", content[8:10])[0]
    return list(struct.unpack(f"<{(len(content) - start) // 8}d", content[start:]))


def matching():
    """A generator that lowers the MMD to samples of another number."""
    return {
        "tier": 1, "name": "matching", "data": NOISE,
        "variables": {"g": {"mlp": [2, 32, 2]}},
        "objectives": {"match": {"mmd": {"first": {"g": "noise.x"}, "second": "real.x",
                                         "scales": [0.5, 2], "estimate": "biased"}}},
        "levels": [{"name": "generator", "minimize": "match", "over": "g",
                    "batch": {"real": 40, "noise": 64}, "steps": 150, "optimizer": ADAM}],
        "metrics": {"mmd": {"mmd": {"first": {"g": "noise_held.x"}, "second": "held.x",
                                    "scales": [0.5, 2], "estimate": "biased"}}}}


def diffusion():
    return {
        "tier": 1, "name": "diffusion", "data": {"real": {"ring": {}}},
        "variables": {"denoiser": {"mlp": {"layers": [18, 32, 2], "activation": "silu"}}},
        "values": {
            "time": {"ddpm-time": "real.x"},
            "noise": {"normal": {"mean": {"times": [0, "real.x"]}, "deviation": 1}},
            "noised": {"ddpm-noise": {"of": "real.x", "noise": "noise", "time": "time"}},
            "predicted": {"denoiser": {"concat": ["noised", {"time-embedding": "time"}]}}},
        "objectives": {"denoising": {"mse": {"of": "predicted", "target": "noise"}}},
        "levels": [{"name": "learn", "minimize": "denoising", "over": "denoiser", "batch": 128,
                    "steps": 300, "optimizer": {"adam": {"lr": 3e-3}}}]}


def evaluator():
    """An evaluator of an autoencoder's outputs, both trained on x^y."""
    return {
        "tier": 1, "name": "evaluator", "data": {"train": {"digits": {"rows": 64}}},
        "variables": {"code": {"mlp": [784, 16, 784]},
                      "evaluator": {"mlp": {"layers": [784, 8], "init": "zeros"}}},
        "values": {"scale": 0.01, "logits": {"code": "train.x"},
                   "scores": {"evaluator": {"sigmoid": "logits"}}},
        "objectives": {
            "error": {"binary-cross-entropy": {"logits": "logits", "target": "train.x"}},
            "worth": {"auto-evaluator": "scores"},
            "joint": {"log-power": {"base": {"sum": [1, {"times": ["scale", "error"]}]},
                                    "exponent": "worth"}}},
        "levels": [{"name": "both", "minimize": "joint", "over": ["code", "evaluator"], "batch": 32,
                    "steps": 8, "optimizer": {"adam": {"lr": 1e-3}}}],
        "metrics": {"prefers": {"preference": {"first": {"evaluator": "train.x"},
                                               "second": "scores"}}},
        "outputs": {"pictures": {"image-grid": {"of": {"sigmoid": "logits"}, "rows": 2,
                                                "columns": 3}}}}


class Generative(harness.Case):
    def run_of(self, manifest, *arguments):
        """The folder of its only run."""
        self.tier("run", self.manifest(manifest, manifest["name"] + ".json"), *arguments)
        folders = sorted((self.folder / "runs" / manifest["name"]).iterdir(),
                         key=lambda f: f.stat().st_mtime_ns)
        return folders[-1]

    def series(self, folder, name):
        return [line["value"] for line in self.lines(folder / "metrics.jsonl")
                if line["name"] == name]

    def test_wgan_is_algorithm_1(self):
        for name, rows in (("real.csv", REAL), ("noise.csv", DRAWN)):
            lines = [",".join(map(repr, row)) for row in rows]
            (self.folder / name).write_text("\n".join(lines) + "\n")
        folder = self.run_of(wasserstein())
        critic, generator = by_hand()
        self.assertTrue(any(abs(w) == CLIP for w in critic))
        for name, expected in (("critic", critic), ("generator", generator)):
            found = npy(folder / "artifacts" / f"{name}.npy")
            self.assertEqual(len(found), len(expected))
            for value, number in zip(found, expected):
                self.assertAlmostEqual(value, number, delta=1e-10)

    def test_critic_with_gradient_penalty(self):
        folder = self.run_of(game())
        w1 = self.series(folder, "w1")
        self.assertTrue(all(math.isfinite(v) and v > 0 for v in w1))
        self.assertEqual(set(self.series(folder, "all_modes")), {8})
        self.assertTrue(all(0 <= v <= 8 for v in self.series(folder, "modes")))

    def test_the_number_of_threads_changes_nothing(self):
        first = self.run_of(game(), "--set", "compute.threads=1")
        kept = (first / "metrics.jsonl").read_bytes()
        second = self.run_of(game(), "--set", "compute.threads=2", "--force")
        self.assertEqual((second / "metrics.jsonl").read_bytes(), kept)
        self.assertGreater(len(kept), 1000)

    def test_matching_moments_lowers_the_discrepancy(self):
        values = self.series(self.run_of(matching()), "mmd")
        self.assertGreater(values[0], 0)
        self.assertLess(values[-1], 0.5 * values[0])

    def test_a_denoiser_learns(self):
        """Predicting 0 costs 1 on the average."""
        values = self.series(self.run_of(diffusion()), "learn.loss")
        self.assertLess(sum(values[-10:]) / 10, 0.75)

    def test_evaluator_and_pictures(self):
        folder = self.run_of(evaluator())
        self.assertTrue(all(0 <= v <= 1 for v in self.series(folder, "prefers")))
        png = (folder / "artifacts" / "pictures.png").read_bytes()
        self.assertEqual(png[:8], b"\x89PNG\r\n\x1a\n")
        self.assertEqual(struct.unpack(">II", png[16:24]), (3 * 29 - 1, 2 * 29 - 1))

    def test_a_base_below_one_stops_the_run(self):
        self.tier("run", self.manifest(evaluator()), "--set", "values.scale=-0.01", code=1)
        self.assertIn("both", self.messages)


if __name__ == "__main__":
    unittest.main()

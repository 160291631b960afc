"""Timing in alternation, agreement of results, sgemm rates."""

import statistics
import tempfile
import time

import numpy as np

from sides import Failure

BLOCK_SECONDS = 0.1  # one turn of a side takes at least about this
AGREEMENT = 1e-4     # relative error of hypergradients in float32
# Of what training changed: Adam's and RMSProp's first steps have the size of the learning rate
# however small the gradient, so elements whose gradient is rounding noise may move either way.
CHANGE_AGREEMENT = 1e-2


def relative_error(a, b):
    if a.shape != b.shape:
        raise Failure(f"results of {a.size} and {b.size} numbers")
    if not (np.isfinite(a).all() and np.isfinite(b).all()):
        return float("inf")
    return float(np.linalg.norm(a - b) / np.linalg.norm(b))


def start_values(workload, folder):
    parts = [np.fromfile(folder / f"start.{name}.f32", dtype=np.float32)
             for name in workload.change_from]
    return np.concatenate(parts).astype(np.float64)


def result_of(side):
    with tempfile.NamedTemporaryFile(suffix=".bin") as file:
        return side.result(file.name)


def verify(workload, folder, tier, torch):
    """The relative error of tier's result; Failure if it is too large, or if the sides did not do
    the same work."""
    tier.run(1)
    torch.run(1)
    ours, theirs = result_of(tier), result_of(torch)
    error = relative_error(ours, theirs)
    if not error <= AGREEMENT:
        raise Failure(f"the sides disagree: relative error {error:.1e} > {AGREEMENT:.0e}")
    if workload.change_from:
        start = start_values(workload, folder)
        change = relative_error(ours - start, theirs - start)
        if not change <= CHANGE_AGREEMENT:
            raise Failure(f"the sides disagree: of the change, {change:.1e} > {CHANGE_AGREEMENT}")
    counted = tier.facts().get("hvps")
    if workload.hvps >= 0 and counted != workload.hvps:
        raise Failure(f"tier computed {counted} Hessian-vector products, not {workload.hvps}")
    return error


def block_size(side):
    """Evaluations in one turn; warms up, too."""
    seconds = side.run(1)[0]
    if seconds < BLOCK_SECONDS:
        seconds = min(side.run(2))
    return max(1, min(500, round(BLOCK_SECONDS / seconds)))


def spread(values):
    """Median and quartiles."""
    if len(values) < 2:
        return values[0], values[0], values[0]
    low, middle, high = statistics.quantiles(values, n=4, method="inclusive")
    return middle, low, high


def screen(sides):
    """The fastest of some sides, by a few short turns."""
    if len(sides) == 1:
        return sides[0]
    counts = [block_size(s) for s in sides]
    best = [float("inf")] * len(sides)
    for _ in range(3):
        for i, side in enumerate(sides):
            best[i] = min(best[i], statistics.median(side.run(counts[i])))
    return sides[best.index(min(best))]


def alternate(first, second, rounds):
    """Medians of each turn's evaluations, in turns."""
    counts = block_size(first), block_size(second)
    times = [], []
    for _ in range(rounds):
        for k, side in enumerate((first, second)):
            time.sleep(0.01)  # threads of the other side go to sleep
            times[k].append(statistics.median(side.run(counts[k])))
    return times


def ratios(times):
    return [a / b for a, b in zip(*times)]


def flops(product):
    m, n, k = product[:3]
    return 2.0 * m * n * k


def sgemm_seconds(side, products, seconds=0.1):
    """How long the products take at the rate that sgemm reaches for each shape."""
    rates = {}
    total = 0.0
    for p in products:
        if p not in rates:
            rates[p] = float(side.ask("sgemm " + " ".join(map(str, p)) + f" {seconds}"))
        total += flops(p) / rates[p]
    return total

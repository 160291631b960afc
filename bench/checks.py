"""Properties of tier alone: share of the sgemm rate, growth with the samples, memory, compile time.

Each check yields rows (name, what, value, unit, spread, target, met)."""

import dataclasses
import statistics

import workloads
from inputs import write_inputs
from measure import alternate, block_size, flops, ratios, sgemm_seconds, spread
from sides import sgemm_side, tier_side


@dataclasses.dataclass
class Row:
    check: str
    what: str
    value: float
    low: float
    high: float
    target: str
    met: bool
    unit: str = ""


CLEAN = workloads.WORKLOADS[0]


def staged_hvp(bench):
    """The Hessian-vector product of clean at a bound linearization, sgemm and product in turns."""
    products = workloads.hvp(5000, workloads.CLEAN)
    workload = dataclasses.replace(CLEAN, task="staged-hvp")
    folder = write_inputs("clean", bench.inputs)
    for threads, least in ((1, 0.75), (2, 0.70)):
        if threads > bench.cpus:
            continue
        with tier_side(bench.build, workload, folder, threads, bench.kernels) as side, \
                sgemm_side(bench.build, threads, bench.kernels) as sgemm:
            count = block_size(side)
            shares, rates = [], []
            for _ in range(bench.rounds):
                needed = sgemm_seconds(sgemm, products, 0.05)
                seconds = statistics.median(side.run(count))
                shares.append(needed / seconds)
                rates.append(sum(map(flops, products)) / seconds)
        share, low, high = spread(shares)
        gflops = statistics.median(rates) / 1e9
        yield Row("staged_hvp", f"share of the sgemm rate, {threads} thread{'s' * (threads > 1)} "
                  f"({gflops:.0f} Gflop/s)", share, low, high, f">= {least:.2f}", share >= least)


def growth(bench):
    """Cost of clean_cg20 at 60,000 samples over 12 times that at 5,000."""
    folders = [write_inputs(name, bench.inputs) for name in ("clean", "clean60000")]
    for threads in sorted({1, bench.cpus}):
        with tier_side(bench.build, CLEAN, folders[0], threads, bench.kernels) as small, \
                tier_side(bench.build, CLEAN, folders[1], threads, bench.kernels) as large:
            per_sample = [r / 12 for r in ratios(alternate(large, small, min(bench.rounds, 5)))]
        value, low, high = spread(per_sample)
        yield Row("growth", f"cost a sample, 60,000 to 5,000 samples, {threads} "
                  f"thread{'s' * (threads > 1)}", value, low, high, "0.90 to 1.10",
                  0.9 <= value <= 1.1)


def cg_memory(bench):
    """Peak memory of clean with 80 iterations of CG over that with 5."""
    folder = write_inputs("clean", bench.inputs)
    peaks = []
    for iterations in (80, 5):
        path = f"levels.outer.through.inner.cg.iterations={iterations}"
        with tier_side(bench.build, CLEAN, folder, 1, bench.kernels, (path,)) as side:
            side.run(1)
            peaks.append(side.facts()["peak"])
    value = peaks[0] / peaks[1]
    yield Row("cg_memory", f"peak memory ({peaks[0] / 2**20:.0f} MiB), 80 to 5 iterations", value,
              value, value, "<= 1.02", value <= 1.02)


def making(bench):
    """Building and compiling all programs of a first hypergradient by CG."""
    for name, what, most in (("making_mlp", "an MLP problem", 3),
                             ("making_deep", "a problem of 50 layers", 30)):
        workload = dataclasses.replace(CLEAN, task="making", manifest=f"{name}.json")
        folder = write_inputs(name, bench.inputs)
        with tier_side(bench.build, workload, folder, 1, bench.kernels) as side:
            side.run(2)
            value, low, high = spread([1e3 * s for s in side.run(4 * bench.rounds)])
        yield Row(name, f"tracing and compiling {what}", value, low, high, f"< {most}",
                  value < most, "ms")


CHECKS = {"staged_hvp": staged_hvp, "growth": growth, "cg_memory": cg_memory, "making": making}

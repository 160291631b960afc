"""The workloads: what each side is asked to do, and the products that the mathematics needs."""

from dataclasses import dataclass, field

# A product C (m, n) = A (m, k) B (k, n); ta, tb: A, B are stored transposed.


def forward(rows, sizes):
    return [(rows, n, k, 0, 0) for k, n in sizes]


def weight_gradients(rows, sizes):
    return [(k, n, rows, 1, 0) for k, n in sizes]


def input_gradients(rows, sizes):
    return [(rows, k, n, 0, 1) for k, n in sizes]


def gradient(rows, sizes):
    return (forward(rows, sizes) + weight_gradients(rows, sizes)
            + input_gradients(rows, sizes[1:]))


def linearization(rows, sizes):
    """What stays fixed while Hessian-vector products are taken at one point."""
    return forward(rows, sizes) + input_gradients(rows, sizes[1:])


def tangent(rows, sizes):
    """The outputs' change along a direction in the weights, hidden values known."""
    return forward(rows, sizes) + forward(rows, sizes[1:])


def hvp(rows, sizes):
    """A Hessian-vector product at a fixed linearization: both factors of each product but the
    first layer's input move."""
    return (tangent(rows, sizes) + weight_gradients(rows, sizes)
            + weight_gradients(rows, sizes[1:]) + 2 * input_gradients(rows, sizes[1:]))


CLEAN = ((784, 256), (256, 10))
SMALL = ((784, 32), (32, 10))
LOGREG = ((784, 10),)
VALIDATION = 1000
VAE_FIRST, VAE_REST = ((784, 400),), ((400, 20), (400, 20), (20, 400), (400, 784))
GENERATOR, CRITIC = ((100, 256), (256, 784)), ((784, 256), (256, 1))


def cg_products(rows, validation, sizes, count, crosses):
    return (linearization(rows, sizes) + gradient(validation, sizes) + count * hvp(rows, sizes)
            + crosses * tangent(rows, sizes))


def unroll_products(rows, validation, sizes, steps, crosses):
    """The cross product of a step shares the tangents of its Hessian product; the first step needs
    only the former."""
    return (steps * gradient(rows, sizes) + gradient(validation, sizes)
            + (steps - 1) * hvp(rows, sizes) + crosses * tangent(rows, sizes))


VAE_PRODUCTS = 20 * (gradient(128, VAE_FIRST) + forward(128, VAE_REST)
                     + weight_gradients(128, VAE_REST) + input_gradients(128, VAE_REST))
WGAN_PRODUCTS = 4 * (5 * (forward(64, GENERATOR) + 2 * gradient(64, CRITIC))
                     + gradient(64, GENERATOR) + forward(64, CRITIC) + input_gradients(64, CRITIC))


@dataclass
class Workload:
    name: str
    what: str
    inputs: str                 # a folder of inputs.py
    peer: str                   # a task of peers/process.py
    arguments: dict             # of that task
    task: str                   # a task of driver.c
    products: list              # what the mathematics needs at least
    target: float = 0           # PyTorch's time / tier's, best thread count of each
    manifest: str = ""          # of manifests/
    sets: tuple = ()            # --set of the driver
    hvps: int = -1              # that one evaluation must count; -1: not said
    change_from: tuple = ()     # start values: what moved since must agree, too
    bare_target: float = 0      # without environment variables, where OpenBLAS misses the CPU
    memory_target: float = 0    # tier's peak memory / PyTorch's
    problem: str = field(default="")

    def __post_init__(self):
        self.problem = self.problem or self.inputs


def unrolling(steps, lr):
    return ("levels.outer.through.inner=unroll", f"levels.inner.steps={steps}",
            f'levels.inner.optimizer={{"sgd": {{"lr": {lr}}}}}')


def cg(name, what, inputs, damping, target, products, **more):
    return Workload(name, what, inputs, "cg", {"iterations": 20, "damping": damping}, "pullback",
                    products, target, manifest=f"{inputs}.json", hvps=20, **more)


def unroll(name, what, inputs, steps, target, products, **more):
    return Workload(name, what, inputs, "unroll", {"steps": steps, "lr": 0.05}, "hypergradient",
                    products, target, manifest=f"{inputs}.json", sets=unrolling(steps, 0.05),
                    hvps=steps, **more)


WORKLOADS = [
    cg("clean_cg20", "MLP 784-256-10, 5,000 weighted samples, 20 CG iterations", "clean", 0.1, 2.5,
       cg_products(5000, VALIDATION, CLEAN, 20, 1), bare_target=8),
    unroll("clean_unroll20", "the same, 20 gradient steps and the reverse pass", "clean", 20, 2.2,
           unroll_products(5000, VALIDATION, CLEAN, 20, 1), memory_target=0.25),
    cg("logreg_cg20", "softmax regression 784-10, 5,000 samples, an l2 coefficient per weight",
       "logreg", 0.1, 3, cg_products(5000, VALIDATION, LOGREG, 20, 0)),
    Workload("logreg_neumann20", "the same, 20 terms of the Neumann series", "logreg", "neumann",
             {"terms": 20, "lr": 0.02}, "pullback",
             cg_products(5000, VALIDATION, LOGREG, 19, 0), 3, manifest="logreg.json",
             sets=('levels.outer.through.inner={"neumann": {"terms": 20, "lr": 0.02}}',)),
    unroll("logreg_unroll100", "the same, 100 gradient steps and the reverse pass", "logreg", 100,
           2.5, unroll_products(5000, VALIDATION, LOGREG, 100, 0)),
    Workload("small_grad", "MLP 784-32-10, 64 samples: the gradient", "small", "gradient", {},
             "gradient", gradient(64, SMALL), 5, manifest="small.json"),
    Workload("small_hvp", "the same: a Hessian-vector product with its linearization", "small",
             "hvp", {}, "hvp", linearization(64, SMALL) + hvp(64, SMALL), 5,
             manifest="small.json"),
    cg("small_cg20", "the same, 20 CG iterations", "small", 0.3, 6,
       cg_products(64, 64, SMALL, 20, 1)),
    unroll("small_unroll20", "the same, 20 gradient steps and the reverse pass", "small", 20, 4,
           unroll_products(64, 64, SMALL, 20, 1)),
    Workload("vae20", "VAE 784-400-20-400-784, batch 128, 20 Adam steps", "vae", "vae",
             {"steps": 20}, "vae", VAE_PRODUCTS, 2, change_from=("vae",)),
    Workload("wgan4", "Wasserstein GAN, hidden 256, batch 64, 4 generator steps of 5 critic steps",
             "wgan", "wgan", {"steps": 4, "critic_steps": 5}, "wgan", WGAN_PRODUCTS, 2.5,
             change_from=("generator", "critic")),
]

"""Hypergradients with torch.autograd.

Implicit ones keep the graph of the inner gradient, and each Hessian-vector product is one more
backward pass through it, as hypertorch (Grazzi et al. 2020) does it. Unrolling records every inner
step with create_graph and differentiates the outer objective through all of them, as higher
(Grefenstette et al. 2019) does it.
"""

import torch

from problems import flatten


def leaves(problem):
    return [p.clone().requires_grad_() for p in problem.start]


def dot(xs, ys):
    return sum(torch.dot(x.reshape(-1), y.reshape(-1)) for x, y in zip(xs, ys)).item()


def conjugate_gradients(product, b, iterations):
    """x with A x = b; exactly `iterations` products."""
    x = [torch.zeros_like(t) for t in b]
    r = [t.clone() for t in b]
    p = [t.clone() for t in b]
    rr = dot(r, r)
    for _ in range(iterations):
        ap = product(p)
        alpha = rr / dot(p, ap)
        for i in range(len(x)):
            x[i].add_(p[i], alpha=alpha)
            r[i].sub_(ap[i], alpha=alpha)
        rr_next = dot(r, r)
        for i in range(len(p)):
            p[i].mul_(rr_next / rr).add_(r[i])
        rr = rr_next
    return x


def neumann(product, b, terms, lr):
    """lr times the sum of (I - lr A)^j b for j = 0 .. terms - 1."""
    term = [t.clone() for t in b]
    total = [t.clone() for t in b]
    for _ in range(terms - 1):
        for t, s, a in zip(term, total, product(term)):
            t.sub_(a, alpha=lr)
            s.add_(t)
    return [s.mul_(lr) for s in total]


def implicit(problem, damping, solve):
    """-(d2F/dtheta dw) q with (H + damping I) q = dE/dw, by `solve(product, b)`."""
    w = leaves(problem)
    gradient = torch.autograd.grad(problem.inner(w), w, create_graph=True)
    b = torch.autograd.grad(problem.outer(w), w)

    def product(v):
        hv = torch.autograd.grad(gradient, w, grad_outputs=v, retain_graph=True)
        return [h.add_(t, alpha=damping) for h, t in zip(hv, v)] if damping > 0 else hv

    q = solve(product, b)
    cross = torch.autograd.grad(gradient, problem.hyperparameters, grad_outputs=q)
    return [-c for c in cross]


def unroll(problem, steps, lr):
    """Differentiates through `steps` gradient steps from the start."""
    w = leaves(problem)
    for _ in range(steps):
        gradient = torch.autograd.grad(problem.inner(w), w, create_graph=True)
        w = [p - lr * g for p, g in zip(w, gradient)]
    return torch.autograd.grad(problem.outer(w), problem.hyperparameters)


# ---- tasks: each returns the function that is timed, and one that flattens what it returns ----

def cg_task(problem, iterations, damping):
    def solve(product, b):
        return conjugate_gradients(product, b, iterations)

    return lambda: implicit(problem, damping, solve), problem.flat_hypergradient


def neumann_task(problem, terms, lr):
    def solve(product, b):
        return neumann(product, b, terms, lr)

    return lambda: implicit(problem, 0, solve), problem.flat_hypergradient


def unroll_task(problem, steps, lr):
    return lambda: unroll(problem, steps, lr), problem.flat_hypergradient


def gradient_task(problem):
    w = leaves(problem)
    return lambda: torch.autograd.grad(problem.inner(w), w), flatten


def hvp_task(problem):
    """The inner gradient with its graph, and one product."""
    w = leaves(problem)

    def evaluate():
        gradient = torch.autograd.grad(problem.inner(w), w, create_graph=True)
        return torch.autograd.grad(gradient, w, grad_outputs=problem.direction)

    return evaluate, flatten

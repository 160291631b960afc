"""The nested problems of the benchmark in PyTorch: parameters, hyperparameters, both objectives."""

import numpy as np
import torch
import torch.nn.functional as F


def read(folder, name):
    return torch.from_numpy(np.fromfile(folder / f"{name}.f32", dtype=np.float32))


def layers(flat, sizes):
    """Weights (out, in) and biases of fully connected layers from a flat vector in tier's order."""
    parameters, at = [], 0
    for size_in, size_out in sizes:
        weight = flat[at:at + size_in * size_out].reshape(size_in, size_out)
        at += size_in * size_out
        parameters += [weight.t().contiguous(), flat[at:at + size_out].clone()]
        at += size_out
    return parameters


def flatten(parameters):
    """The inverse of `layers`."""
    return torch.cat([(p.t() if p.dim() == 2 else p).reshape(-1) for p in parameters])


def rows(folder, name):
    return (torch.from_numpy(np.load(folder / f"{name}_x.npy")),
            torch.from_numpy(np.load(folder / f"{name}_y.npy")))


class Cleaning:
    """An MLP with tanh; each training sample has the weight sigmoid(belief)."""

    def __init__(self, folder, hidden):
        self.train_x, self.train_y = rows(folder, "train")
        self.val_x, self.val_y = rows(folder, "val")
        self.sizes = [(self.train_x.shape[1], hidden), (hidden, 10)]
        self.start = layers(read(folder, "start.net"), self.sizes)
        self.hyperparameters = [read(folder, "start.belief").requires_grad_()]
        self.direction = layers(read(folder, "start.direction"), self.sizes)

    @staticmethod
    def logits(w, x):
        return F.linear(torch.tanh(F.linear(x, w[0], w[1])), w[2], w[3])

    def inner(self, w):
        loss = F.cross_entropy(self.logits(w, self.train_x), self.train_y, reduction="none")
        decay = sum(p.square().sum() for p in w)
        return (torch.sigmoid(self.hyperparameters[0]) * loss).mean() + 0.0005 * decay

    def outer(self, w):
        return F.cross_entropy(self.logits(w, self.val_x), self.val_y)

    def flat_hypergradient(self, gradients):
        return gradients[0]


class Logreg:
    """Softmax regression with the coefficient exp(log_l2) for the square of each weight."""

    def __init__(self, folder):
        self.train_x, self.train_y = rows(folder, "train")
        self.val_x, self.val_y = rows(folder, "val")
        self.sizes = [(self.train_x.shape[1], 10)]
        self.start = layers(read(folder, "start.net"), self.sizes)
        self.hyperparameters = [p.requires_grad_()
                                for p in layers(read(folder, "start.log_l2"), self.sizes)]

    def inner(self, w):
        loss = F.cross_entropy(F.linear(self.train_x, w[0], w[1]), self.train_y)
        decay = sum((h.exp() * p.square()).sum() for h, p in zip(self.hyperparameters, w))
        return loss + 0.5 * decay

    def outer(self, w):
        return F.cross_entropy(F.linear(self.val_x, w[0], w[1]), self.val_y)

    def flat_hypergradient(self, gradients):
        return flatten(gradients)


def problem(name, folder):
    if name == "logreg":
        return Logreg(folder)
    return Cleaning(folder, 32 if name == "small" else 256)

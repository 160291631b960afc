"""Writes the inputs that both sides read: random data and start values from fixed seeds.

Data are npy files, start values raw float32: start.NAME.f32, in tier's order (for each layer the
weight (in, out), then the bias (out)). A folder is written once; its name says what is in it.
"""

import zlib

import numpy as np

CLASSES = 10
PIXELS = 784


def write(folder, name, values):
    np.ascontiguousarray(values, dtype=np.float32).tofile(folder / f"{name}.f32")


def layers(rng, *pairs):
    """Weights and biases of fully connected layers, U(+-1/sqrt(in)), flat."""
    parts = []
    for size_in, size_out in pairs:
        bound = size_in ** -0.5
        parts.append(rng.uniform(-bound, bound, size_in * size_out))
        parts.append(rng.uniform(-bound, bound, size_out))
    return np.concatenate(parts)


def pixels(rng, *shape):
    """Numbers in [0, 1], of which one in five is not zero, as in pictures of digits."""
    x = rng.random(shape, dtype=np.float32)
    return x * (rng.random(shape, dtype=np.float32) < 0.2)


def write_rows(folder, rng, name, rows, features):
    np.save(folder / f"{name}_x.npy", pixels(rng, rows, features))
    np.save(folder / f"{name}_y.npy", rng.integers(0, CLASSES, rows, dtype=np.int64))


def write_cleaning(folder, rng, rows, sizes):
    """An MLP with one weight per sample."""
    write_rows(folder, rng, "train", rows, sizes[0])
    write_rows(folder, rng, "val", min(rows, 1000), sizes[0])
    net = layers(rng, *zip(sizes, sizes[1:]))
    write(folder, "start.net", net)
    write(folder, "start.belief", rng.normal(0, 1, rows))
    write(folder, "start.direction", rng.normal(0, 1, net.size))


def write_logreg(folder, rng, rows):
    write_rows(folder, rng, "train", rows, PIXELS)
    write_rows(folder, rng, "val", 1000, PIXELS)
    net = layers(rng, (PIXELS, CLASSES))
    write(folder, "start.net", net)
    write(folder, "start.log_l2", rng.normal(-7, 1, net.size))


def write_vae(folder, rng):
    steps, batch, hidden, latent = 20, 128, 400, 20
    write(folder, "x", pixels(rng, steps, batch, PIXELS))
    write(folder, "noise", rng.normal(0, 1, (steps, batch, latent)))
    write(folder, "start.vae", layers(rng, (PIXELS, hidden), (hidden, latent), (hidden, latent),
                                      (latent, hidden), (hidden, PIXELS)))


def write_wgan(folder, rng):
    steps, critic_steps, batch, hidden, latent = 4, 5, 64, 256, 100
    write(folder, "real", pixels(rng, steps, critic_steps, batch, PIXELS))
    write(folder, "critic_noise", rng.normal(0, 1, (steps, critic_steps, batch, latent)))
    write(folder, "generator_noise", rng.normal(0, 1, (steps, batch, latent)))
    write(folder, "start.generator", layers(rng, (latent, hidden), (hidden, PIXELS)))
    write(folder, "start.critic", layers(rng, (PIXELS, hidden), (hidden, 1)))


WRITERS = {
    "clean": lambda folder, rng: write_cleaning(folder, rng, 5000, (PIXELS, 256, CLASSES)),
    "clean60000": lambda folder, rng: write_cleaning(folder, rng, 60000, (PIXELS, 256, CLASSES)),
    "small": lambda folder, rng: write_cleaning(folder, rng, 64, (PIXELS, 32, CLASSES)),
    "making_mlp": lambda folder, rng: write_cleaning(folder, rng, 8, (16, 32, CLASSES)),
    "making_deep": lambda folder, rng: write_cleaning(folder, rng, 8, (16,) * 50 + (CLASSES,)),
    "logreg": lambda folder, rng: write_logreg(folder, rng, 5000),
    "vae": write_vae,
    "wgan": write_wgan,
}


def write_inputs(name, parent):
    """The folder PARENT/NAME with the inputs of that name, written if it is not there."""
    folder = parent / name
    mark = folder / "complete"
    if not mark.exists():
        folder.mkdir(parents=True, exist_ok=True)
        WRITERS[name](folder, np.random.default_rng(zlib.crc32(name.encode())))
        mark.touch()
    return folder

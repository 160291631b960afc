"""Training a VAE and a Wasserstein GAN in PyTorch: torch.nn, torch.optim, one backward pass a step.

The same as bench/vae_task.c and bench/wgan_task.c, on the same rows and noise.
"""

import torch
import torch.nn.functional as F
from torch import nn

from problems import flatten, layers, read


def load(model, flat):
    sizes = [(p.shape[1], p.shape[0]) for p in model.parameters() if p.dim() == 2]
    with torch.no_grad():
        for p, value in zip(model.parameters(), layers(flat, sizes)):
            p.copy_(value)


class VAE(nn.Module):
    def __init__(self):
        super().__init__()
        self.encoder = nn.Linear(784, 400)
        self.mean = nn.Linear(400, 20)
        self.log_variance = nn.Linear(400, 20)
        self.decoder = nn.Linear(20, 400)
        self.output = nn.Linear(400, 784)

    def loss(self, x, noise):
        hidden = F.relu(self.encoder(x))
        mean, log_variance = self.mean(hidden), self.log_variance(hidden)
        z = mean + torch.exp(0.5 * log_variance) * noise
        logits = self.output(F.relu(self.decoder(z)))
        bce = F.binary_cross_entropy_with_logits(logits, x, reduction="sum")
        divergence = -0.5 * torch.sum(1 + log_variance - mean.pow(2) - log_variance.exp())
        return (bce + divergence) / x.shape[0]


def vae_task(folder, steps):
    x = read(folder, "x").reshape(steps, 128, 784)
    noise = read(folder, "noise").reshape(steps, 128, 20)
    start = read(folder, "start.vae")
    model = VAE()

    def prepare():
        load(model, start)
        return torch.optim.Adam(model.parameters(), lr=1e-3)

    def evaluate(optimizer):
        for t in range(steps):
            optimizer.zero_grad(set_to_none=True)
            model.loss(x[t], noise[t]).backward()
            optimizer.step()
        return list(model.parameters())

    return prepare, evaluate, lambda p: flatten([q.detach() for q in p])


def wgan_task(folder, steps, critic_steps):
    real = read(folder, "real").reshape(steps, critic_steps, 64, 784)
    critic_noise = read(folder, "critic_noise").reshape(steps, critic_steps, 64, 100)
    generator_noise = read(folder, "generator_noise").reshape(steps, 64, 100)
    starts = read(folder, "start.generator"), read(folder, "start.critic")
    generator = nn.Sequential(nn.Linear(100, 256), nn.ReLU(), nn.Linear(256, 784), nn.Sigmoid())
    critic = nn.Sequential(nn.Linear(784, 256), nn.ReLU(), nn.Linear(256, 1))

    def prepare():
        load(generator, starts[0])
        load(critic, starts[1])
        return (torch.optim.RMSprop(generator.parameters(), lr=5e-5),
                torch.optim.RMSprop(critic.parameters(), lr=5e-5))

    def critic_step(optimizer, rows, noise):
        with torch.no_grad():
            fake = generator(noise)
        optimizer.zero_grad(set_to_none=True)
        (critic(fake).mean() - critic(rows).mean()).backward()
        optimizer.step()
        with torch.no_grad():
            for p in critic.parameters():
                p.clamp_(-0.01, 0.01)

    def generator_step(optimizer, noise):
        optimizer.zero_grad(set_to_none=True)
        for p in critic.parameters():
            p.requires_grad_(False)
        (-critic(generator(noise)).mean()).backward()
        for p in critic.parameters():
            p.requires_grad_(True)
        optimizer.step()

    def evaluate(optimizers):
        for t in range(steps):
            for k in range(critic_steps):
                critic_step(optimizers[1], real[t, k], critic_noise[t, k])
            generator_step(optimizers[0], generator_noise[t])
        return list(generator.parameters()) + list(critic.parameters())

    return prepare, evaluate, lambda p: flatten([q.detach() for q in p])

"""Train the network behind HyperLabelModel on simulated worlds, and write it where the package has it.

    python training/hyper/train.py [--steps 16000] [--seed 1] [--out src/consilience/label_models/hyper.npz]

Needs the extra `torch`. The loss is the cross-entropy of the truth with every class weighing the same, so that what is
learned is the evidence of the votes under even classes. Every 400 steps the loss and the accuracy on 192 worlds kept
aside are printed beside those of majority vote. One thread; a step takes about 40 ms.
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import cross_entropy

from network import Network, Worlds, total
from worlds import world

RATE = 3e-3
CLASSES = (2, 2, 2, 3, 4, 5, 6, 8, 10)
TOGETHER, LEAST_COVERED = 8, 20
HEAVIEST = 8.0  # how much a row of a rare class may weigh
UNCOVERED = 0.05  # weight of rows without votes in the loss
PACKAGE = Path(__file__).resolve().parents[2] / "src" / "consilience" / "label_models" / "hyper.npz"
Batch = tuple[Worlds, Tensor]


def batch(rng: np.random.Generator, n_worlds: int) -> Batch:
    """Worlds of one number of classes, and the truth of their rows."""
    k, made = int(rng.choice(CLASSES)), []
    while len(made) < n_worlds:
        votes, truth = world(rng, k)
        if (votes >= 0).any(axis=1).sum() >= LEAST_COVERED:
            made.append((votes, truth))
    return Worlds.of([votes for votes, _ in made], k), torch.as_tensor(np.concatenate([truth for _, truth in made]))


def loss_of(score: Tensor, made: Worlds, truth: Tensor) -> tuple[Tensor, Tensor]:
    """Mean loss on covered rows, and on the others; each class and each world weighs the same."""
    of_class = torch.zeros(made.n_worlds, made.k)
    of_class.index_put_((made.row_world, truth), torch.ones(len(truth)), accumulate=True)
    share = of_class / of_class.sum(dim=1, keepdim=True)
    weight = (1 / (made.k * share)).clamp(max=HEAVIEST)[made.row_world, truth]
    loss, covered = cross_entropy(score, truth, reduction="none") * weight, (made.votes_a_row() > 0).float()

    def mean(rows: Tensor, at_least: float) -> Tensor:
        sums = total(made.row_world, loss * rows, made.n_worlds)
        return (sums / (total(made.row_world, weight * rows, made.n_worlds) + at_least)).mean()

    return mean(covered, 0.0), mean(1 - covered, 1.0)


@torch.no_grad()
def scores(network: Network, batches: list[Batch]) -> str:
    """How good it is on worlds it has not seen, and how good counting is, ties broken by chance."""
    losses, right, counted = [], [], []
    for made, truth in batches:
        score, covered = network(made), made.votes_a_row() > 0
        losses.append(float(loss_of(score, made, truth)[0]))
        right.append(float((score.argmax(dim=1) == truth)[covered].float().mean()))
        votes = torch.zeros(made.n_rows, made.k)
        votes.index_put_((made.row, made.pair_class[made.pair]), torch.ones(len(made.row)), accumulate=True)
        noise = torch.rand(votes.shape, generator=torch.Generator().manual_seed(0))
        counted.append(float(((votes + 0.1 * noise).argmax(dim=1) == truth)[covered].float().mean()))
    return f"loss {np.mean(losses):.4f}  accuracy {np.mean(right):.4f}  majority vote {np.mean(counted):.4f}"


def train(steps: int, seed: int, out: Path) -> None:
    """Train for some steps, the learning rate falling to nothing; write the arrays at the end."""
    torch.set_num_threads(1)
    torch.manual_seed(seed)
    rng, aside = np.random.default_rng(seed), np.random.default_rng(999)
    kept_aside = [batch(aside, 16) for _ in range(12)]
    network = Network()
    optimizer = torch.optim.AdamW(network.parameters(), lr=RATE, weight_decay=1e-3)
    began = time.monotonic()
    for step in range(1, steps + 1):
        for group in optimizer.param_groups:
            group["lr"] = RATE * min(1, step / 100) * (1 - step / steps) + 1e-5
        made, truth = batch(rng, TOGETHER)
        covered, uncovered = loss_of(network(made), made, truth)
        optimizer.zero_grad()
        (covered + UNCOVERED * uncovered).backward()
        torch.nn.utils.clip_grad_norm_(network.parameters(), 1.0)
        optimizer.step()
        if step % 400 == 0:
            print(f"{step:6d} steps  {time.monotonic() - began:5.0f} s  {scores(network, kept_aside)}", flush=True)
    arrays = {name: value.numpy() for name, value in network.state_dict().items()}
    with out.open("wb") as opened:
        np.savez_compressed(opened, **arrays)
    print(f"{steps} steps; {scores(network, kept_aside)}; {out}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--steps", type=int, default=16_000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--out", type=Path, default=PACKAGE)
    options = parser.parse_args()
    train(options.steps, options.seed, options.out)


if __name__ == "__main__":
    main()

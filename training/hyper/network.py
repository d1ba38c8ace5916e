"""The network behind HyperLabelModel, as it is trained. What it computes is said in label_models/hyper.py.

Many worlds of as many classes go through at once: their cells, pairs and rows lie one after the other.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.functional import gelu, one_hot

SMALL = 1e-3
PAIR_FIGURES, CLASS_FIGURES, ROW_FIGURES = 22, 9, 10


class Mlp(nn.Module):
    """Two hidden layers; says 0 before training."""

    def __init__(self, inputs: int, width: int) -> None:
        super().__init__()
        self.a, self.b, self.c = nn.Linear(inputs, width), nn.Linear(width, width), nn.Linear(width, 1)
        nn.init.zeros_(self.c.weight)
        nn.init.zeros_(self.c.bias)

    def forward(self, x: Tensor) -> Tensor:
        return self.c(gelu(self.b(gelu(self.a(x)))))


@dataclass(frozen=True)
class Worlds:
    """Several worlds as one: row and pair of each cell; function, class and world of each pair; world of each row."""

    k: int
    n_worlds: int
    n_functions: int
    row: Tensor
    pair: Tensor
    pair_function: Tensor
    pair_class: Tensor
    pair_world: Tensor
    row_world: Tensor
    functions_in: Tensor

    @classmethod
    def of(cls, all_votes: Sequence[np.ndarray], k: int) -> Worlds:
        row, pair, function, said, pair_world, row_world, functions = [], [], [], [], [], [], []
        rows = pairs = before = 0
        for place, votes in enumerate(all_votes):
            i, j = np.nonzero(votes >= 0)
            found, which = np.unique(j * k + votes[i, j], return_inverse=True)
            row.append(i + rows)
            pair.append(which + pairs)
            function.append(found // k + before)
            said.append(found % k)
            pair_world.append(np.full(len(found), place))
            row_world.append(np.full(len(votes), place))
            functions.append(len(np.unique(j)))
            rows, pairs, before = rows + len(votes), pairs + len(found), before + votes.shape[1]
        parts = (row, pair, function, said, pair_world, row_world)
        joined = [torch.as_tensor(np.concatenate(part)) for part in parts]
        return cls(k, len(all_votes), before, *joined, torch.tensor(functions).float())

    @property
    def n_rows(self) -> int:
        return len(self.row_world)

    def votes_a_row(self) -> Tensor:
        return total(self.row, torch.ones(len(self.row)), self.n_rows)


def total(place: Tensor, value: Tensor, size: int) -> Tensor:
    """Sums of values by place."""
    return torch.zeros((size, *value.shape[1:])).index_add(0, place, value)


class Network(nn.Module):
    """From votes to log-odds of the classes of each row."""

    def __init__(self, layers: int = 4, width: int = 32) -> None:
        super().__init__()
        self.start = nn.Parameter(torch.tensor(1.0))
        self.pair = nn.ModuleList(Mlp(PAIR_FIGURES, width) for _ in range(layers))
        self.bias = nn.ModuleList(Mlp(CLASS_FIGURES, 16) for _ in range(layers))
        self.scale = Mlp(ROW_FIGURES, 16)
        self.base = nn.Parameter(torch.full((layers,), 1.0))
        self.lift = nn.Parameter(torch.full((layers,), 0.3))
        self.pi = nn.Parameter(torch.full((layers,), 0.2))

    def forward(self, made: Worlds) -> Tensor:
        """returns: (rows, k)."""
        still = Still(made)
        weights = self.start * (still.same - 1 / made.k)
        score = total(made.row, weights[made.pair], made.n_rows)
        for layer in range(len(self.pair)):
            of_pairs, of_classes, lift, log_balance = still.figures(score, weights)
            weights = self.pair[layer](of_pairs)[..., 0] + self.base[layer] * still.same + self.lift[layer] * lift
            weights = weights - weights.mean(dim=1, keepdim=True)
            bias = self.bias[layer](of_classes)[..., 0] + self.pi[layer] * log_balance
            score = total(made.row, weights[made.pair], made.n_rows) + bias[made.row_world]
        return score * torch.exp(self.scale(still.of_rows(score)))


class Still:
    """The figures of some worlds: those that no layer changes, and from them those of a layer."""

    def __init__(self, made: Worlds) -> None:
        self.made, k = made, made.k
        n_pairs, row, pair = len(made.pair_class), made.row, made.pair
        one, self.n_votes = torch.ones(len(row)), made.votes_a_row()
        self.covered = (self.n_votes > 0).float()
        self.rows = total(made.row_world, torch.ones(made.n_rows), made.n_worlds)
        self.covered_rows = total(made.row_world, self.covered, made.n_worlds)
        self.heard = (self.n_votes[row] > 1).float()
        self.votes_of = total(pair, one, n_pairs)
        self.heard_of = total(pair, self.heard, n_pairs)
        self.same = one_hot(made.pair_class, k).float()
        by_label = total(made.pair_world, self.same * self.votes_of[:, None], made.n_worlds)
        self.shares = by_label / by_label.sum(dim=1, keepdim=True)
        self.voters = total(made.pair_world, self.same, made.n_worlds) / made.functions_in[:, None]
        self.class_votes = total(row, self.same[pair], made.n_rows)
        agreeing = self.class_votes[row, made.pair_class[pair]] - 1
        others = self.n_votes[row] - 1
        self.agreeing = total(pair, agreeing, n_pairs) / self.votes_of
        self.differing = total(pair, others - agreeing, n_pairs) / self.votes_of
        of_function = total(made.pair_function, self.votes_of, made.n_functions)[made.pair_function]
        self.share_of_function = self.votes_of / of_function
        self.several = (self.votes_of < of_function - 0.5).float()
        cell_world = made.row_world[row]
        agreement = total(cell_world, agreeing, made.n_worlds) / (total(cell_world, others, made.n_worlds) + 1)
        self.world = torch.stack(
            [
                torch.log(made.functions_in),
                torch.log(by_label.sum(dim=1) / self.rows),
                torch.full((made.n_worlds,), math.log(k)),
                torch.log(self.rows) / 3,
                agreement,
                self.covered_rows / self.rows,
            ],
            dim=1,
        )

    def figures(self, score: Tensor, weights: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """of pairs (pairs, k, 22), of classes (worlds, k, 9), lift (pairs, k), log balance (worlds, k)."""
        made, world, n_pairs = self.made, self.made.pair_world, len(weights)
        overall = torch.softmax(score, dim=1) * self.covered[:, None]
        balance = total(made.row_world, overall, made.n_worlds) / self.covered_rows[:, None]
        log_balance = torch.log(balance + SMALL)
        without = torch.softmax(score[made.row] - weights[made.pair], dim=1)  # what the other votes of the row say
        n_heard = self.heard_of[:, None] + 1
        others = (total(made.pair, without * self.heard[:, None], n_pairs) + balance[world]) / n_heard
        sharp = total(made.pair, self.heard * (without**2).sum(dim=1), n_pairs)[:, None] / n_heard
        lift = torch.log(others + SMALL) - log_balance[world]
        label = made.pair_class[:, None]

        def wide(figure: Tensor) -> Tensor:
            return figure.reshape(n_pairs, 1).expand(n_pairs, made.k)

        of_pairs = [
            self.same, lift, others, wide(others.gather(1, label)), wide(lift.gather(1, label)), wide(sharp),
            wide(torch.log(self.votes_of) / 3), wide(torch.log1p(self.heard_of) / 3),
            wide(torch.log(self.votes_of / self.rows[world])), wide(self.share_of_function), wide(self.several),
            log_balance[world], wide(log_balance[world].gather(1, label)), torch.log(self.shares[world] + SMALL),
            wide(torch.log(self.shares[world].gather(1, label))), self.voters[world],
            wide(torch.log1p(self.agreeing)), wide(torch.log1p(self.differing)),
            *(wide(self.world[world, place]) for place in (0, 1, 2, 4)),
        ]  # fmt: skip
        per_class = [log_balance[..., None], torch.log(self.shares + SMALL)[..., None], self.voters[..., None]]
        whole = self.world[:, None, :].expand(-1, made.k, -1)
        return torch.stack(of_pairs, dim=2), torch.cat([*per_class, whole], dim=2), lift, log_balance

    def of_rows(self, score: Tensor) -> Tensor:
        """What says how sure to be of a row. returns: (rows, 10)."""
        most = self.class_votes.max(dim=1).values
        spread = score.max(dim=1).values - score.min(dim=1).values
        figures = [
            self.n_votes.log1p(),
            most / self.n_votes.clamp(min=1),
            (self.n_votes - most).log1p(),
            spread.log1p(),
        ]
        return torch.cat([torch.stack(figures, dim=1), self.world[self.made.row_world]], dim=1)

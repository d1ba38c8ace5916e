"""Runs the experiments of label_models.md, and writes their pictures and figures into docs/_made/. About 20 seconds."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from matplotlib.figure import Figure

from consilience import DawidSkene, LabelMatrix, LabelModel, MajorityVote
from consilience.label_models import Committee, HyperLabelModel
from consilience.label_models.plots import plot_calibration, plot_dependencies
from consilience.label_models.structure import find_dependencies
from consilience.testing import Simulated, simulate

MADE = Path(__file__).with_name("_made")
SEEDS = (0, 1, 2)
COLOURS = {"majority vote": "#767676", "LabelModel": "#0b62a4", "best possible": "#2a9d5c", "Dawid-Skene": "#c8553d",
           "HyperLabelModel": "#8458b3", "committee": "#d9a300"}  # fmt: skip


def right(model, made: Simulated) -> float:
    """Share of the covered rows that a fitted model gets right, in percent."""
    covered = made.matrix.covered
    return 100 * float((model.predict_codes(made.matrix) == made.truth)[covered].mean())


def best(made: Simulated) -> float:
    """The same of the best guess anybody can make, who knows all tables."""
    return 100 * float((made.bayes_codes() == made.truth)[made.matrix.covered].mean())


def by_density() -> list[dict[str, float]]:
    """20 functions, 55 to 90% right, that vote on more and more rows."""
    lines = []
    for density in (0.4, 0.7, 1, 1.5, 2.5, 4, 7, 12, 19):
        share = density / 20
        found = []
        for seed in SEEDS:
            made = simulate(10_000, 20, ["a", "b"], accuracy=(0.55, 0.9), coverage=(share, share), seed=seed)
            model = LabelModel().fit(made.matrix)
            counted = right(MajorityVote().fit(made.matrix), made)
            bound = 100 * model.findings_.advantage_bound
            found.append([counted, right(model, made), best(made), bound, model.findings_.chosen == "majority vote"])
        counted, learned, top, bound, counting = np.mean(found, axis=0)
        lines.append({"votes a row": density, "majority vote": counted, "LabelModel": learned, "best possible": top,
                      "bound": bound, "picked counting": counting})  # fmt: skip
    return lines


def by_clones() -> list[dict[str, float]]:
    """Five good functions, and one poor one that more and more others repeat."""
    lines = []
    for clones in range(8):
        found = []
        for seed in SEEDS:
            made = with_clones(clones, seed)
            models = (MajorityVote(), DawidSkene(), LabelModel())
            found.append([right(model.fit(made.matrix), made) for model in models])
        counted, plain, learned = np.mean(found, axis=0)
        lines.append({"clones": clones, "majority vote": counted, "Dawid-Skene": plain, "LabelModel": learned})
    return lines


def with_clones(clones: int, seed: int) -> Simulated:
    """Votes of five functions that are right on 80% of the rows, one that is on 55%, and clones of that."""
    good = simulate(10_000, 5, ["a", "b"], accuracy=(0.8, 0.8), coverage=(0.8, 0.8), seed=seed)
    rng = np.random.default_rng(seed + 100)
    poor = np.where(rng.random(10_000) < 0.55, good.truth, 1 - good.truth)
    votes = [np.where(rng.random(10_000) < 0.8, poor, -1)]
    votes += [np.where(rng.random(10_000) < 0.9, votes[0], -1) for _ in range(clones)]
    matrix = LabelMatrix.from_votes(np.column_stack([good.matrix.votes, *votes]), ["a", "b"])
    return Simulated(matrix, good.truth, good.theta, good.balance, good.own)


def by_rows() -> list[dict[str, float]]:
    """Ten functions, more and more rows to learn from; scored on ten thousand others."""
    lines = []
    for n in (30, 60, 120, 250, 500, 1000, 3000, 10_000):
        found = []
        for seed in range(8):
            made = simulate(20_000, 10, ["a", "b"], accuracy=(0.5, 0.95), coverage=(0.2, 0.6), seed=seed)
            learn, rest = made.matrix.take(np.arange(n)), np.arange(10_000, 20_000)
            scored = Simulated(made.matrix.take(rest), made.truth[rest], made.theta, made.balance, made.own)
            models = (MajorityVote(), DawidSkene(), HyperLabelModel(), Committee(), LabelModel())
            found.append([*(right(model.fit(learn), scored) for model in models), best(scored)])
        names = ("majority vote", "Dawid-Skene", "HyperLabelModel", "committee", "LabelModel", "best possible")
        lines.append({"rows": n, **dict(zip(names, np.mean(found, axis=0), strict=True))})
    return lines


def lines_of(lines: list[dict[str, float]], x: str, names: list[str], title: str, log: bool, path: str) -> None:
    """One picture: accuracies of models against x."""
    figure = Figure(figsize=(7, 3.6), layout="constrained")
    axes = figure.subplots()
    for name in names:
        style = "--" if name == "best possible" else "-"
        axes.plot([line[x] for line in lines], [line[name] for line in lines], style, marker="o", ms=4, label=name,
                  color=COLOURS[name])  # fmt: skip
    axes.set(xlabel=x, ylabel="right, % of covered rows", title=title, **({"xscale": "log"} if log else {}))
    axes.grid(alpha=0.3)
    axes.spines[["top", "right"]].set_visible(False)
    if log:
        axes.set_xticks([line[x] for line in lines], labels=[f"{line[x]:g}" for line in lines])
        axes.minorticks_off()
    axes.legend(frameon=False, loc="center left", bbox_to_anchor=(1, 0.5))
    figure.savefig(MADE / path, dpi=110)


def table(lines: list[dict[str, float]]) -> str:
    """The lines in Markdown."""
    columns = list(lines[0])
    rows = ["| " + " | ".join(columns) + " |", "|" + "---:|" * len(columns)]
    for line in lines:
        cells = [f"{value:g}" if name in columns[:1] else f"{value:.1f}" for name, value in line.items()]
        rows.append("| " + " | ".join(cells) + " |")
    return "\n".join(rows) + "\n"


def main() -> None:
    """All of it."""
    MADE.mkdir(exist_ok=True)
    density, clones, rows = by_density(), by_clones(), by_rows()
    for line in density:
        line["picked counting"] *= 100
    names = ["majority vote", "LabelModel", "best possible"]
    lines_of(density, "votes a row", names, "20 functions that vote more and more often", True, "density.png")
    names = ["majority vote", "Dawid-Skene", "LabelModel"]
    lines_of(clones, "clones", names, "5 good functions, a poor one, and clones of that", False, "clones.png")
    names = ["majority vote", "Dawid-Skene", "HyperLabelModel", "committee", "LabelModel", "best possible"]
    lines_of(rows, "rows", names, "10 functions, more and more rows to learn from", True, "rows.png")
    for name, lines in (("density", density), ("clones", clones), ("rows", rows)):
        (MADE / f"{name}.md").write_text(table(lines), "utf-8")
    made = with_clones(4, 0)
    with_gold = made.matrix.with_gold(made.truth.astype(np.int16))
    for name, model in (("plain", DawidSkene()), ("linked", LabelModel())):
        plot_calibration(model.fit(made.matrix), with_gold).savefig(MADE / f"calibration-{name}.png", dpi=90)
    found = find_dependencies(made.matrix)
    places = {name: place for place, name in enumerate(made.matrix.names)}
    strengths = {(places[a], places[b]): s for (a, b), s in zip(found.pairs, found.strengths, strict=True)}
    plot_dependencies(strengths, made.matrix.names).savefig(MADE / "dependencies.png", dpi=90)


if __name__ == "__main__":
    main()

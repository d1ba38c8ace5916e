"""A project: the whole way from rows to a trained model, kept in one folder. The command line and notebooks share it.

Everything it does can be done in memory without it; it adds settings, a store, and a record of runs.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from consilience.data.labels import ABSTAIN, Labels
from consilience.data.read import read
from consilience.data.split import Split, split
from consilience.data.table import Reject, Table, add_rejects, beginning, concat
from consilience.data.training_set import TrainingSet
from consilience.end_models.report import Report, make_report, report_votes
from consilience.end_models.text_classifier import TextClassifier
from consilience.errors import DataError, ModelError, StoreError, nearest
from consilience.label_models.base import BaseLabelModel
from consilience.label_models.choose import LabelModel
from consilience.label_models.label_files import label_files
from consilience.label_models.majority import MajorityVote
from consilience.label_models.zoo import load_label_model, model_named, names_of_models
from consilience.labeling.apply import apply_running
from consilience.labeling.apply_files import VoteFiles, apply_files
from consilience.labeling.matrix import LabelMatrix
from consilience.labeling.running import Running
from consilience.progress import working
from consilience.project.columns import StoredColumns, infos_of
from consilience.project.config import FILE, Config, load_config
from consilience.project.functions import DECLARED, WRITTEN, project_functions
from consilience.project.templates import DECLARED_TEMPLATE, WRITTEN_TEMPLATE
from consilience.project.trust import is_trusted, trust
from consilience.store.arrays import pack
from consilience.store.catalogue import Catalogue
from consilience.store.files import Blobs, replacing
from consilience.views import plain

PART_ROWS = 100_000  # rows whose votes are computed and kept together
IN_STORE = ("blobs", "catalogue.sqlite", "vectors", "rejects.jsonl", "token")
REJECTS = "rejects.jsonl"  # in the store: every row that was set aside, with its file and line


@dataclass(frozen=True)
class Run:
    """Something that was done: a number, what, when, and what came of it."""

    id: int
    kind: str
    started: float
    record: dict[str, Any]
    blob: str | None = None


@dataclass(frozen=True)
class Added:
    """What `add` did: rows that came in, and those set aside."""

    n_rows: int
    rejects: tuple[Reject, ...]
    was_there: bool = False


class Project:
    """An open project folder.

    folder: holds consilience.toml. clock: gives the time of a run, in seconds since 1970.
    raises: StoreError if there is no project there or its settings or store are damaged.

    >>> import tempfile
    >>> folder = Path(tempfile.mkdtemp())
    >>> project = Project.init(folder, labels=["ham", "spam"], gold="label", trusted=False)
    >>> project.add([{"text": "free prize", "label": "spam"}, {"text": "see you"}]).n_rows
    2
    >>> project.close()
    """

    def __init__(self, folder: Path | str, *, clock: Callable[[], float] = time.time) -> None:
        self.folder = Path(folder).resolve()
        self.config = load_config(self.folder)
        self.clock = clock
        self.store = self.folder / ".consilience"
        _check_links(self.folder, self.store)
        self.blobs = Blobs(self.store / "blobs")
        self.catalogue = Catalogue(self.store / "catalogue.sqlite")
        self.columns = StoredColumns(self.catalogue, self.blobs)

    @classmethod
    def init(
        cls,
        folder: Path | str,
        *,
        labels: Iterable[str],
        text: str = "text",
        id: str | None = None,
        gold: str | None = None,
        gold_names: dict[str, str] | None = None,
        split: Mapping[str, Any] | None = None,
        trusted: bool = True,
        clock: Callable[[], float] = time.time,
    ) -> Project:
        """Make a project: settings, and two files of example functions to edit (kept if they are there).

        labels: names, or Labels with groups. trusted: let its lfs.py run, if this call made it.
        raises: StoreError if there is a project already.
        """
        folder = Path(folder)
        if (folder / FILE).exists():
            raise StoreError(f"There is a project in {folder} already.\nFix: use it, or choose another folder.")
        config = Config(Labels.of(labels), text, id, gold, gold_names, dict(split or {}))
        came_with_python = (folder / WRITTEN).exists()
        files = {
            DECLARED: DECLARED_TEMPLATE,
            WRITTEN: WRITTEN_TEMPLATE,
            ".consilience/.gitignore": "*\n",
            FILE: config.toml(),
        }
        for name, content in files.items():
            if not (folder / name).exists():
                with replacing(folder / name) as out:
                    out.write(content.encode())
        if trusted and not came_with_python:
            trust(folder)
        return cls(folder, clock=clock)

    def close(self) -> None:
        """Let go of the store."""
        self.catalogue.close()

    # rows

    def add(self, source: Any, **options: Any) -> Added:
        """Read rows into the project, with the settings' columns; options go to `read`.

        Rows whose id the project already has are set aside; the same rows twice change nothing. Once some rows came
        with the gold column, later ones may come without it. What is set aside is also added to rejects.jsonl in
        .consilience, with the file it was in.
        """
        config = self.config
        options = {"text": config.text, "id": config.id, "gold": config.gold, "gold_names": config.gold_names} | options
        known = any(part.gold_column for part in self.parts.values())  # gold once: a file without the column has none
        labels = None if options["gold"] is None else config.labels
        table = read(source, labels=labels, gold_may_be_absent=known, **options)
        name = str(source) if isinstance(source, (str, Path)) else "memory"
        with self.catalogue.writing():  # from the check to the note, so that two processes cannot add the same id
            self._forget()
            if all(part.fingerprint in self.parts for part in _cut(table)):
                return Added(0, (), was_there=True)
            table, rejects = self._without_known(table)
            for place, part in enumerate(_cut(table)):
                self._note_part(part, rejects if place == 0 else (), name)
            if rejects:
                add_rejects(rejects, self.store / REJECTS, source)
        self._forget()
        return Added(len(table), rejects)

    def _note_part(self, table: Table, rejects: tuple[Reject, ...], source: str) -> None:
        blob = self.blobs.put(_parquet(table.frame))
        part = (table.fingerprint, blob, source, len(table), self.clock())
        self.catalogue.write("INSERT INTO part VALUES (?, ?, ?, ?, ?)", *part)
        for reject in rejects:
            line = (table.fingerprint, reject.line, reject.reason, reject.content)
            self.catalogue.write("INSERT INTO reject VALUES (?, ?, ?, ?)", *line)

    def _without_known(self, table: Table) -> tuple[Table, tuple[Reject, ...]]:
        """The rows whose ids are new, and the rejects with those whose ids are not."""
        known = [part.ids for part in self.parts.values()]
        if not known:
            return table, table.rejects
        taken = table.ids.is_in(pl.concat(known).implode()) if known[0].dtype == table.ids.dtype else None
        if taken is None:
            raise DataError(
                f"The ids of these rows are {table.ids.dtype}, those of the project {known[0].dtype}.\n"
                "Fix: name the same id column, with values of one type."
            )
        old = [
            Reject(
                table.line(place),
                f"the project already has the id {table.ids[place]!r}",
                beginning(table.frame.row(place)),
            )
            for place in taken.arg_true().to_list()
        ]
        rejects = sorted([*table.rejects, *old], key=lambda reject: reject.line)
        return table.take((~taken).to_numpy()), tuple(rejects)

    @cached_property
    def parts(self) -> dict[str, Table]:
        """The tables that were added, by fingerprint, in order; large ones in pieces."""
        rows = self.catalogue.all("SELECT fingerprint, blob FROM part ORDER BY added, rowid")
        return {row["fingerprint"]: self._part(row["blob"], row["fingerprint"]) for row in rows}

    def _part(self, blob: str, fingerprint: str) -> Table:
        frame = pl.read_parquet(BytesIO(self.blobs.get(blob)))
        gold = self.config.gold if self.config.gold in frame.columns else None
        table = Table(frame, id=self.config.id or "id", text=self.config.text, gold=gold, labels=self.config.labels)
        table.__dict__["fingerprint"] = fingerprint  # its rows were hashed when they came
        return table

    @cached_property
    def table(self) -> Table:
        """All rows."""
        return concat(list(self.parts.values()))

    @cached_property
    def split(self) -> Split:
        """train, dev and test, as the settings say; else half of the gold is test (at most 500 rows), a quarter dev."""
        settings = dict(self.config.split)
        if not settings:
            n = self.table.n_gold
            settings = {"dev": min(250, n // 4), "test": min(500, n // 2)}
        sizes = {name: size for name, size in settings.items() if name in ("dev", "test") and size}
        if not sizes and "column" not in settings:
            return Split({"train": self.table})
        options = {name: settings[name] for name in ("seed", "by", "column") if name in settings}
        return split(self.table, **options, **({} if "column" in settings else sizes))

    def part_named(self, name: str) -> Table:
        """One part of the split, or all rows. Raises DataError if there is none or it is empty."""
        if name == "all":
            return self.table
        names = [key for key, _ in self.split.items()]
        if name not in names:
            why = "" if self.table.n_gold else " No row has gold, so nothing can be kept apart to score with."
            raise DataError(f"There is no part {name!r}.{why}\nFix: {nearest(name, [*names, 'all'])}")
        return self.split[name]

    # votes

    def apply(self, *, python: bool = True, workers: int | None = None, deadline_s: float = 60.0) -> LabelMatrix:
        """Apply the project's functions to all rows; only what changed is computed.

        Rows are dealt with in pieces of 100,000, whose votes are kept as soon as they are there: a run that was killed
        goes on where it was. python: also the functions of lfs.py. workers, deadline_s: as for `apply`.
        """
        functions = project_functions(self.folder, python=python)
        if not functions:
            raise DataError(
                f"There are no labeling functions yet.\nFix: write some in {self.folder / DECLARED} or {WRITTEN}."
            )
        began, table, labels = time.perf_counter(), self.table, self.config.labels
        with Running(functions, labels, workers=workers, deadline_s=deadline_s) as running:
            missing = [(len(part), self._missing(running, part)) for part in self.parts.values()]
            running.n_rows = rows_to_do = sum(rows for rows, n in missing if n)
            with working("applying functions", sum(rows * n for rows, n in missing)) as tick:
                matrices = [apply_running(running, part, self.columns, tick) for part in self.parts.values()]
        matrix = LabelMatrix.stack(matrices, table)
        self._note_apply(matrix, rows_to_do, time.perf_counter() - began)
        self.__dict__["matrix"] = matrix
        return matrix

    def _missing(self, running: Running, part: Table) -> int:
        """How many of the functions have no votes on a part yet."""
        return sum(f"{key}-{part.fingerprint}" not in self.columns for key in running.keys)

    def _note_apply(self, matrix: LabelMatrix, rows_computed: int, seconds: float) -> None:
        applied = [
            {
                "name": f.name,
                "kind": f.kind,
                "labels": f.labels,
                "description": f.description,
                "fingerprint": f.fingerprint,
                "from_store": f.from_store,
                "errors": f.failure.count if f.failure else 0,
                "seconds": round(f.seconds, 4),
            }
            for f in matrix.functions
        ]
        record = {
            "functions": applied,
            "rows": len(matrix),
            "rows_computed": rows_computed,
            "seconds": round(seconds, 4),
            "parts": list(self.parts),
            "labels": list(self.config.labels),
            "groups": self._groups(),
        }
        self.catalogue.add_run("apply", self.clock(), record)

    @cached_property
    def matrix(self) -> LabelMatrix:
        """The votes of the last `apply`, from the store: none of the project's code runs.

        raises: StoreError if nothing was applied yet, or rows were added or labels changed since.
        """
        last = self._last("apply", "apply the functions", "consilience apply")
        then = (last.record["parts"], last.record["labels"], last.record.get("groups", []))
        if then != (list(self.parts), list(self.config.labels), self._groups()):
            raise StoreError("Rows or labels have changed since the last apply.\nFix: run `consilience apply`.")
        infos = infos_of(last.record)
        parts = [self.columns.matrix(infos, part, self.config.labels) for part in self.parts.values()]
        return LabelMatrix.stack(parts, self.table)

    def _groups(self) -> list[list[Any]]:
        """The groups of labels in the settings, as a run's record keeps them."""
        return [[name, list(members)] for name, members in self.config.labels.groups.items()]

    def open_matrix(self, part: str = "all") -> LabelMatrix:
        """The votes as people may look at them while they write functions: its only gold is that of dev rows."""
        dev = dict(self.split.items()).get("dev")
        dev_ids = dev.ids if dev is not None else self.table.ids.clear()
        seen = self.matrix.ids.is_in(dev_ids.implode()).to_numpy()
        matrix = self.matrix.with_gold(np.where(seen, self.matrix.gold, ABSTAIN).astype(np.int16))
        return matrix if part == "all" else matrix.on(self.part_named(part))

    # models

    def fit(self, model: str = "auto", *, gold: bool = False, seed: int = 0) -> tuple[BaseLabelModel, Run]:
        """Fit a label model on the votes on train rows.

        model: "auto", "majority", or the name of another in small letters, such as "dawid-skene"; see
            consilience.label_models. gold: let it use the gold of dev rows too.
        """
        models = names_of_models()
        if model not in models:
            raise ModelError(f"There is no label model {model!r}.\nFix: {nearest(model, models)}")
        votes = self.matrix.on(self.split["train"])
        known = self.matrix.on(self.part_named("dev")) if gold else None
        fitted = model_named(models[model])().fit(votes, gold=known, seed=seed)
        record: dict[str, Any] = {
            "model": model,
            "gold": gold,
            "seed": seed,
            "rows": len(votes),
            "functions": {f.name: f.fingerprint for f in votes.functions},
            "accuracies": dict(zip(fitted.function_names_, map(plain, fitted.accuracies_.tolist()), strict=True)),
            "findings": fitted.findings(),
        }
        dev = self._scored(fitted, "dev")
        record["figures"] = {} if dev is None else {"dev": dev.view().records()[0]}
        return fitted, self._keep("fit", record, pack(fitted.kind, *fitted.state()))

    def label_model(self) -> BaseLabelModel:
        """The label model fitted last."""
        run = self._last("fit", "fit a label model", "consilience fit")
        return load_label_model(self.blobs.get(run.blob or ""))

    def label_files(
        self,
        files: Iterable[Path | str],
        into: Path | str,
        *,
        fit: bool = False,
        python: bool = True,
        workers: int | None = None,
        deadline_s: float = 60.0,
    ) -> tuple[VoteFiles, list[Path]]:
        """Votes and probabilities of rows in Parquet files that need not fit in memory; only what changed is computed.

        into: its folders "votes" and "labels" get a file for each piece of the rows. fit: fit a label model on these
        rows; otherwise the one fitted last is used. See `apply_files` and `label_files`.
        """
        functions = project_functions(self.folder, python=python)
        model = None if fit else self.label_model()
        votes = apply_files(
            functions,
            files,
            Path(into) / "votes",
            labels=self.config.labels,
            text=self.config.text,
            id=self.config.id,
            gold=self.config.gold,
            workers=workers,
            deadline_s=deadline_s,
        )
        model = LabelModel().fit(votes.matrix()) if model is None else model
        labelled = label_files(model, votes, Path(into) / "labels")
        record = {
            "rows": votes.n_rows,
            "computed": votes.computed,
            "rejects": votes.rejects,
            "into": str(into),
            "functions": {info.name: info.fingerprint for info in votes.functions},
            "findings": model.findings(),
        }
        self._keep("label", record, pack(model.kind, *model.state()) if fit else None)
        return votes, labelled

    def training_set(self, *, uncovered: bool = False, min_confidence: float = 0.0) -> TrainingSet:
        """The train rows with the probabilities of the label model fitted last."""
        votes = self.matrix.on(self.split["train"])
        return self.label_model().training_set(votes, uncovered=uncovered, min_confidence=min_confidence)

    def train(self, *, min_confidence: float = 0.0, **settings: Any) -> tuple[TextClassifier, Run]:
        """Train a text classifier on the training set; settings go to TextClassifier."""
        made = self.training_set(min_confidence=min_confidence)
        model = TextClassifier(**settings).fit(made)
        record: dict[str, Any] = {
            "model": model.kind,
            "settings": model.get_params() | {"min_confidence": min_confidence},
            "rows": len(made),
            "fit": self._last("fit", "fit a label model", "consilience fit").id,
            "top_terms": model.top_terms(),
        }
        dev = dict(self.split.items()).get("dev")
        record["figures"] = {"dev": model.evaluate(dev).view().records()[0]} if dev is not None and dev.n_gold else {}
        return model, self._keep("train", record, pack(model.kind, *model.state()))

    def classifier(self) -> TextClassifier:
        """The text classifier trained last."""
        run = self._last("train", "train a model", "consilience train")
        return TextClassifier.load(self.blobs.get(run.blob or ""))

    def evaluate(
        self, part: str = "test", *, slices: Iterable[str] = (), supervised: bool = False
    ) -> tuple[dict[str, Report], Run]:
        """Reports of majority vote, the label model and the end model on one part with gold.

        slices: queries about votes, each a slice. supervised: also a model trained on the gold of all train rows, to
        compare with. raises: DataError if the part has no gold.
        """
        rows = self.part_named(part)
        if not rows.n_gold:
            raise DataError(
                f"No row of {part!r} has gold to score against.\nFix: name the gold column in {FILE}, and add some."
            )
        rows = rows.take(rows.has_gold())
        votes = self.matrix.on(rows)
        masks = {query: _mask(votes, query) for query in slices}
        counting = MajorityVote().fit(self.matrix.on(self.split["train"]))
        reports = {
            "majority vote": report_votes(counting, votes, slices=masks),
            "label model": report_votes(self.label_model(), votes, slices=masks),
        }
        end_models = {"end model": self.classifier()}
        if supervised:
            end_models["trained on all gold"] = TextClassifier().fit(
                TrainingSet.from_gold(self.split["train"], self.config.labels)
            )
        for name, model in end_models.items():
            codes = _codes(model, rows, self.config.labels)
            reports[name] = make_report(rows, codes, self.config.labels, slices=masks)
        record = {
            "part": part,
            "rows": len(rows),
            "figures": {name: report.view().records()[0] for name, report in reports.items()},
            "reports": {name: report.record() for name, report in reports.items()},
            "fit": self._last("fit", "fit a label model", "consilience fit").id,
            "train": self._last("train", "train a model", "consilience train").id,
        }
        return reports, self._keep("eval", record)

    def predictions(self) -> TrainingSet:
        """Every row with the end model's probabilities, in the form that exports."""
        model = self.classifier()
        proba = model.predict_proba(self.table)
        why = [f"{model.kind} of run {self._last('train', 'train a model', 'consilience train').id}"] * len(self.table)
        return TrainingSet(self.table, Labels(*model.classes_.tolist()), proba, np.ones(len(self.table)), why)

    # runs

    def runs(self) -> list[Run]:
        """All runs, oldest first."""
        return [_run(row) for row in self.catalogue.all("SELECT * FROM run ORDER BY id")]

    def run(self, number: int) -> Run:
        """One run. Raises StoreError if there is none of that number."""
        row = self.catalogue.one("SELECT * FROM run WHERE id = ?", number)
        if row is None:
            raise StoreError(f"There is no run {number}.\nFix: see `consilience runs`.")
        return _run(row)

    def _last(self, kind: str, what: str, command: str) -> Run:
        row = self.catalogue.one("SELECT * FROM run WHERE kind = ? ORDER BY id DESC LIMIT 1", kind)
        if row is None:
            raise StoreError(f"The project has to {what} first.\nFix: run `{command}`.")
        return _run(row)

    def _keep(self, kind: str, record: dict[str, Any], model: bytes | None = None) -> Run:
        blob = None if model is None else self.blobs.put(model)
        started = self.clock()
        return Run(self.catalogue.add_run(kind, started, record, blob), kind, started, record, blob)

    def _scored(self, model: BaseLabelModel, part: str) -> Report | None:
        rows = dict(self.split.items()).get(part)
        return None if rows is None or not rows.n_gold else report_votes(model, self.matrix.on(rows))

    def _forget(self) -> None:
        for name in ("parts", "table", "split", "matrix"):
            self.__dict__.pop(name, None)


def _check_links(folder: Path, store: Path) -> None:
    """Raise StoreError if a folder that nobody has trusted would have us write, or tidy up, somewhere else."""
    for path in (store, *(store / name for name in IN_STORE)):
        if not path.resolve().is_relative_to(folder) and not is_trusted(folder):
            raise StoreError(
                f"{path} leads out of the project's folder, and nobody on this machine has trusted it yet.\n"
                "Fix: delete that link; or look at the folder, then run `consilience trust`."
            )


def _cut(table: Table) -> list[Table]:
    """A table in pieces of PART_ROWS rows."""
    if len(table) <= PART_ROWS:
        return [table] if len(table) else []
    return [
        table.take(np.arange(start, min(start + PART_ROWS, len(table)))) for start in range(0, len(table), PART_ROWS)
    ]


def find_project(start: Path) -> Path:
    """The nearest folder with consilience.toml, from start upwards. Raises StoreError if there is none."""
    start = start.resolve()
    for folder in (start, *start.parents):
        if (folder / FILE).is_file():
            return folder
    raise StoreError(f"There is no project in {start} or above it.\nFix: make one with `consilience init`.")


def _run(row: Any) -> Run:
    import json

    return Run(row["id"], row["kind"], row["started"], json.loads(row["record"]), row["blob"])


def _mask(votes: LabelMatrix, query: str) -> Any:
    from consilience.labeling.query import rows_where

    return rows_where(votes, query)


def _codes(model: TextClassifier, rows: Table, labels: Any) -> Any:
    return labels.encode(model.predict(rows).tolist()).astype(np.int64)


def _parquet(frame: pl.DataFrame) -> bytes:
    buffer = BytesIO()
    frame.write_parquet(buffer)
    return buffer.getvalue()

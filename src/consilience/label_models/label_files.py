"""Label rows that lie in Parquet files, however many: files of votes in, files of probabilities out.

The last step of the road for data larger than memory: `apply_files`, a label model fitted on the counted votes, this.
"""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import polars as pl

from consilience.data.labels import Labels
from consilience.errors import ModelError, nearest
from consilience.label_models.base import BaseLabelModel
from consilience.labeling.apply_files import NOTE, VoteFiles, write_noted
from consilience.labeling.casting import Column, column_codes
from consilience.labeling.matrix import FunctionInfo, LabelMatrix, vote_type
from consilience.progress import track
from consilience.store.arrays import pack
from consilience.store.files import sha256


def label_files(model: BaseLabelModel, votes: VoteFiles, into: str | Path) -> list[Path]:
    """Probabilities of the rows of files of votes, a file for each, with bounded memory.

    model: fitted, on `votes.matrix()` or on other votes of the same functions. into: the folder, made if need be.
    returns: the Parquet files written or found whole: the column of ids, "label" (null where no function voted), and a
        column "p NAME" for each label. Files made of the same votes by the same model are kept.
    raises: ModelError if the votes lack a function that the model knows.

    O(rows); a probability is computed once for each distinct row of votes in a file.

    >>> import tempfile, consilience as cs
    >>> from consilience.labeling.apply_files import apply_files
    >>> folder = Path(tempfile.mkdtemp())
    >>> pl.DataFrame({"text": ["free entry", "see you", "free!"]}).write_parquet(folder / "rows.parquet")
    >>> free = cs.keywords("spam", ["free"], name="free")
    >>> votes = apply_files([free], folder / "rows.parquet", folder / "votes", labels=["ham", "spam"])
    >>> files = label_files(cs.MajorityVote().fit(votes.matrix()), votes, folder / "labels")
    >>> pl.read_parquet(files[0])["label"].to_list()
    ['spam', None, 'spam']
    """
    names = [info.name for info in votes.functions]
    for name in model.function_names_:
        if name not in names:
            raise ModelError(f"The files have no votes of {name!r}.\nFix: apply it too. {nearest(name, names)}")
    infos = [votes.functions[names.index(name)] for name in model.function_names_]
    made_by = sha256(pack(model.kind, *model.state()))
    written = []
    for path in track(votes.files, "labelling files"):
        target = Path(into) / path.relative_to(votes.folder)
        target = target.with_name(path.name.removesuffix(".votes.parquet") + ".labels.parquet")
        note = json.dumps({"model": made_by, "votes": sha256((_note(path) or "").encode())})
        if _note(target) != note:
            write_noted(_labelled(model, path, votes.labels, infos), target, note)
        written.append(target)
    return written


def _note(path: Path) -> str | None:
    try:
        with path.open("rb") as file:  # not its path: Polars takes * and [ in it for a pattern
            return pl.read_parquet_metadata(file).get(NOTE)
    except (OSError, pl.exceptions.PolarsError):
        return None


def _labelled(model: BaseLabelModel, path: Path, labels: Labels, infos: list[FunctionInfo]) -> pl.DataFrame:
    """Ids, labels and probabilities of the rows of one file of votes."""
    frame = pl.read_parquet(path, glob=False)
    codes = np.empty((len(frame), len(infos)), vote_type(len(labels.votes)), order="F")
    for place, info in enumerate(infos):
        codes[:, place] = Column(*column_codes(frame[info.name])).coded(labels)
    ids = frame.to_series(0)
    matrix = LabelMatrix(codes, labels, ids, infos)
    proba = model.predict_proba(matrix)
    shares = [pl.Series(f"p {name}", proba[:, place]) for place, name in enumerate(model.labels_)]
    return pl.DataFrame([ids, pl.Series("label", model.predict(matrix), pl.String), *shares])

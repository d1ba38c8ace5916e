"""Rows for Hugging Face Datasets: a folder for `load_dataset`, or one for `load_from_disk`. Needs neither package.

Classes are numbers there, with their names beside them; columns of types that Datasets does not know become text.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import polars as pl

from consilience.data.writers.content import Content, as_text
from consilience.data.writers.tables import FOR_ALL
from consilience.store.files import replacing_folder

DATA = "data-00000-of-00001.arrow"


def to_huggingface(content: Content, folder: Path) -> None:
    """A folder that `datasets.load_dataset(folder)` reads: Parquet, and a card naming the classes."""
    frame = _coded(content)
    with replacing_folder(folder, "README.md") as new:
        (new / "data").mkdir()
        frame.write_parquet(new / "data" / "train-00000-of-00001.parquet")
        (new / "README.md").write_text(_card(frame.schema, content), "utf-8")


def to_saved_dataset(content: Content, folder: Path) -> None:
    """A folder that `datasets.load_from_disk(folder)` reads, as `save_to_disk` makes it."""
    frame = _coded(content)
    features = {name: _feature(kind) for name, kind in frame.schema.items()}
    if content.labels is not None and content.label_column in features:
        features[content.label_column] = {"names": list(content.labels), "_type": "ClassLabel"}
    info = {"citation": "", "description": "", "features": features, "homepage": "", "license": ""}
    state: dict[str, Any] = {
        "_data_files": [{"filename": DATA}],
        "_fingerprint": content.table.fingerprint[:16],
        "_format_columns": None,
        "_format_kwargs": {},
        "_format_type": None,
        "_output_all_columns": False,
        "_split": None,
    }
    with replacing_folder(folder, "state.json") as new:
        with (new / DATA).open("wb") as out:
            frame.write_ipc_stream(out, compat_level=FOR_ALL)
        (new / "dataset_info.json").write_text(json.dumps(info), "utf-8")
        (new / "state.json").write_text(json.dumps(state), "utf-8")


def _coded(content: Content) -> pl.DataFrame:
    """The frame with the label as a number, and types that Datasets does not know as text."""
    frame = content.frame
    if content.labels is not None and content.codes is not None:
        frame = frame.with_columns(pl.Series(content.label_column, content.codes, dtype=pl.Int64))
    return frame.with_columns(as_text(frame[name]) for name, kind in frame.schema.items() if not _word(kind))


def _word(kind: pl.DataType) -> str:
    """A column's type in the words of Datasets; empty for one that is written as text."""
    if kind in (pl.String, pl.Boolean):
        return "string" if kind == pl.String else "bool"
    if (kind.is_integer() and kind not in (pl.Int128, pl.UInt128)) or kind in (pl.Float32, pl.Float64):
        return str(kind).lower()
    return _word(kind.inner) if isinstance(kind, pl.List) and not isinstance(kind.inner, pl.List) else ""  # type: ignore[arg-type]


def _feature(kind: pl.DataType) -> dict[str, Any]:
    if isinstance(kind, pl.List):
        return {"feature": _feature(kind.inner), "_type": "LargeList"}  # type: ignore[arg-type]
    word = _word(kind)
    return {"dtype": "large_string" if word == "string" else word, "_type": "Value"}


def _card(schema: pl.Schema, content: Content) -> str:
    features = []
    for name, kind in schema.items():
        features.append(f"  - name: {json.dumps(name)}")
        if name == content.label_column and content.labels is not None:
            features.append("    dtype:\n      class_label:\n        names:")
            features += [f"          '{code}': {json.dumps(label)}" for code, label in enumerate(content.labels)]
        else:
            features.append(f"    {'list' if isinstance(kind, pl.List) else 'dtype'}: {_word(kind)}")
    said = f"{len(content.frame)} rows written by Consilience."
    if content.soft is not None:
        said = (
            f"{len(content.frame)} rows labelled by Consilience: `label` is the most probable class, `p_...` the\n"
            "probability of each, `why` the functions that voted."
        )
    return (
        "---\ndataset_info:\n  features:\n" + "\n".join(features) + "\n"
        "configs:\n- config_name: default\n  data_files:\n  - split: train\n    path: data/train-*\n---\n\n"
        f"{said}\n"
    )

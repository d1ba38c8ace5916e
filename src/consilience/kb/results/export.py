"""Facts on their way out: Parquet, CSV, JSON lines, N-Triples. Each file is written whole or not at all."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from urllib.parse import quote

import polars as pl

from consilience.data.table import Table
from consilience.data.writers.content import Content
from consilience.data.writers.tables import to_csv, to_jsonl, to_parquet
from consilience.errors import DataError, nearest
from consilience.progress import track
from consilience.store.files import replacing

ENDINGS = {".parquet": "parquet", ".csv": "csv", ".tsv": "tsv", ".jsonl": "jsonl", ".nt": "n-triples"}
BASE = "urn:consilience:"
RDF = "http://www.w3.org/1999/02/22-rdf-syntax-ns#"
XSD = "http://www.w3.org/2001/XMLSchema#"


def export(
    facts: pl.DataFrame,
    path: Path | str,
    *,
    relation: str = "fact",
    keys: Sequence[str] = (),
    base: str = BASE,
    for_spreadsheets: bool = False,
) -> None:
    """Write facts: the columns of a relation and their `probability`. The ending of the path names the format.

    relation, base: N-Triples: the names of things begin with base; a fact with two columns is a triple of its own and a
    statement about it that carries the probability, one with more columns is a thing with a property a column.
    keys: N-Triples: the columns that make the fact; by default all but `probability` and `evidence`.
    for_spreadsheets: CSV and TSV: what a spreadsheet would run as a formula gets a leading '.
    raises: DataError for an ending that names no format.
    """
    path = Path(path)
    kind = ENDINGS.get(path.suffix.lower())
    if kind is None:
        raise DataError(
            f"{path.name} has no ending that names a format.\nFix: {nearest(path.suffix or path.name, ENDINGS)}"
        )
    if kind == "n-triples":
        _write_triples(facts, path, relation, list(keys), base)
        return
    numbered = Table(facts.select(pl.int_range(pl.len()).alias("id")), text=None)
    content = Content(facts, numbered)  # the writers below read the frame alone
    if kind == "parquet":
        to_parquet(content, path)
    elif kind == "jsonl":
        to_jsonl(content, path)
    else:
        to_csv(content, path, "\t" if kind == "tsv" else ",", for_spreadsheets)


def _write_triples(facts: pl.DataFrame, path: Path, relation: str, keys: list[str], base: str) -> None:
    with replacing(path) as out:
        for row in track(facts.iter_rows(named=True), f"writing {path.name}", total=len(facts)):
            values = {name: row[name] for name in keys or facts.columns if name not in ("probability", "evidence")}
            for line in triples(relation, values, row.get("probability"), base=base):
                out.write(line.encode())


def triples(relation: str, values: dict[str, object], probability: float | None, *, base: str = BASE) -> Iterator[str]:
    """The lines of one fact. A column that is NULL has none.

    >>> print(*triples("treats", {"drug": "D1", "disease": "a b"}, 0.75, base="x:"), sep="", end="")
    <x:D1> <x:treats> <x:a%20b> .
    <x:treats/D1/a%20b> <http://www.w3.org/1999/02/22-rdf-syntax-ns#subject> <x:D1> .
    <x:treats/D1/a%20b> <http://www.w3.org/1999/02/22-rdf-syntax-ns#predicate> <x:treats> .
    <x:treats/D1/a%20b> <http://www.w3.org/1999/02/22-rdf-syntax-ns#object> <x:a%20b> .
    <x:treats/D1/a%20b> <x:probability> "0.75"^^<http://www.w3.org/2001/XMLSchema#double> .
    """
    node = _name(base, "/".join([relation, *(str(v) for v in values.values())]), safe="/")
    predicate = _name(base, relation)
    given = {name: value for name, value in values.items() if value is not None}
    if len(values) == len(given) == 2:
        subject, target = (_name(base, str(value)) for value in values.values())
        yield f"{subject} {predicate} {target} .\n"
        for part, name in (("subject", subject), ("predicate", predicate), ("object", target)):
            yield f"{node} <{RDF}{part}> {name} .\n"
    else:
        yield f"{node} <{RDF}type> {predicate} .\n"
        for name, value in given.items():
            yield f"{node} {_name(base, name)} {_literal(value)} .\n"
    if probability is not None:
        yield f"{node} {_name(base, 'probability')} {_literal(float(probability))} .\n"


def _name(base: str, said: str, safe: str = "") -> str:
    """An IRI: what is not a letter, a digit or one of - . _ ~ is escaped, so that no text can end it."""
    return f"<{base}{quote(said, safe=safe, errors='replace')}>"


def _literal(value: object) -> str:
    if isinstance(value, bool):
        return f'"{str(value).lower()}"^^<{XSD}boolean>'
    if isinstance(value, int):
        return f'"{value}"^^<{XSD}integer>'
    if isinstance(value, float):
        return f'"{value!r}"^^<{XSD}double>'
    escaped = str(value).replace("\\", "\\\\").replace('"', '\\"')
    return '"' + re.sub(r"[\x00-\x1f\x7f\ud800-\udfff]", lambda m: f"\\u{ord(m[0]):04X}", escaped) + '"'

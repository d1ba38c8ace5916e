"""Rows as spaCy documents in a DocBin: texts, entities, and labels as categories. Needs the extra `spacy`."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from consilience.data.writers.content import Content
from consilience.errors import DataError, ExtraError
from consilience.progress import track
from consilience.store.files import replacing


def to_docbin(content: Content, path: Path, language: str = "xx") -> None:
    """Documents with `cats` (the probability, or gold, of each label) and `ents` (a column of start, end, label).

    language: whose rules cut texts into tokens, where the rows have no column "tokens" that makes up the text.
    raises: ExtraError without spaCy; DataError without texts, or for an entity that is no span of tokens.
    """
    try:
        import spacy
        from spacy.tokens import DocBin
    except ImportError:
        raise ExtraError(
            "DocBin needs spaCy, which is not installed.\nFix: pip install 'consilience[spacy]'."
        ) from None
    nlp = spacy.blank(language)
    bin = DocBin(attrs=["ENT_IOB", "ENT_TYPE"])
    for doc in track(_documents(content, nlp), f"writing {path.name}", len(content.frame)):
        bin.add(doc)
    with replacing(path) as out:
        out.write(bin.to_bytes())


def _documents(content: Content, nlp: Any) -> Iterator[Any]:
    table = content.table
    n = len(table)
    tokens = table.frame["tokens"].to_list() if "tokens" in table.frame.columns else [None] * n
    ents = table.frame["ents"].to_list() if "ents" in table.frame.columns else [None] * n
    for id, text, words, spans, cats in zip(table.ids, table.texts, tokens, ents, _categories(content), strict=True):
        doc = _document(nlp, text or "", words)
        doc.cats = cats
        doc.ents = [_entity(doc, span, id) for span in spans or ()]
        yield doc


def _document(nlp: Any, text: str, words: Any) -> Any:
    """The text cut into the given words, if they make it up with single spaces or none between; else by rules."""
    from spacy.tokens import Doc

    spaces = _spaces(text, words) if words else None
    return Doc(nlp.vocab, words=words, spaces=spaces) if spaces is not None else nlp.make_doc(text)


def _spaces(text: str, words: list[str]) -> list[bool] | None:
    spaces, at = [], 0
    for word in words:
        if not word or not text.startswith(word, at):
            return None
        at += len(word)
        spaces.append(text.startswith(" ", at))
        at += spaces[-1]
    return spaces if at == len(text) else None


def _entity(doc: Any, span: dict[str, Any], id: object) -> Any:
    found = doc.char_span(span["start"], span["end"], label=span["label"])
    if found is None:
        raise DataError(
            f"The entity {span} of row {id!r} does not begin and end with tokens.\nFix: correct it, or give the tokens."
        )
    return found


def _categories(content: Content) -> Iterator[dict[str, float]]:
    names = list(content.labels or ())
    if content.soft is not None:
        for row in content.soft.tolist():
            yield dict(zip(names, row, strict=True))
    elif content.codes is not None:
        for code in content.codes.tolist():
            yield {} if code < 0 else {name: float(place == code) for place, name in enumerate(names)}
    else:
        yield from ({} for _ in range(len(content.table)))

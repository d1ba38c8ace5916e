"""Texts parsed by spaCy, for functions that ask for entities, parts of speech and the like."""

from __future__ import annotations

import importlib
from collections.abc import Sequence
from functools import lru_cache
from typing import Any

from consilience.compat.snorkel.map.core import BaseMapper
from consilience.compat.snorkel.preprocess.core import Preprocessor
from consilience.compat.snorkel.types import FieldMap, HashingFunction
from consilience.errors import ExtraError

EN_CORE_WEB_SM = "en_core_web_sm"


class SpacyPreprocessor(Preprocessor):
    """Preprocessor that parses a field with a spaCy model and adds the Doc.

    text_field, doc_field: the field to parse, and the one for the Doc. language: an installed model, or the folder of
    one. disable: parts of the model's pipeline not to run. gpu: prefer a GPU. Preprocessors with the same model and
    settings share it.
    raises: ExtraError if spaCy or the model is not installed.
    """

    def __init__(
        self,
        text_field: str,
        doc_field: str,
        language: str = EN_CORE_WEB_SM,
        disable: Sequence[str] | None = None,
        pre: Sequence[BaseMapper] | None = None,
        memoize: bool = False,
        memoize_key: HashingFunction | None = None,
        gpu: bool = False,
    ) -> None:
        super().__init__(
            type(self).__name__,
            field_names={"text": text_field},
            mapped_field_names={"doc": doc_field},
            pre=pre,
            memoize=memoize,
            memoize_key=memoize_key,
        )
        self.gpu = gpu
        self._model = (str(language), tuple(disable or ()), gpu)
        meta = pipeline(*self._model).meta
        self._version = (meta["lang"], meta["name"], meta["version"], meta.get("spacy_version"))

    def run(self, text: str) -> FieldMap:  # type: ignore[override]
        """The parsed text, under "doc"."""
        return {"doc": pipeline(*self._model)(text)}


@lru_cache(maxsize=4)
def pipeline(language: str, disable: tuple[str, ...], gpu: bool) -> Any:
    """A spaCy model, loaded once for the same settings."""
    try:
        spacy: Any = importlib.import_module("spacy")
    except ImportError:
        raise ExtraError(
            "SpacyPreprocessor needs spaCy, which is not installed.\nFix: pip install 'consilience[spacy]'"
        ) from None
    if gpu:
        spacy.prefer_gpu()
    try:
        return spacy.load(language, disable=list(disable))
    except OSError as error:
        raise ExtraError(
            f"spaCy has no model {language!r} ({str(error).splitlines()[0][:120]}).\n"
            f"Fix: install it, as with python -m spacy download {language}, or give language=the folder of a model."
        ) from None

"""Labeling functions that get a text parsed by spaCy, as `x.doc`; those with the same settings parse it once."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from consilience.compat.snorkel.labeling.lf.core import LabelingFunction, labeling_function
from consilience.compat.snorkel.map.core import BaseMapper
from consilience.compat.snorkel.preprocess.nlp import EN_CORE_WEB_SM, SpacyPreprocessor
from consilience.compat.snorkel.types import HashingFunction

_shared: list[tuple[tuple[Any, ...], SpacyPreprocessor]] = []


class BaseNLPLabelingFunction(LabelingFunction):
    """A labeling function whose data points have been parsed by spaCy.

    text_field, doc_field, language, disable, gpu: as SpacyPreprocessor has them. pre: preprocessors to run before it.
    memoize, memoize_key: whether, and by what, parsed data points are remembered.
    """

    def __init__(
        self,
        name: str,
        f: Callable[..., Any],
        resources: Mapping[str, Any] | None = None,
        pre: Sequence[BaseMapper] | None = None,
        text_field: str = "text",
        doc_field: str = "doc",
        language: str = EN_CORE_WEB_SM,
        disable: Sequence[str] | None = None,
        memoize: bool = True,
        memoize_key: HashingFunction | None = None,
        gpu: bool = False,
    ) -> None:
        parser = shared_parser(
            text_field, doc_field, language, list(disable or []), list(pre or []), memoize, memoize_key, gpu
        )
        super().__init__(name, f, resources, [parser])


class NLPLabelingFunction(BaseNLPLabelingFunction):
    """A labeling function over texts parsed by spaCy; see BaseNLPLabelingFunction.

    Departs from Snorkel's: functions with other settings may stand beside one another.
    """


class base_nlp_labeling_function(labeling_function):
    """Decorator: a function of a parsed data point becomes a labeling function of that kind."""

    def __init__(
        self,
        name: str | None = None,
        resources: Mapping[str, Any] | None = None,
        pre: Sequence[BaseMapper] | None = None,
        text_field: str = "text",
        doc_field: str = "doc",
        language: str = EN_CORE_WEB_SM,
        disable: Sequence[str] | None = None,
        memoize: bool = True,
        memoize_key: HashingFunction | None = None,
        gpu: bool = False,
    ) -> None:
        super().__init__(name, resources, pre)
        self.parsing = {
            "text_field": text_field,
            "doc_field": doc_field,
            "language": language,
            "disable": disable,
            "memoize": memoize,
            "memoize_key": memoize_key,
            "gpu": gpu,
        }

    def __call__(self, f: Callable[..., Any]) -> LabelingFunction:
        """The labeling function that runs f."""
        return self.makes(self.name or f.__name__, f, self.resources, self.pre, **self.parsing)


class nlp_labeling_function(base_nlp_labeling_function):
    """Decorator: a function of a data point with `x.doc` becomes an NLPLabelingFunction.

    raises: ExtraError if spaCy or its model is not installed.
    """

    makes = NLPLabelingFunction


def shared_parser(*settings: Any) -> SpacyPreprocessor:
    """The preprocessor of these settings: the same one for all functions that have them, so that texts are parsed once.

    settings: text_field, doc_field, language, disable, pre, memoize, memoize_key, gpu.
    """
    for known, parser in _shared:
        if known == settings:
            return parser
    parser = SpacyPreprocessor(*settings)
    _shared.append((settings, parser))
    return parser

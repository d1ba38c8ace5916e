"""Consilience: when weak, independent pieces of evidence agree, the conclusion is strong.

From raw rows to a trained model without hand-labelling: read -> label -> combine -> train -> evaluate -> export.
Importing this package is cheap: each public name is loaded when it is first used.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

__version__ = "0.1.0"

if TYPE_CHECKING:
    from consilience.data.embeddings import embed as embed
    from consilience.data.label_spaces import TaskGraph as TaskGraph
    from consilience.data.labels import Labels as Labels
    from consilience.data.labels import Not as Not
    from consilience.data.labels import OneOf as OneOf
    from consilience.data.read import read as read
    from consilience.data.read import read_sql as read_sql
    from consilience.data.table import Table as Table
    from consilience.data.training_set import TrainingSet as TrainingSet
    from consilience.end_models.model_function import model as model
    from consilience.end_models.report import Report as Report
    from consilience.end_models.text_classifier import TextClassifier as TextClassifier
    from consilience.kb.knowledge_base import KnowledgeBase as KnowledgeBase
    from consilience.label_models.choose import LabelModel as LabelModel
    from consilience.label_models.dawid_skene import DawidSkene as DawidSkene
    from consilience.label_models.majority import MajorityVote as MajorityVote
    from consilience.label_models.multi_label import MultiLabel as MultiLabel
    from consilience.labeling.apply import apply as apply
    from consilience.labeling.apply_files import apply_files as apply_files
    from consilience.labeling.apply_multi import apply_multi as apply_multi
    from consilience.labeling.crowd import crowd as crowd
    from consilience.labeling.crowd import crowd_matrix as crowd_matrix
    from consilience.labeling.expression import expression as expression
    from consilience.labeling.extend import extend as extend
    from consilience.labeling.function import LabelingFunction as LabelingFunction
    from consilience.labeling.keywords import keywords as keywords
    from consilience.labeling.lexicon import lexicon as lexicon
    from consilience.labeling.lookup import lookup as lookup
    from consilience.labeling.matrix import LabelMatrix as LabelMatrix
    from consilience.labeling.neighbours import neighbours as neighbours
    from consilience.labeling.pattern import pattern as pattern
    from consilience.labeling.preprocessors import preprocessor as preprocessor
    from consilience.labeling.python import labeling_function as labeling_function
    from consilience.labeling.recorded import recorded as recorded
    from consilience.project.project import Project as Project

_HOME = {
    "DawidSkene": "label_models.dawid_skene",
    "KnowledgeBase": "kb.knowledge_base",
    "LabelMatrix": "labeling.matrix",
    "LabelModel": "label_models.choose",
    "LabelingFunction": "labeling.function",
    "Labels": "data.labels",
    "MajorityVote": "label_models.majority",
    "MultiLabel": "label_models.multi_label",
    "Not": "data.labels",
    "OneOf": "data.labels",
    "Project": "project.project",
    "Report": "end_models.report",
    "Table": "data.table",
    "TaskGraph": "data.label_spaces",
    "TextClassifier": "end_models.text_classifier",
    "TrainingSet": "data.training_set",
    "apply": "labeling.apply",
    "apply_files": "labeling.apply_files",
    "apply_multi": "labeling.apply_multi",
    "crowd": "labeling.crowd",
    "crowd_matrix": "labeling.crowd",
    "embed": "data.embeddings",
    "expression": "labeling.expression",
    "extend": "labeling.extend",
    "keywords": "labeling.keywords",
    "labeling_function": "labeling.python",
    "lookup": "labeling.lookup",
    "model": "end_models.model_function",
    "neighbours": "labeling.neighbours",
    "lexicon": "labeling.lexicon",
    "pattern": "labeling.pattern",
    "preprocessor": "labeling.preprocessors",
    "read": "data.read",
    "read_sql": "data.read",
    "recorded": "labeling.recorded",
}

__all__ = sorted(_HOME)


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module 'consilience' has no attribute {name!r}")
    value = getattr(importlib.import_module(f"consilience.{_HOME[name]}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})

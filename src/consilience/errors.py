"""Every error this package raises on purpose. The floor: imported by all, imports nothing of ours.

ConsilienceError
├── LabelError       a label name that is not one of Labels(...)
├── DataError        rows that cannot be read, named, split or scored
├── FunctionError    a labeling function that cannot mean what its author hoped
├── VoteError        votes, or a question about votes, that make no sense
├── ModelError       a label model or end model that cannot be fitted or asked
├── ProgramError     a knowledge base's program that cannot be read, or does not mean anything
├── GraphError       a factor graph, or a question about one, that makes no sense
├── EngineError      work that could not be done where it was to be done: in worker processes, on a cluster
├── ExtraError       something that needs an optional package which is not installed
├── CompatError      a name of another library that has no counterpart here
└── StoreError       a project folder or a saved file that is not what it should be
    └── TrustError   code that came with a folder nobody has trusted yet

The first line of a message says what was found and where; the line that begins `Fix:` says what to do.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable


class ConsilienceError(Exception):
    """Base of every error this package raises on purpose."""


class LabelError(ConsilienceError, ValueError):
    """A label name that is not one of the labels."""


class DataError(ConsilienceError, ValueError):
    """Rows that cannot be read, named, split or scored."""


class FunctionError(ConsilienceError, ValueError):
    """A labeling function that cannot mean what its author hoped."""


class VoteError(ConsilienceError, ValueError):
    """Votes, or a question about votes, that make no sense."""


class ModelError(ConsilienceError, ValueError):
    """A model that cannot be fitted or asked."""


class ProgramError(ConsilienceError, ValueError):
    """A knowledge base's program that cannot be read, or does not mean anything; names line and column."""


class GraphError(ConsilienceError, ValueError):
    """A factor graph, or a question about one, that makes no sense."""


class EngineError(ConsilienceError, OSError):
    """Work that could not be done where it was to be done."""


class ExtraError(ConsilienceError, ImportError):
    """Something that needs an optional package which is not installed."""


class CompatError(ConsilienceError, ImportError):
    """A name of another library, asked of its stand-in here, that has no counterpart."""


class StoreError(ConsilienceError, OSError):
    """A project folder or a saved file that is not what it should be."""


class TrustError(StoreError):
    """Code that came with a folder nobody on this machine has trusted yet."""


def nearest(word: str, known: Iterable[str]) -> str:
    """Sentence naming the closest known words, or all of them when there are few.

    >>> nearest("spma", ["ham", "spam"])
    "Did you mean 'spam'?"
    >>> nearest("x", ["ham", "spam"])
    "There are 'ham', 'spam'."
    """
    known = [str(k) for k in known]
    close = difflib.get_close_matches(str(word), known, n=3)
    if close:
        return f"Did you mean {' or '.join(map(repr, close))}?"
    if not known:
        return "There are none."
    shown = ", ".join(map(repr, known[:12]))
    return f"There are {shown}{', ...' if len(known) > 12 else ''}."

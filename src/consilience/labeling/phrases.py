"""Thousands of phrases looked for in one pass: what keywords and lexicons that look in one column share.

A phrase stands in a text if its words do, parted by white space, and no letter touches an end of it that is a letter:
what `phrase_pattern` says as a regular expression. Linear in the text; see `phrase_kernels` for how.
"""

from __future__ import annotations

import sys
from abc import ABC, abstractmethod
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cached_property, lru_cache
from typing import Any

import numpy as np
import numpy.typing as npt
import polars as pl

from consilience.labeling.function import Batch
from consilience.labeling.letters import OTHER, letters

BYTES_A_PART = 8_000_000  # of text, which a thread copies and reads: it stays in the cache
START_S = 1.0  # to load the compiled loops; more the first time ever, when they are compiled
SEEDS = 64  # hashes of two of a million phrases collide once in a million seeds

Ints = npt.NDArray[np.int64]
Utf8 = tuple[npt.NDArray[np.uint8], Ints]  # bytes, and where each text begins and the last one ends


@dataclass(frozen=True, eq=False)
class PhraseSet:
    """The phrases of one function. Two of the same key are the same.

    phrases: (p,) strings, trimmed, with single spaces. classes: (p,) int, of n_classes, what each phrase speaks for;
    None: what counts is only whether any is there.
    """

    key: str
    phrases: pl.Series
    classes: Ints | None = None
    n_classes: int = 1

    def __hash__(self) -> int:
        return hash(self.key)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, PhraseSet) and other.key == self.key


@dataclass(frozen=True)
class Hits:
    """What a pass found. flags: by key, (n,) bool. counts: by key, (n_classes, n) uint16, how many distinct phrases."""

    flags: dict[str, npt.NDArray[np.bool_]]
    counts: dict[str, npt.NDArray[np.uint16]]


class LooksForPhrases(ABC):
    """A labeling function whose votes hang on phrases in one column."""

    column: str | None
    ignore_case: bool

    @property
    @abstractmethod
    def phrase_set(self) -> PhraseSet:
        """What it looks for, under a key of its own."""


def hits_on(batch: Batch, function: LooksForPhrases) -> Hits:
    """What the batch has of the phrases of a function, found in one pass with those of all that look where it does."""
    together = companions(function, batch)
    sets = tuple(dict.fromkeys(one.phrase_set for one in together))
    text = batch.text(function.column)
    key = ("phrases", batch.name_of(function.column), function.ignore_case, sets)
    return batch.shared(key, lambda: automaton(sets, function.ignore_case).look(text), users=len(together))


def companions(function: LooksForPhrases, batch: Batch) -> list[LooksForPhrases]:
    """The functions of a batch that look for phrases in the same column by the same case rule, with this one."""
    column = batch.name_of(function.column)
    found: list[LooksForPhrases] = [
        one
        for one in batch.functions
        if isinstance(one, LooksForPhrases)
        and batch.name_of(one.column) == column
        and one.ignore_case == function.ignore_case
    ]
    return found if any(one.phrase_set == function.phrase_set for one in found) else [function]


def worth_a_pass(function: LooksForPhrases, batch: Batch) -> bool:
    """Whether one pass for all costs less than a regular expression for each. Figures: measured on short texts."""
    return batch.shared(
        ("worth a pass", batch.name_of(function.column), function.ignore_case, len(companions(function, batch))),
        lambda: _pass_is_cheaper(companions(function, batch), batch.text(function.column)),
    )


def _pass_is_cheaper(functions: Sequence[LooksForPhrases], text: pl.Series) -> bool:
    if any(one.phrase_set.classes is not None for one in functions):
        return True  # there is one anyway
    megabytes = int(text.str.len_bytes().sum()) / 1e6
    n_phrases = sum(len(one.phrase_set.phrases) for one in functions)
    ready = "consilience.labeling.phrase_kernels" in sys.modules
    by_expressions = 1.2e-3 * megabytes * len(functions) + 15e-6 * n_phrases
    return by_expressions > START_S * (not ready) + 6e-3 * megabytes + 1e-6 * n_phrases


class Automaton:
    """Phrase sets made ready to be looked for. About 0.3 µs and 150 bytes a phrase."""

    def __init__(self, sets: Sequence[PhraseSet], ignore_case: bool) -> None:
        self.sets = tuple(sets)
        table = letters(ignore_case)
        self.letters = (table.kinds, table.folded, table.ascii)
        text, offsets = utf8(pl.concat([one.phrases for one in sets]))
        self.machine, self.terms = _machine(text, offsets, self.letters)

    @cached_property
    def _slots(self) -> tuple[npt.NDArray[np.int32], list[int]]:
        """Group of each slot (-1: a flag), flags first; and the first slot of each set."""
        flags = [place for place, one in enumerate(self.sets) if one.classes is None]
        counted = [place for place, one in enumerate(self.sets) if one.classes is not None]
        first, groups = [0] * len(self.sets), [-1] * len(flags)
        for slot, place in enumerate(flags):
            first[place] = slot
        for group, place in enumerate(counted):
            first[place] = len(groups)
            groups += [group] * self.sets[place].n_classes
        return np.array(groups, np.int32), first

    @cached_property
    def _owners(self) -> tuple[Ints, npt.NDArray[np.int32], npt.NDArray[np.int32]]:
        """The slots of term t: owner_offsets[t] to [t + 1] of the second array; and the group of each slot."""
        groups, first = self._slots
        slots = [
            np.full(len(one.phrases), start) if one.classes is None else start + one.classes
            for one, start in zip(self.sets, first, strict=True)
        ]
        pairs = pl.DataFrame({"term": self.terms, "slot": np.concatenate(slots).astype(np.int32)}).unique().sort("term")
        offsets = np.searchsorted(pairs["term"].to_numpy(), np.arange(len(self.terms) + 1))
        return offsets, pairs["slot"].to_numpy(), groups

    def look(self, texts: pl.Series) -> Hits:
        """Which rows have phrases of which set. texts: (n,) strings; a null has none."""
        from consilience.labeling import phrase_kernels

        groups, first = self._slots
        n_flags = int((groups < 0).sum())
        flags = np.zeros((n_flags, len(texts)), bool)
        counts = np.zeros((len(groups) - n_flags, len(texts)), np.uint16)
        n_groups = int(groups.max(initial=-1)) + 1
        over_rows(texts, phrase_kernels.mark, self.letters, self.machine, self._owners, flags, counts, n_groups)
        ranges = {one.key: (start, one) for one, start in zip(self.sets, first, strict=True)}
        return Hits(
            {key: flags[start] for key, (start, one) in ranges.items() if one.classes is None},
            {
                key: counts[start - n_flags : start - n_flags + one.n_classes]
                for key, (start, one) in ranges.items()
                if one.classes is not None
            },
        )

    def find(self, texts: pl.Series) -> Ints:
        """The leftmost-longest phrases of all sets, none within another.

        returns: (n, 4) row, start and end in characters, and the place of the first phrase (of all sets) that it is.
        """
        from consilience.labeling import phrase_kernels

        return np.concatenate(over_rows(texts, phrase_kernels.longest, self.letters, self.machine))


@lru_cache(maxsize=4)
def automaton(sets: tuple[PhraseSet, ...], ignore_case: bool) -> Automaton:
    """The automaton of some sets: one that was made before for an earlier batch is used again."""
    return Automaton(sets, ignore_case)


def utf8(texts: pl.Series) -> Utf8:
    """The bytes of all texts, one behind the other, and where each begins. A null is empty. One copy."""
    offsets = np.zeros(len(texts) + 1, np.int64)
    np.cumsum(texts.str.len_bytes().fill_null(0).to_numpy(), out=offsets[1:])
    kept = texts.filter(texts.str.len_bytes() > 0)
    content = kept.cast(pl.Binary).cast(pl.List(pl.UInt8)).explode().to_numpy()
    return np.ascontiguousarray(content), offsets


def _machine(text: npt.NDArray[np.uint8], offsets: Ints, tables: Any) -> tuple[Any, Ints]:
    """The table of all phrases, as the kernels want it; and for each phrase, the first one that it equals."""
    from consilience.labeling import phrase_kernels

    n_tokens = phrase_kernels.count_tokens(text, offsets, tables)
    n_phrases = len(offsets) - 1
    terms = np.zeros(n_phrases, np.int64)
    codes = _first_codes(text, offsets, tables)
    for seed in np.random.default_rng(0).integers(1, 2**63, SEEDS, dtype=np.uint64):
        table = np.zeros(_power_of_two(2 * n_tokens), np.uint64)
        first_bits = np.zeros(_power_of_two(8 * n_phrases), np.uint8)
        if phrase_kernels.enter(text, offsets, tables, seed, table, first_bits, terms):
            return (table, first_bits, codes, text, offsets, seed), terms
    raise AssertionError("phrases collide under every seed")


def _first_codes(text: npt.NDArray[np.uint8], offsets: Ints, tables: Any) -> npt.NDArray[np.uint8]:
    """(256,) by byte: the letter in its one case; 128 and the character if it is none and begins a phrase; else 0."""
    kinds, _, plain = tables
    codes = np.where(np.arange(256) < 128, plain, 0).astype(np.uint8)
    begin = np.unique(text[offsets[:-1]])
    alone = begin[(begin < 128) & (kinds[begin] == OTHER)]
    codes[alone] = alone | 0x80
    return codes


def _power_of_two(at_least: int) -> int:
    return 1 << max(6, int(at_least - 1).bit_length())


def over_rows(texts: pl.Series, kernel: Any, *arguments: Any) -> list[Any]:
    """Run a kernel over parts of the rows, on as many cores as Polars uses; what it gives for each part.

    Only the parts that are being read are copied.
    """
    ends = np.cumsum(texts.str.len_bytes().fill_null(0).to_numpy(), dtype=np.int64)
    cuts = np.searchsorted(ends, np.arange(BYTES_A_PART, int(ends[-1]) if len(ends) else 0, BYTES_A_PART))
    rows = [0, *np.unique(cuts[cuts > 0]).tolist(), len(texts)]

    def run(first: int, last: int) -> Any:
        return kernel(*utf8(texts[first:last]), first, *arguments)

    if len(rows) == 2:
        return [run(*rows)]
    with ThreadPoolExecutor(pl.thread_pool_size()) as pool:
        return list(pool.map(run, rows, rows[1:]))

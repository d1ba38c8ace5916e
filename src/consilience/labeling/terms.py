"""Which rows have which words and phrases, as keyword functions see them: whole words, whatever their case.

Reads texts, writes a sparse rows x terms matrix. A phrase is of words with nothing but white space between them, so a
term is in a row just where `keywords(label, [term])` would vote.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import polars as pl

WORD = r"\w+|[^\w\s]+"  # punctuation is kept, for a phrase does not reach over it
MOST_CHARACTERS = 30_000_000  # of the texts that terms are counted in: about five million words
MOST_TERMS = 100_000


@dataclass(frozen=True)
class Terms:
    """Words and phrases, and the rows that have them.

    names: d terms, words with single spaces between them. rows: (n, d) sparse, CSR, of ones. n_words: (d,).
    """

    names: list[str]
    rows: Any
    n_words: npt.NDArray[np.int64]


def find_terms(texts: pl.Series, *, longest: int = 3, min_rows: int = 5, most: int = MOST_TERMS) -> Terms:
    """The words, and phrases of up to `longest` words, that occur in `min_rows` of the texts or more.

    texts: (n,) strings; null counts as empty. most: if there are more terms, those in most rows (then by name) stay.
    O(words of all texts), about 1 µs a word; 16 bytes a word.

    >>> found = find_terms(pl.Series(["Check  out this", "check out, you", "out"]), min_rows=2)
    >>> found.names, found.rows.toarray().astype(int).tolist()
    (['check', 'check out', 'out'], [[1, 1, 1], [1, 1, 1], [0, 0, 1]])
    """
    words = (
        pl.DataFrame({"row": np.arange(len(texts), dtype=np.int32), "word": texts.cast(pl.String).fill_null("")})
        .with_columns(pl.col("word").str.to_lowercase().str.extract_all(WORD))
        .explode("word")
    )
    common = (
        words.unique()
        .group_by("word")
        .len()
        .filter((pl.col("len") >= min_rows) & pl.col("word").str.contains(r"^\w"))
        .sort("word")
    )
    names = common["word"].to_list()
    coded = words.join(
        common.select("word", code=pl.int_range(pl.len(), dtype=pl.Int64)), on="word", how="left", maintain_order="left"
    )
    row = coded["row"].to_numpy()
    word = coded["code"].fill_null(-1).to_numpy()
    phrases, ends = [(names, _pairs(row, word))], word
    for length in range(2, longest + 1):
        longer, ends, pairs = _extended(row, word, ends, length, names, phrases[-1][0], min_rows)
        phrases.append((longer, pairs))
    return _joined(phrases, len(texts), most)


def _pairs(row: npt.NDArray[Any], code: npt.NDArray[Any]) -> pl.DataFrame:
    """Each row with each term in it, once."""
    return pl.DataFrame({"row": row, "code": code}).filter(pl.col("code") >= 0).unique()


def _extended(
    row: npt.NDArray[Any],
    word: npt.NDArray[Any],
    starts: npt.NDArray[Any],
    length: int,
    names: list[str],
    shorter: list[str],
    min_rows: int,
) -> tuple[list[str], npt.NDArray[np.int64], pl.DataFrame]:
    """Phrases of one word more. starts: at each place, the phrase of length - 1 words that begins there, or -1."""
    step, n = length - 1, len(row)
    key = np.full(n, -1, np.int64)
    if n > step:
        same = (row[:-step] == row[step:]) & (starts[:-step] >= 0) & (word[step:] >= 0)
        key[:-step][same] = starts[:-step][same] * max(len(names), 1) + word[step:][same]
    pairs = _pairs(row, key)
    common = pairs.group_by("code").len().filter(pl.col("len") >= min_rows)["code"].sort().to_numpy()
    place = np.searchsorted(common, key)
    place[place == len(common)] = 0
    here = np.where((key >= 0) & (common[place] == key), place, -1) if len(common) else np.full(n, -1, np.int64)
    first, last = np.divmod(common, max(len(names), 1))
    longer = [f"{shorter[a]} {names[b]}" for a, b in zip(first.tolist(), last.tolist(), strict=True)]
    return longer, here, _pairs(row, here)


def _joined(phrases: list[tuple[list[str], pl.DataFrame]], n: int, most: int) -> Terms:
    """Terms of all lengths in one matrix, by name."""
    from scipy.sparse import csr_matrix

    names = [name for found, _ in phrases for name in found]
    n_words = np.repeat(np.arange(1, len(phrases) + 1), [len(found) for found, _ in phrases])
    starts = np.cumsum([0, *(len(found) for found, _ in phrases)])
    rows = np.concatenate([pairs["row"].to_numpy() for _, pairs in phrases])
    columns = np.concatenate(
        [pairs["code"].to_numpy() + start for (_, pairs), start in zip(phrases, starts, strict=False)]
    )
    made = csr_matrix((np.ones(len(rows), np.float32), (rows, columns)), (n, len(names)))
    often = np.asarray(made.sum(axis=0)).ravel()
    by_name = np.array(names, dtype=object).argsort(kind="stable") if names else np.empty(0, np.int64)
    kept = by_name[np.sort(np.argsort(-often[by_name], kind="stable")[:most])]
    return Terms([names[place] for place in kept], made[:, kept].tocsr(), n_words[kept])


def spread_rows(texts: pl.Series, most: int = MOST_CHARACTERS) -> npt.NDArray[np.int64]:
    """Places of rows, evenly spread, whose texts have at most about so many characters: all rows, if they are few."""
    total = int(texts.str.len_chars().sum() or 0)
    step = max(1, -(-total // most))
    return np.arange(0, len(texts), step)

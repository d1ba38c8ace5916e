"""Letters, white space and cases: the tables say what the regular expression engine does."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest

from consilience.labeling.letters import N_CASED, SPACE, SURROGATES, WORD, letters


def test_every_character_is_of_the_kind_the_engine_says():
    codes = np.delete(np.arange(0x110000), SURROGATES)
    characters = pl.Series([chr(code) for code in codes])
    kinds = letters(True).kinds[codes]
    for regex, kind in ((r"^\w", WORD), (r"^\s", SPACE)):
        assert np.array_equal(characters.str.contains(regex).to_numpy(), kinds == kind)


@pytest.mark.slow
def test_every_letter_has_the_cases_the_engine_says():
    folded = letters(True).folded
    odd = [
        c
        for c in range(N_CASED)
        if c not in SURROGATES and {chr(c).lower(), chr(c).upper(), chr(c).casefold()} != {chr(c)}
    ]
    codes = np.union1d(np.flatnonzero(folded != np.arange(N_CASED)), odd)
    text = pl.Series([chr(code) for code in codes])
    for code in codes:
        matched = text.str.contains(f"(?i)^\\x{{{code:x}}}$").to_numpy()
        assert np.array_equal(matched, folded[codes] == folded[code]), chr(code)


@pytest.mark.parametrize("same", ["sSſ", "kK\u212a", "ßẞ", "σςΣ", "\ufb05\ufb06", "éÉ", "µμΜ"])
def test_letters_in_other_cases_are_one(same):
    assert len({letters(True).folded[ord(one)] for one in same}) == 1
    assert len({letters(False).folded[ord(one)] for one in same}) == len(same)


def test_the_dotless_i_is_no_i():
    assert letters(True).folded[0x131] == 0x131
    assert letters(True).folded[ord("I")] == letters(True).folded[ord("i")]

"""Ten small Python functions of one row, and short texts for them: the same for every system that is timed.

Imports nothing but the standard library, for the other systems' environments do not have our package.
"""

from __future__ import annotations

import random
import re
from collections.abc import Callable
from typing import Any

COMMENT = """
    the this that video song is so good great love it my your channel check out please subscribe free money win new
    music best ever http://t.co/x www.page.com lol nice voice dance 2 million views why do people not like I think
    LOOK at me and all of you in a
"""
WORDS = COMMENT.split()
LINK = re.compile(r"https?://|www\.")


def short_texts(n: int, seed: int) -> list[str]:
    """Texts of 4 to 12 words, about 36 characters."""
    rng = random.Random(seed)
    return [" ".join(rng.choices(WORDS, k=rng.randint(4, 12))) for _ in range(n)]


def subscribe(row: Any) -> bool:
    return "subscribe" in row.text.lower()


def check_out(row: Any) -> bool:
    return "check out" in row.text.lower()


def link(row: Any) -> bool:
    return LINK.search(row.text) is not None


def my_channel(row: Any) -> bool:
    return "my channel" in row.text


def please(row: Any) -> bool:
    return "please" in row.text.split()


def money(row: Any) -> bool:
    return any(word in row.text for word in ("free", "money", "win"))


def short(row: Any) -> bool:
    return len(row.text) < 25


def few_words(row: Any) -> bool:
    return len(row.text.split()) < 6


def praise(row: Any) -> bool:
    return not {"love", "great", "best"}.isdisjoint(row.text.split())


def song(row: Any) -> bool:
    text = row.text
    return "song" in text or "voice" in text


SPAM = (subscribe, check_out, link, my_channel, please, money)
HAM = (short, few_words, praise, song)
TEN: tuple[tuple[Callable[[Any], bool], str], ...] = (*((f, "spam") for f in SPAM), *((f, "ham") for f in HAM))

"""Spam below music videos (youtube_raw): comments that advertise, and comments about the song."""

import consilience as cs

from functions import listed

LABELS = ("ham", "spam")


@cs.labeling_function("ham")
def short_comment(row) -> bool:
    """A few words without a link are a cheer; advertising needs more."""
    text = row.text.lower()
    return len(text.split()) <= 6 and "http" not in text and "subscri" not in text


@cs.labeling_function("spam")
def long_comment(row) -> bool:
    """Who writes a page below a song wants something."""
    return len(row.text.split()) > 60


FUNCTIONS = {
    "subscribe": cs.pattern("spam", r"\bsubs?cri", ignore_case=True),
    "check_out": cs.pattern("spam", r"\bcheck(ing)?\s+(\w+\s+){0,2}out\b", ignore_case=True),
    "link": cs.pattern("spam", r"https?://|www\.|\.(com|net|org|tk)\b", ignore_case=True),
    "my_channel": cs.pattern("spam", r"\bmy\s+(\w+\s+)?(channel|videos?|music|page|website|site)\b", ignore_case=True),
    "money": cs.keywords(
        "spam",
        listed("money, dollars, earn, free, giveaway, gift card, work from home"),
    ),
    "please": cs.keywords("spam", listed("please, plz, pls, help me, visit, share")),
    "the_song": cs.keywords(
        "ham",
        listed("song, this video, lyrics, beat, dance, voice, views, best song"),
    ),
    "admires": cs.keywords(
        "ham",
        listed("love, awesome, amazing, beautiful, favorite, lol, memories, hot"),
    ),
    "the_artist": cs.keywords(
        "ham",
        listed("psy, katy, katy perry, eminem, rihanna, shakira, lmfao, she, he"),
    ),
    "short_comment": short_comment,
    "long_comment": long_comment,
}

"""Functions in Python, written after reading twenty review sentences."""

import consilience as cs

GOOD = {"love", "loved", "performance", "performances", "compelling", "original", "heart", "rich", "cast", "refreshing"}
BAD = {"nothing", "no", "without", "unfortunately", "instead", "problem", "cliches", "minutes", "less", "only", "just"}


@cs.labeling_function("positive", "negative")
def balance(row) -> str | None:
    """More kind words than unkind ones, or the other way round."""
    words = row.text.lower().split()
    score = sum(word in GOOD for word in words) - sum(word in BAD for word in words)
    return "positive" if score > 0 else "negative" if score < 0 else None


@cs.labeling_function("positive")
def but_good(row) -> bool:
    """What comes after "but" is what the critic means."""
    _, but, after = row.text.lower().rpartition(" but ")
    return bool(but) and bool(GOOD & set(after.split()))

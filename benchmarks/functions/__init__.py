"""Labeling functions of the benchmarks, one file a task, written after reading about twenty rows without their gold.

No gold was looked at to choose a word, and none of them was changed after its score was seen.
"""


def listed(phrases: str) -> list[str]:
    """The words and phrases of a list with commas, which is easier to read than one with quotes.

    >>> listed("bad, worst, falls in love")
    ['bad', 'worst', 'falls in love']
    """
    return [phrase.strip() for phrase in phrases.split(",")]

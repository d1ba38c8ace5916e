"""Labeling functions of the benchmarks, one file a task, written after reading about twenty rows of each set.

The twenty were drawn from the whole set, so some lie in what became the test part; they were read without their gold.
The first lines of most files, three to nine rows a set, were seen with it when the formats were looked at. No gold was
counted to choose a word, and none of the functions was changed after its score was seen.
"""


def listed(phrases: str) -> list[str]:
    """The words and phrases of a list with commas, which is easier to read than one with quotes.

    >>> listed("bad, worst, falls in love")
    ['bad', 'worst', 'falls in love']
    """
    return [phrase.strip() for phrase in phrases.split(",")]

"""A few sentences of our own about people who do not exist, so that the example runs where the news is not at hand.

Each sentence names people in [brackets]; words are cut at spaces and signs. There is no parse: features of dependencies
have nothing to say here.
"""

from __future__ import annotations

import re

TEXT = """
[Anna Berg] and her husband [Tom Berg] opened the bakery in May.
[Tom Berg] thanked his wife [Anna Berg] at the opening.
[Maria Silva] married [Paul Okoye] in a small church by the sea.
[Paul Okoye] and [Maria Silva] were married last spring.
[Lena Fox] met [Carl Stone] at a conference on bridges.
[Carl Stone] beat [Omar Haddad] in the final on Sunday.
[Omar Haddad] and his wife [Lucy Haddad] watched from the stands.
[Lucy Haddad], the wife of [Omar Haddad], said she was proud.
[Ivan Petrov] succeeded [Lena Fox] as head of the museum.
[Ivan Petrov] and his brother [Oleg Petrov] own two boats.
[Oleg Petrov] is the father of [Vera Petrov].
[Vera Petrov] and her husband [Jan Novak] live in the old mill.
[Jan Novak] painted the house while [Vera Petrov] wrote a novel.
[Rosa Diaz] sued [Carl Stone] over a fence.
[Rosa Diaz] and [Miguel Diaz] celebrated thirty years of marriage, the wedding was in June.
[Miguel Diaz] kissed his wife [Rosa Diaz] on the bridge.
[Emma Clark] interviewed [Ivan Petrov] for the radio.
[Emma Clark] and her mother [Joan Clark] run the paper together.
[Joan Clark] was the wife of [Henry Clark] for forty years.
[Henry Clark] and [Joan Clark] moved to the coast.
[Sven Lund] hired [Emma Clark] after a long search.
[Sven Lund] and [Nina Ray] were married by the mayor.
[Nina Ray] said that [Sven Lund] cooks badly.
[Kofi Mensah] and [Lena Fox] disagreed about the budget.
[Kofi Mensah] introduced his wife [Ama Mensah] to the guests.
[Ama Mensah] and [Kofi Mensah] have three children.
[Hugo Blanc] wrote to [Ama Mensah] about the lake.
[Hugo Blanc] and his sister [Claire Blanc] sang.
[Claire Blanc] wed [Peter Hall] on a Monday.
[Peter Hall] and [Hugo Blanc] played chess until midnight.
[Anna Berg] defeated [Nina Ray] by two votes.
"""

COUPLES = [
    ("Anna Berg", "Tom Berg"),
    ("Maria Silva", "Paul Okoye"),
    ("Lucy Haddad", "Omar Haddad"),
    ("Rosa Diaz", "Miguel Diaz"),
    ("Henry Clark", "Joan Clark"),
    ("Kofi Mensah", "Ama Mensah"),
]

WORD = re.compile(r"\w+|[^\w\s]")


def sentences() -> list[tuple[object, ...]]:
    """Rows of the relation `sentence`; each sentence is a document of its own."""
    return [_row(f"s{number:02}", line) for number, line in enumerate(TEXT.strip().splitlines())]


def _row(doc: str, line: str) -> tuple[object, ...]:
    tokens: list[str] = []
    tags: list[str] = []
    for place, part in enumerate(re.split(r"[\[\]]", line)):
        found = WORD.findall(part)
        tokens += found
        tags += ["PERSON" if place % 2 else "O"] * len(found)
    pos = ["NNP" if token[0].isupper() else "X" for token in tokens]
    content = line.replace("[", "").replace("]", "")
    return doc, 0, content, tokens, [t.lower() for t in tokens], pos, tags, [""] * len(tokens), [0] * len(tokens)

"""The example that `consilience kb init` writes: a small program and its data, to be run as they stand.

The people are made up, by a fixed seed: in some circles of friends most smoke, and smokers fall ill more often.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np

PROGRAM = """\
# Who smokes, and who will fall ill? Each relation of rows has a file in data/; those with ? hold facts to be inferred.
# After an edit, `consilience kb run` computes again only what the edit touches.

person(id int, name text).
friends(a int, b int).
survey(id int, smokes boolean).     # what people said; not everybody answered
clinic(id int, ill boolean).

smokes?(id int).
ill?(id int).

# Everybody is in question, and the survey and the clinic know some of them.
smokes(p) :- person(p, _).
smokes(p) = said :- survey(p, said).
ill(p) :- person(p, _).
ill(p) = found :- clinic(p, found).

@name("how many smoke") @weight("?")
smokes(p) :- person(p, _).

@name("how many are ill") @weight("?")
ill(p) :- person(p, _).

@name("friends do alike") @weight("?")
smokes(p) = smokes(q) :- friends(p, q).

@name("smoking makes ill") @weight("?")
smokes(p) = ill(p) :- person(p, _).
"""
NAMES = ["Ada", "Ben", "Cem", "Dora", "Eli", "Fay", "Gus", "Hana", "Ivo", "Jun", "Kai", "Lea"]
CIRCLES, OF = 16, 6  # circles of friends, and how many are in each


def example_files() -> list[tuple[str, str, str]]:
    """Path, what it is, and the text of each file.

    >>> [path for path, _, _ in example_files()][:2]
    ['app.ddlog', 'data/person.csv']
    """
    rng = np.random.default_rng(4)
    people = [f"{NAMES[i % len(NAMES)]} {chr(65 + i // len(NAMES))}." for i in range(CIRCLES * OF)]
    smokes = [rng.random() < (0.9 if circle % 3 == 0 else 0.07) for circle in range(CIRCLES) for _ in range(OF)]
    ill = [rng.random() < (0.8 if s else 0.07) for s in smokes]
    circles = [range(c * OF, (c + 1) * OF) for c in range(CIRCLES)]
    friends = [(a, b) for circle in circles for a in circle for b in circle if a < b and rng.random() < 0.6]
    answered = [i for i in range(len(people)) if rng.random() < 0.6]
    examined = [i for i in range(len(people)) if rng.random() < 0.6]
    return [
        ("app.ddlog", "the program: relations and rules", PROGRAM),
        ("data/person.csv", "rows of person", _csv("id,name", enumerate(people))),
        ("data/friends.csv", "rows of friends", _csv("a,b", friends)),
        ("data/survey.csv", "rows of survey", _csv("id,smokes", ((i, str(smokes[i]).lower()) for i in answered))),
        ("data/clinic.csv", "rows of clinic", _csv("id,ill", ((i, str(ill[i]).lower()) for i in examined))),
    ]


def _csv(header: str, rows: Iterable[Sequence[object]]) -> str:
    return "\n".join([header, *(",".join(map(str, row)) for row in rows)]) + "\n"

"""Call something on many things at once, and where it raises, find the ones that it raises on.

The others are not lost, and what is said of one thing does not depend on which stood beside it in the batch.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from consilience.engines.watch import watch
from consilience.errors import ConsilienceError
from consilience.labeling.function import short_traceback


def isolated(call: Callable[[Any], Sequence[Any]], things: Sequence[Any]) -> tuple[list[Any], dict[int, str]]:
    """What call(things) gives, one value a thing: None for each that it raises on alone, whose traceback is given too.

    Errors of this package (a wrong length, a missing extra) are not about one thing, and are raised. One call if
    nothing raises; else about 2 log2(n) more for each thing that it raises on.

    >>> values, broken = isolated(lambda part: [1 / x for x in part], [1, 0, 2])
    >>> values, list(broken)
    ([1.0, None, 0.5], [1])
    """
    values: list[Any] = []
    broken: dict[int, str] = {}
    parts = [(0, len(things))] if len(things) else []
    while parts:
        start, stop = parts.pop()
        try:
            watch().many(stop - start)
            values += call(things[start:stop])
        except ConsilienceError:
            raise
        except Exception as error:
            if stop - start == 1:
                values.append(None)
                broken[start] = short_traceback(error)
            else:
                middle = (start + stop) // 2
                parts += [(middle, stop), (start, middle)]
        finally:
            watch().rest()
    return values, broken

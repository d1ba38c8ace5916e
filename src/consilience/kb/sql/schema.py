"""What the relations of a program look like in a database: columns, types, which hold each row once.

Read by everything that makes SQL. Nothing here touches a database.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cached_property

from sqlglot import exp
from sqlglot.errors import SqlglotError

from consilience.errors import ProgramError, nearest
from consilience.kb.language.schema import Findings, implied_relations, resolve_rows
from consilience.kb.language.tree import (
    Atom,
    Derivation,
    FunctionCall,
    Inference,
    Place,
    Program,
    Quantified,
    Relation,
    Rule,
    Supervision,
)

COUNT = "_count"  # the column with the number of a row's derivations
LABEL, PROBABILITY = "_label", "_probability"  # of a row in scope: what a rule says of it, how sure it is
POSITION, VALUE = "_position", "_value"  # of a variable in the graph's arrays, of a category among a variable's values
ID, CARDINALITY, EVIDENCE, SOFT = "_id", "_cardinality", "_evidence", "_soft"
RESERVED = frozenset({COUNT, LABEL, PROBABILITY, POSITION, VALUE, ID, CARDINALITY, EVIDENCE, SOFT})
BASE, MAIN, LABELS, VARIABLES, VALUES, FACTORS, WEIGHTS, CALLS = (
    "base",  # rows that were loaded
    "main",  # relations as rules read them
    "labels",  # scope and labels of variable relations, a row a derivation
    "variables",  # a row a variable
    "vals",  # a row a value of a categorical variable
    "factors",  # a table a rule
    "weights",  # a table a rule: which values tie which weight
    "calls",  # what functions made of their inputs
)
CHANGES = "temp"  # the catalog of tables that only this connection sees
TYPES = {
    "text": "TEXT",
    "varchar": "TEXT",
    "string": "TEXT",
    "char": "TEXT",
    "int": "BIGINT",
    "integer": "BIGINT",
    "bigint": "BIGINT",
    "smallint": "BIGINT",
    "serial": "BIGINT",
    "bigserial": "BIGINT",
    "float": "DOUBLE",
    "real": "DOUBLE",
    "double": "DOUBLE",
    "double precision": "DOUBLE",
    "numeric": "DOUBLE",
    "decimal": "DOUBLE",
    "boolean": "BOOLEAN",
    "bool": "BOOLEAN",
    "json": "JSON",
    "jsonb": "JSON",
    "date": "DATE",
    "timestamp": "TIMESTAMP",
    "bytea": "BLOB",
    "blob": "BLOB",
    "uuid": "UUID",
}
IDENTIFIER = re.compile(r"[A-Za-z_][A-Za-z0-9_]*\Z")


def data_type(written: str, place: Place | None = None) -> exp.DataType:
    """The type a program writes, in SQL: whole numbers are 64 bits wide, `x[]` is an array of x.

    raises: ProgramError if it is not the plain name of a type.

    >>> data_type("int[]").sql("duckdb"), data_type("text").sql("postgres")
    ('BIGINT[]', 'TEXT')
    """
    name = " ".join(written.lower().split())
    depth = 0
    while name.endswith("]") and "[" in name:
        name = name[: name.rindex("[")].rstrip()
        depth += 1
    known = TYPES.get(re.sub(r"\s*\(\s*\d+(\s*,\s*\d+)?\s*\)$", "", name))
    if known is None and not IDENTIFIER.match(name):
        raise _unknown_type(written, place)
    try:
        return exp.DataType.build((known or name) + "[]" * depth, dialect="duckdb")
    except SqlglotError:
        raise _unknown_type(written, place) from None


def _unknown_type(written: str, place: Place | None) -> ProgramError:
    return ProgramError(
        f"{at(place)}{written[:60]!r} is not a type.\nFix: {nearest(written, ['text', 'int', 'float', 'boolean'])}"
    )


def at(place: Place | None) -> str:
    """The beginning of a message about something that stands at a place; empty for what was made in Python.

    >>> at(Place(3, 7))
    'Line 3, column 7: '
    """
    return f"Line {place.line}, column {place.column}: " if place is not None and place.line else ""


def atoms_of(body: tuple[object, ...]) -> list[Atom]:
    """The atoms of a body in the order of the text, those inside quantified parts too; this numbers them.

    >>> x = ()
    >>> [a.relation for a in atoms_of((Atom("R", x), Quantified("exists", (Atom("S", x),)), Atom("T", x)))]
    ['R', 'S', 'T']
    """
    found: list[Atom] = []
    for part in body:
        if isinstance(part, Atom):
            found.append(part)
        elif isinstance(part, Quantified):
            found += atoms_of(part.parts)
    return found


def target(rule: Rule) -> str | None:
    """The relation a rule adds rows to; inference rules add none."""
    match rule:
        case Derivation() | Supervision():
            return rule.head.relation
        case FunctionCall():
            return rule.relation
    return None


@dataclass(frozen=True)
class Schema:
    """Relations of a program, those too that only stand in the heads of rules: their types are then not known.

    >>> from consilience.kb.language.parse import parse
    >>> schema = Schema(parse("S(x int). R(x, 1) :- S(x)."))
    >>> schema.columns("R"), schema.types("R")
    (('x', 'column_2'), (None, None))
    """

    program: Program

    @cached_property
    def relations(self) -> dict[str, Relation]:
        """By name: what is declared, then what is only derived."""
        resolved = resolve_rows(self.program, Findings(self.program.source))
        found = dict(self.program.relations)
        for implied in implied_relations(resolved):
            found.setdefault(implied.name, implied)
        self._check_names(found)
        return found

    @staticmethod
    def _check_names(relations: dict[str, Relation]) -> None:
        seen: dict[str, str] = {}
        for name, relation in relations.items():
            if seen.setdefault(name.lower(), name) != name:
                raise ProgramError(
                    f"{at(relation.place)}Relations {seen[name.lower()]} and {name} differ only in upper and lower "
                    "case, which databases do not tell apart.\nFix: give one of them another name."
                )
            columns = [c.name.lower() for c in relation.columns]
            for i, column in enumerate(columns):
                if column in RESERVED or column in columns[:i]:
                    raise ProgramError(
                        f"{at(relation.place)}Relation {name} has a column {relation.columns[i].name}, "
                        f"{'a name that is kept for grounding' if column in RESERVED else 'twice'}.\n"
                        "Fix: give the column another name."
                    )

    def relation(self, name: str, place: Place | None = None) -> Relation:
        """A relation by name. raises: ProgramError if there is none."""
        if name not in self.relations:
            raise ProgramError(f"{at(place)}There is no relation {name!r}.\nFix: {nearest(name, self.relations)}")
        return self.relations[name]

    def columns(self, name: str) -> tuple[str, ...]:
        """Names of a relation's columns."""
        return tuple(c.name for c in self.relation(name).columns)

    def types(self, name: str) -> tuple[exp.DataType | None, ...]:
        """Types of a relation's columns; None where only the database will know."""
        return tuple(data_type(c.type, c.place) if c.type else None for c in self.relation(name).columns)

    def rules_of(self, name: str) -> list[Rule]:
        """Rules that add rows to a relation, in the order of the program."""
        return [r for r in self.program.rules if target(r) == name]

    def is_derived(self, name: str) -> bool:
        """Whether any rule adds rows to a relation."""
        return bool(self.rules_of(name))

    def is_variable(self, name: str) -> bool:
        """Whether its rows are random variables."""
        return self.relation(name).is_variable

    def holds_once(self, name: str) -> bool:
        """Whether others see each row of it once: random variables, and what a `*:-` derives."""
        return self.is_variable(name) or any(
            isinstance(r, (Derivation, FunctionCall)) and r.distinct for r in self.rules_of(name)
        )

    @cached_property
    def inferences(self) -> tuple[Inference, ...]:
        """The inference rules, in the order of the program."""
        return tuple(r for r in self.program.rules if isinstance(r, Inference))

    @cached_property
    def order(self) -> tuple[str, ...]:
        """Relations so that each comes after those its rules read. raises: ProgramError on recursion."""
        return _sorted({name: self._needs(name) for name in self.relations}, self.relations)

    def _needs(self, name: str) -> list[str]:
        bodies = [b for rule in self.rules_of(name) for b in rule.bodies]
        return [self.relation(a.relation, a.place).name for body in bodies for a in atoms_of(body)]


def _sorted(needs: dict[str, list[str]], relations: dict[str, Relation]) -> tuple[str, ...]:
    done: dict[str, None] = {}
    for start in needs:
        path: list[tuple[str, list[str]]] = [(start, list(needs[start]))] if start not in done else []
        while path:  # a stack of our own: programs may be deeper than Python's
            name, waiting = path[-1]
            if not waiting:
                done[name] = None
                path.pop()
                continue
            following = waiting.pop(0)
            on_path = [n for n, _ in path]
            if following in on_path:
                circle = " -> ".join([*on_path[on_path.index(following) :], following])
                raise ProgramError(
                    f"{at(relations[following].place)}Relation {following} is derived from itself: {circle}.\n"
                    "Fix: break the circle; rules are not recursive."
                )
            if following not in done:
                path.append((following, list(needs[following])))
    return tuple(done)

"""Which relations and functions a program has, and which columns: what is declared, and what follows from the rules.

First part of `check`. A relation that rules derive need not be declared; its columns are then named after the
variables of its heads.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import replace

from consilience.errors import nearest
from consilience.kb.language import tree as t
from consilience.kb.language.trouble import Source, Trouble, program_error
from consilience.kb.language.walk import place_of
from consilience.kb.language.write import write

RESERVED_COLUMNS = frozenset({"_count"})  # every table has it: the number of derivations of a row
_CALLABLE = re.compile(r"[^\W\d]\w*(\.[^\W\d]\w*)*:[^\W\d]\w*(\.[^\W\d]\w*)*")


class Findings:
    """Troubles gathered while a program is checked, to be told together."""

    def __init__(self, source: Source | None) -> None:
        self.source = source
        self._troubles: dict[Trouble, None] = {}  # each once

    @property
    def troubles(self) -> list[Trouble]:
        """All that was found, in the order in which it was."""
        return list(self._troubles)

    def add(self, node: object, fact: str, fix: str, *, statement: t.Statement | t.Query | None = None) -> None:
        """Note a trouble with a node; the statement is shown if the node stands in no text."""
        place = place_of(node)
        shown = write(statement) if statement is not None and (self.source is None or place == t.NOWHERE) else ""
        self._troubles[Trouble(place, fact, fix, shown)] = None

    def stop(self) -> None:
        """Raise the ProgramError of all troubles, if there are any."""
        if self.troubles:
            raise program_error(self.troubles, self.source)


def check_declarations(program: t.Program, findings: Findings) -> None:
    """Find declarations that repeat, contradict or cannot become tables."""
    relations = [s for s in program.statements if isinstance(s, t.Relation)]
    functions = [s for s in program.statements if isinstance(s, t.Function)]
    _refuse_repeats(relations, "Relation", findings)
    _refuse_repeats(functions, "Function", findings)
    for relation in relations:
        _check_columns(relation.columns, f"Relation '{relation.name}'", relation, findings)
    for function in functions:
        for columns in (function.inputs, function.outputs):
            if not isinstance(columns, str):
                _check_columns(columns, f"Function '{function.name}'", function, findings)
        _check_implementation(function, findings)


def _refuse_repeats(declared: Iterable[t.Relation] | Iterable[t.Function], what: str, findings: Findings) -> None:
    first: dict[str, t.Relation | t.Function] = {}
    for statement in declared:
        before = first.setdefault(statement.name, statement)
        if before is not statement:
            where = f" (first on line {before.place.line})" if before.place.line else ""
            fact = f"{what} '{statement.name}' is declared twice{where}."
            findings.add(statement, fact, "keep one declaration.", statement=statement)


def _check_columns(
    columns: tuple[t.Column, ...], what: str, owner: t.Relation | t.Function, findings: Findings
) -> None:
    if not columns:
        findings.add(owner, f"{what} has no columns.", "give it at least one.", statement=owner)
    seen: dict[str, str] = {}
    for column in columns:
        key = column.name.casefold()
        if key in RESERVED_COLUMNS:
            fact = f"{what} has a column '{column.name}', a name that every table keeps for itself."
            findings.add(column, fact, "give the column another name.", statement=owner)
        elif key in seen:
            other = seen[key]
            twice = "twice" if other == column.name else f"and '{other}', which databases hold for one name"
            fact = f"{what} has the column '{column.name}' {twice}."
            findings.add(column, fact, "give one of them another name.", statement=owner)
        seen.setdefault(key, column.name)


def _check_implementation(function: t.Function, findings: Findings) -> None:
    if function.style == "python" and not _CALLABLE.fullmatch(function.implementation):
        findings.add(
            function,
            f"Function '{function.name}' names no Python function: {function.implementation!r}.",
            'write `implementation "module:function"`; of a script say what it `handles`: tsj or tsv lines.',
            statement=function,
        )
    elif not function.implementation.strip():
        findings.add(function, f"Function '{function.name}' has no command.", "name the script.", statement=function)


def resolve_rows(program: t.Program, findings: Findings) -> t.Program:
    """The program with columns in place of every `rows like R`."""
    relations = program.relations

    def columns(rows: tuple[t.Column, ...] | str, function: t.Function) -> tuple[t.Column, ...]:
        if not isinstance(rows, str):
            return rows
        if rows not in relations:
            fact = f"Function '{function.name}' has rows like '{rows}', and no such relation is declared."
            findings.add(function, fact, nearest(rows, relations), statement=function)
            return ()
        return tuple(replace(column, annotations=()) for column in relations[rows].columns)

    def resolved(s: t.Statement) -> t.Statement:
        if not isinstance(s, t.Function):
            return s
        return replace(s, inputs=columns(s.inputs, s), outputs=columns(s.outputs, s))

    return replace(program, statements=tuple(resolved(s) for s in program.statements))


def implied_relations(program: t.Program) -> tuple[t.Relation, ...]:
    """Relations that rules derive or functions fill, and nobody declared; their columns have no types.

    A column has the name that all heads give it, if they agree; else `column_1`, `column_2` and so on.
    """
    declared, functions = program.relations, program.functions
    heads: dict[str, list[tuple[str | None, ...]]] = defaultdict(list)
    places: dict[str, t.Place] = {}
    for rule in program.rules:
        if isinstance(rule, t.Derivation) and rule.head.relation not in declared:
            name, columns = rule.head.relation, tuple(_variable(a) for a in rule.head.arguments)
        elif isinstance(rule, t.FunctionCall) and rule.relation not in declared and rule.function in functions:
            outputs = functions[rule.function].outputs
            name, columns = rule.relation, tuple(c.name for c in outputs if isinstance(c, t.Column))
        else:
            continue
        heads[name].append(columns)
        places.setdefault(name, rule.place)
    return tuple(_implied(name, rows, places[name]) for name, rows in heads.items())


def _variable(argument: t.Expression) -> str | None:
    return argument.name if isinstance(argument, t.Name) else None


def _implied(name: str, heads: list[tuple[str | None, ...]], place: t.Place) -> t.Relation:
    agreed = [(set(column).pop() if len(set(column)) == 1 else None) for column in zip(*heads, strict=False)]
    keys = [column.casefold() if column else None for column in agreed]
    names = []
    for i, column in enumerate(agreed):
        is_free = keys.count(keys[i]) == 1 and keys[i] not in RESERVED_COLUMNS
        is_plain = column is not None and not re.fullmatch(r"column_\d+", column, re.IGNORECASE)
        names.append(column if column is not None and is_free and is_plain else f"column_{i + 1}")
    return t.Relation(name, tuple(t.Column(column, "") for column in names), place=place)


def refuse_twins(relations: Iterable[t.Relation], findings: Findings) -> None:
    """Relations whose names differ in nothing but capitals would be one table."""
    seen: dict[str, str] = {}
    for relation in relations:
        other = seen.setdefault(relation.name.casefold(), relation.name)
        if other != relation.name:
            fact = f"Relations '{other}' and '{relation.name}' differ only in capitals, which databases hold for one."
            findings.add(relation, fact, "give one of them another name.", statement=relation)

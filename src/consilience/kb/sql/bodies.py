"""A rule's body as a join: atoms are tables, repeated names equalities, quantified parts semijoins and outer joins.

Which table an atom reads is asked of `Read`, atom by atom: a change of a relation is grounded by letting each atom in
turn read what changed, those before it the relation after the change, those behind it the relation before.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from sqlglot import exp

from consilience.errors import ProgramError
from consilience.kb.language import tree
from consilience.kb.sql.expressions import expression, has_aggregate, names_in
from consilience.kb.sql.schema import COUNT, MAIN, Schema, at, atoms_of


@dataclass(frozen=True)
class Source:
    """What an atom reads: a table (or subquery), the columns its arguments stand for, whether its counts multiply."""

    table: exp.Expr
    columns: tuple[str, ...]
    types: tuple[exp.DataType | None, ...]
    counted: bool


Read = Callable[[int, tree.Atom], Source]


def column(name: str, table: str | None = None) -> exp.Column:
    """A quoted column."""
    return exp.column(name, table, quoted=True)


def table(name: str, schema: str = MAIN) -> exp.Table:
    """A quoted table."""
    return exp.table_(name, db=schema, quoted=True)


def relation_source(schema: Schema, name: str, within: str = MAIN, place: tree.Place | None = None) -> Source:
    """A relation as it stands in the database."""
    schema.relation(name, place)
    return Source(table(name, within), schema.columns(name), schema.types(name), not schema.holds_once(name))


def current(schema: Schema) -> Read:
    """Every atom reads its relation as it stands."""
    return lambda _, atom: relation_source(schema, atom.relation, place=atom.place)


@dataclass
class Join:
    """A body being made into a query: tables so far, what names stand for, what must hold, whose counts multiply."""

    read: Read
    given: dict[str, exp.Expr] = field(default_factory=dict)
    types: dict[str, exp.DataType | None] = field(default_factory=dict)
    select: exp.Select = field(default_factory=exp.Select)
    conditions: list[exp.Expr] = field(default_factory=list)
    counts: list[exp.Expr] = field(default_factory=list)
    arguments: list[tuple[exp.Expr, tree.Expression]] = field(default_factory=list)

    def add_table(self, source: exp.Expr, on: Sequence[exp.Expr] | None = None) -> None:
        """Join one more table: to all rows so far, or with `on` to those that agree, if any do."""
        if on is not None:
            if "from_" not in self.select.args and "from" not in self.select.args:
                self.select = self.select.from_(_one_row())
            self.select = self.select.join(source, on=exp.and_(*on) if on else exp.true(), join_type="left", copy=False)
        elif not self.select.args.get("from_") and not self.select.args.get("from"):
            self.select = self.select.from_(source, copy=False)
        else:
            self.select = self.select.join(source, join_type="cross", copy=False)

    def add_atom(self, number: int, atom: tree.Atom, source: Source) -> str:
        """Join an atom's table; names it is the first to mention stand for its columns. Returns the table's alias."""
        if len(atom.arguments) != len(source.columns):
            raise ProgramError(
                f"{at(atom.place)}{atom.relation} has {len(source.columns)} columns, not {len(atom.arguments)}.\n"
                f"Fix: its columns are {', '.join(source.columns)}; write _ for one that does not matter."
            )
        alias = f"R{number}"
        made = source.table.copy()
        aliased = exp.alias_(made, alias, table=True, quoted=True)
        self.add_table(aliased)
        for argument, name, kind in zip(atom.arguments, source.columns, source.types, strict=True):
            here = column(name, alias)
            if isinstance(argument, tree.Anything):
                continue
            if not isinstance(argument, tree.Name):
                self.arguments.append((here, argument))
            elif argument.name in self.given:
                self.conditions.append(exp.EQ(this=here, expression=self.given[argument.name].copy()))
            else:
                self.given[argument.name], self.types[argument.name] = here, kind
        if source.counted:
            self.counts.append(column(COUNT, alias))
        return alias

    def add_body(self, body: tree.Body, first: int = 0) -> None:
        """Join a whole body, whose atoms are numbered from `first`."""
        parts = numbered(body, first)
        for number, part in parts:
            if isinstance(part, tree.Atom):
                self.add_atom(number, part, self.read(number, part))
        rest = self._bind([(n, p) for n, p in parts if not isinstance(p, tree.Atom)])
        for number, part in rest:
            if isinstance(part, tree.Quantified) and part.kind == "optional":
                self._add_optional(number, part)
        rest = self._bind([(n, p) for n, p in rest if not (isinstance(p, tree.Quantified) and p.kind == "optional")])
        for here, argument in self.arguments:
            self.conditions.append(exp.EQ(this=here, expression=expression(argument, self.given)))
        self.arguments = []
        for number, part in rest:
            self.conditions += self._condition(number, part)

    def _bind(self, parts: list[tuple[int, tree.Part]]) -> list[tuple[int, tree.Part]]:
        """`x = e` gives x its value where no atom does. Returns what is left to hold."""
        bound = True
        while bound:
            bound = False
            for i, (_, part) in enumerate(parts):
                if not isinstance(part, tree.Operation) or part.operator != "=":
                    continue
                for name, value in ((part.left, part.right), (part.right, part.left)):
                    if (
                        isinstance(name, tree.Name)
                        and name.name not in self.given
                        and names_in(value) <= set(self.given)
                    ):
                        made = expression(value, self.given)
                        self.given[name.name] = made if isinstance(made, exp.Column) else exp.paren(made)
                        self.types[name.name] = self.types.get(value.name) if isinstance(value, tree.Name) else None
                        parts = parts[:i] + parts[i + 1 :]
                        bound = True
                        break
                if bound:
                    break
        return parts

    def _condition(self, number: int, part: tree.Part) -> list[exp.Expr]:
        """What a condition or quantified part demands of a row."""
        if isinstance(part, tree.Constant) and part.value is True:
            return []
        if not isinstance(part, tree.Quantified):
            made = expression(part, self.given)  # type: ignore[arg-type]
            return [exp.paren(made) if isinstance(made, (exp.Or, exp.And)) else made]
        if part.kind == "all":
            return [exp.not_(self._exists(number, *_split(part)))]
        found = self._exists(number, part.parts, ())
        return [found if part.kind == "exists" else exp.not_(found)]

    def _exists(self, number: int, body: tree.Body, violated: tree.Body) -> exp.Expr:
        """Whether rows of a body exist, of which (if given) some condition does not hold."""
        inner = Join(self.read, dict(self.given), dict(self.types))
        inner.add_body(body, number)
        if violated:
            after = number + len(atoms_of(body))
            holds = []
            for part in violated:
                holds += inner._condition(after, part)
                after += len(atoms_of((part,)))
            inner.conditions.append(
                exp.not_(exp.paren(exp.Is(this=exp.paren(exp.and_(*holds, copy=False)), expression=exp.true())))
                if holds
                else exp.false()
            )
        inner.counts = []
        return exp.Exists(this=inner.finished().select(exp.Literal.number(1)))

    def _add_optional(self, number: int, part: tree.Quantified) -> None:
        """Join what is optional: where nothing agrees, its names are NULL and the row stands once."""
        inner = Join(self.read)
        later: list[tree.Expression] = []
        for at_number, p in numbered(part.parts, number):
            if isinstance(p, tree.Atom):
                inner.add_atom(at_number, p, self.read(at_number, p))
        for at_number, p in numbered(part.parts, number):
            if isinstance(p, tree.Quantified):
                if p.kind == "optional" or names_in(p) & set(self.given) - set(inner.given):
                    raise ProgramError(
                        f"{at(p.place)}A quantified part inside OPTIONAL reads what stands outside of it.\n"
                        "Fix: derive what is inside OPTIONAL[...] into a relation of its own."
                    )
                inner.conditions += inner._condition(at_number, p)
            elif not isinstance(p, tree.Atom):
                if names_in(p) <= set(inner.given):
                    inner.conditions += inner._condition(at_number, p)
                else:
                    later.append(p)
        alias = f"O{number}"
        exported: dict[str, exp.Expr] = {}
        selected: list[exp.Expr] = []

        def export(e: exp.Expr) -> exp.Column:
            selected.append(exp.alias_(e.copy(), f"c{len(selected)}", quoted=True))
            return column(f"c{len(selected) - 1}", alias)

        on: list[exp.Expr] = []
        for name, here in inner.given.items():
            exported[name] = export(here)
            if name in self.given:
                on.append(exp.EQ(this=exported[name].copy(), expression=self.given[name].copy()))
        inside = exported | self.given
        on += [exp.EQ(this=export(here), expression=expression(e, inside)) for here, e in inner.arguments]
        wide = Join(self.read, inside)
        on += [c for p in later for c in wide._condition(number, p)]
        if inner.counts:
            counted = export(product(inner.counts) or exp.Literal.number(1))
            self.counts.append(exp.Coalesce(this=counted, expressions=[exp.Literal.number(1)]))
        selected = selected or [exp.alias_(exp.Literal.number(1), "c0", quoted=True)]
        self.add_table(exp.alias_(inner.finished().select(*selected).subquery(), alias, table=True, quoted=True), on)
        for name, here in exported.items():
            if name not in self.given:
                self.given[name], self.types[name] = here, inner.types.get(name)

    def finished(self) -> exp.Select:
        """The query without what it selects."""
        select = self.select
        if not select.args.get("from_") and not select.args.get("from"):
            select = select.from_(_one_row())
        return select.where(*self.conditions) if self.conditions else select

    @property
    def count(self) -> exp.Expr | None:
        """How often a row of the join was derived; None if always once."""
        return product(self.counts)


def _one_row() -> exp.Expr:
    return exp.alias_(exp.select(exp.Literal.number(1)).subquery(), "one", table=True, quoted=True)


def _split(part: tree.Quantified) -> tuple[tree.Body, tree.Body]:
    atoms = tuple(p for p in part.parts if isinstance(p, tree.Atom))
    return atoms, tuple(p for p in part.parts if not isinstance(p, tree.Atom))


def numbered(body: tree.Body, first: int = 0) -> list[tuple[int, tree.Part]]:
    """Parts of a body with the number of the first atom in each; conditions inside `[...]` stand for themselves."""
    found: list[tuple[int, tree.Part]] = []
    for part in body:
        if isinstance(part, tree.All):
            found += [(first, c) for c in part.conditions]
        else:
            found.append((first, part))
        first += len(atoms_of((part,)))
    return found


def product(counts: Sequence[exp.Expr]) -> exp.Expr | None:
    """The product of counts; None of none."""
    made: exp.Expr | None = None
    for count in counts:
        made = count.copy() if made is None else exp.Mul(this=made, expression=count.copy())
    return made


def joined(body: tree.Body, read: Read) -> Join:
    """A body as a join, ready for heads to be selected from it."""
    join = Join(read)
    join.add_body(body)
    return join


def selected(
    join: Join, head: Sequence[tuple[str, tree.Expression, exp.DataType | None]], extra: Sequence[exp.Expr] = ()
) -> exp.Select:
    """Rows (name, expression, type) of a head, with their count last; aggregates make one row of each group."""
    groups = any(has_aggregate(e) for _, e, _ in head)
    count = join.count
    made, keys = [], []
    for name, e, kind in head:
        value = expression(e, join.given, count)
        if groups and not has_aggregate(e) and names_in(e):
            keys.append(value.copy())
        known = join.types.get(e.name) if isinstance(e, tree.Name) else None
        if kind is not None and known != kind:
            value = exp.cast(value, kind)
        made.append(exp.alias_(value, name, quoted=True))
    counted = exp.Literal.number(1) if groups or count is None else count
    select = join.finished().select(*made, *extra, exp.alias_(exp.cast(counted, "bigint"), COUNT, quoted=True))
    if not groups:
        return select
    # Of no rows there is no group, also where SQL would make one of them.
    return (
        select.group_by(*keys)
        if keys
        else select.having(exp.GT(this=exp.Count(this=exp.Star()), expression=exp.Literal.number(0)))
    )

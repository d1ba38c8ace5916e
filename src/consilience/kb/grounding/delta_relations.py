"""Relations under a change, one by one in the order of their rules: what each gains and loses, applied and kept."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray
from sqlglot import exp

from consilience.kb.grounding.counted import (
    Change,
    apply_change,
    changed_rows,
    make_temporary,
    named,
    temporary,
)
from consilience.kb.grounding.delta_plan import Plan
from consilience.kb.grounding.delta_variables import change_variables, number_variables
from consilience.kb.grounding.functions import Outcome, call_name, make_calls, outputs
from consilience.kb.grounding.ground import GroundReport, ground_relation, rows_query, scope_query
from consilience.kb.grounding.store import Store, answering, text
from consilience.kb.grounding.variables import same_id
from consilience.kb.language import tree
from consilience.kb.sql.bodies import column, table
from consilience.kb.sql.deltas import Changed, change_table, stands_in, why_recomputed
from consilience.kb.sql.islands import Meeting, Reading
from consilience.kb.sql.rule_deltas import head_of
from consilience.kb.sql.rules import call_query, fingerprint, output_columns, union
from consilience.kb.sql.schema import (
    BASE,
    CALLS,
    COUNT,
    ID,
    LABEL,
    POSITION,
    PROBABILITY,
    VARIABLES,
    Schema,
    at,
    atoms_of,
    target,
)

if TYPE_CHECKING:
    from consilience.kb.grounding.delta import UpdateReport

BATCH = 20_000  # inputs that a function gets at a time


def loaded_name(schema: Schema, name: str) -> str:
    """Name of the table of base rows that came and went; where they are all there is, it is the relation's change."""
    return change_table(name).name if stands_in(schema, name) == BASE else f"loaded {name}"


@dataclass
class RelationChanges:
    """The walk over the relations. changed: what has changed so far. evidence: variables that know another value.

    lost_base: relations of which base rows were taken out.
    """

    store: Store
    schema: Schema
    plan: Plan
    report: UpdateReport
    functions: Mapping[str, Callable[..., Any]]
    allow_code: bool
    folder: Path | None
    lost_base: set[str] = field(default_factory=set)
    changed: Changed = field(default_factory=Changed)
    evidence: list[tuple[NDArray[np.int32], NDArray[np.int32]]] = field(default_factory=list)
    looked_back: dict[str, str] = field(default_factory=dict)
    apart: dict[Meeting, bool] = field(default_factory=dict)
    met: dict[Meeting, bool] = field(default_factory=dict)
    within: dict[tuple[Reading, Reading], bool] = field(default_factory=dict)
    loaded: frozenset[str] | None = None

    def look_back(self, loaded: set[str]) -> None:
        """Before anything changes, derive what rules gave that are gone or may have to be derived whole again."""
        may = Changed(self.plan.may_change(self.schema, loaded))
        for rule in self.plan.gone:
            if target(rule) in self.schema.relations:
                self._look_back(self.plan.before, rule)
        for number, rule in enumerate(self.schema.program.rules):
            kept = number not in self.plan.new and not isinstance(rule, tree.Inference)
            if kept and may.relations & self._reads(rule) and any(why_recomputed(rule, b, may) for b in rule.bodies):
                self._look_back(self.schema, rule)

    def _reads(self, rule: tree.Rule) -> set[str]:
        return {a.relation for b in rule.bodies for a in atoms_of(b)}

    def _look_back(self, schema: Schema, rule: tree.Rule) -> None:
        mark = fingerprint(rule)
        if mark not in self.looked_back:
            name = f"before {len(self.looked_back)}"
            with answering(f"{at(rule.place)}a rule as it was"):
                make_temporary(self.store, name, self._whole(schema, rule))
            self.looked_back[mark] = name

    def _whole(self, schema: Schema, rule: tree.Rule) -> exp.Query:
        """All that a rule gives; of functions, what they gave."""
        name = target(rule)
        assert name is not None
        if isinstance(rule, tree.FunctionCall) and rule.limit is not None and schema is self.schema:
            return call_query(schema, rule)
        return scope_query(schema, rule) if schema.is_variable(name) else rows_query(schema, rule)

    def change(self, name: str, loaded: Change | None) -> None:
        """Apply what a relation gains and loses; `changed` says whether anything did. loaded: of its base rows."""
        if name not in self.plan.before.relations:
            self._make(name)
            return
        if stands_in(self.schema, name) == BASE:
            if loaded is not None:
                self.report.rows[name] = loaded.total
                self._has_changed(name, lost=name in self.lost_base)
            return
        columns = self._columns(name)
        queries = [self._loaded_rows(name)] if loaded is not None else []
        for number, rule in enumerate(self.schema.program.rules):
            if target(rule) == name:
                with answering(f"{at(rule.place)}what changes in {name}"):
                    queries += self._rule_queries(number, rule)
        with answering(f"what changes in {name}"):
            for rule in self.plan.gone:
                if target(rule) == name:
                    queries.append(self._negated(self.looked_back[fingerprint(rule)], columns))
            if self.schema.is_variable(name):
                self._change_scope(name, changed_rows(self.store, f"delta of {name}", columns, queries))
            else:
                self._change_rows(name, columns, queries)

    def _make(self, name: str) -> None:
        """A relation that was not there: nothing but new rules can read it."""
        made = GroundReport()
        code = (self.functions, self.allow_code, self.folder)
        self.report.rows[name] = ground_relation(self.store, self.schema, name, made, *code)
        self._tell(made.failed_rows, made.messages)
        if self.schema.is_variable(name):
            self.report.variables_new[name] = number_variables(self.store, self.schema.relation(name))

    def _tell(self, failed: Mapping[str, int], messages: list[str]) -> None:
        for function, n in failed.items():
            self.report.failed_rows[function] = self.report.failed_rows.get(function, 0) + n
        self.report.messages += messages

    def _columns(self, name: str) -> tuple[str, ...]:
        labels = (LABEL, PROBABILITY) if self.schema.is_variable(name) else ()
        return (*self.schema.columns(name), *labels)

    def _loaded_rows(self, name: str) -> str:
        made = exp.select(*map(column, self.schema.columns(name)))
        if self.schema.is_variable(name):
            for label, kind in ((LABEL, "boolean"), (PROBABILITY, "double")):
                made = made.select(exp.alias_(exp.cast(exp.null(), kind), label, quoted=True))
        return text(made.select(column(COUNT)).from_(temporary(loaded_name(self.schema, name))))

    def _negated(self, name: str, columns: tuple[str, ...]) -> str:
        less = exp.alias_(exp.Neg(this=column(COUNT)), COUNT, quoted=True)
        return text(exp.select(*map(column, columns), less).from_(temporary(name)))

    def _rule_queries(self, number: int, rule: tree.Rule) -> list[str]:
        """Rows a rule gives more and less, as queries."""
        is_call = isinstance(rule, tree.FunctionCall)
        if number in self.plan.new:
            if isinstance(rule, tree.FunctionCall):
                make_calls(self.store, self.schema, rule)
                return self._called(rule, [text(call_query(self.schema, rule))])
            return [text(self._whole(self.schema, rule))]
        why = next((w for b in rule.bodies if (w := why_recomputed(rule, b, self.changed))), None)
        if why is not None:
            if not self.changed.relations & self._reads(rule):
                return []
            self.report.recomputed[self._label(number, rule)] = why
            before = self.looked_back[fingerprint(rule)]
            if isinstance(rule, tree.FunctionCall):
                inputs = tuple(n for n, _, _ in head_of(self.schema, rule))
                return self._called(rule, [text(call_query(self.schema, rule)), self._negated(before, inputs)])
            return [text(self._whole(self.schema, rule)), self._negated(before, self._columns(target(rule) or ""))]
        queries: list[str] = []
        for body in range(len(rule.bodies)):
            queries += self._body_queries(number, body)
        if is_call and queries:
            assert isinstance(rule, tree.FunctionCall)
            return self._called(rule, queries)
        return queries

    def _label(self, number: int, rule: tree.Rule) -> str:
        place = f" (line {rule.place.line})" if rule.place.line else f" (rule {number + 1})"
        return f"{target(rule)}{place}"

    def _body_queries(self, number: int, body: int) -> list[str]:
        deltas = self.plan.queries
        if not deltas.groups(number):
            return deltas.term_queries(number, body, self.changed, self.is_apart)
        touched = deltas.touched(number, body, self.changed, self.is_apart)
        if touched is None:
            return []
        name = f"groups {number} {body}"
        if not make_temporary(self.store, name, touched):
            return []
        keys = [exp.Count(this=column(f"k{i}")) for i in range(deltas.n_keys(number))]
        total, *present = self.store.rows(exp.select(exp.Count(this=exp.Star()), *keys).from_(temporary(name)))[0]
        nullable = frozenset(i for i, n in enumerate(present) if n < total)
        # NULL is a key here, and meets nothing.
        is_new = not nullable and deltas.groups_are_new(number, body, self.changed, self.is_apart)
        return deltas.group_queries(number, body, self.changed, name, nullable, is_new)

    def is_apart(self, meeting: Meeting) -> bool:
        """Whether old rows and a change have nothing in common; looked up once an update.

        Where all values of the old rows stem from base relations that lost none, it is enough to look there.
        """
        if meeting not in self.apart:
            roots = self._origins(meeting.old)
            settled = roots is not None and all(self._looked_up(self._wider(r, meeting.change)) for r in roots)
            self.apart[meeting] = settled or self._looked_up(meeting)
        return self.apart[meeting]

    def _looked_up(self, meeting: Meeting) -> bool:
        if meeting not in self.met:
            self.met[meeting] = self.store.one(self.plan.queries.meeting(meeting)) is not None
        return not self.met[meeting]

    def _origins(self, old: Reading) -> frozenset[Reading] | None:
        if self.plan.new or self.plan.gone:
            return None
        if self.loaded is None:
            self.loaded = frozenset(n for (n,) in self.store.rows("SELECT relation FROM _kb.loads"))
        roots = self.plan.queries.origins(old, self.loaded)
        return None if roots is None or any(r.relation in self.lost_base for r in roots) else roots

    def _wider(self, root: Reading, change: Reading) -> Meeting:
        """A meeting with the root's own change instead, if that has all values of the change: it is asked for often."""
        if root.relation in self.changed.relations and change != root:
            if (change, root) not in self.within:
                self.within[change, root] = self.store.one(self.plan.queries.unmatched(change, root)) is None
            if self.within[change, root]:
                return Meeting(root, root)
        return Meeting(root, change)

    def _called(self, rule: tree.FunctionCall, queries: list[str]) -> list[str]:
        """Call a function on inputs gained and lost; what it gives is gained and lost."""
        inputs = tuple(n for n, _, _ in head_of(self.schema, rule))
        change = changed_rows(self.store, f"inputs of {call_name(rule)}", inputs, queries)
        columns = tuple(c.name for c in output_columns(self.schema, rule))
        if change is None:
            return []
        made = f"outputs of {call_name(rule)}"
        like = exp.select(exp.Star()).from_(table(call_name(rule), CALLS)).limit(0)
        make_temporary(self.store, made, like)
        for sign in (1, -1):
            self._call(rule, change, made, columns, sign)
        rows = exp.select(exp.Star()).from_(temporary(made))
        given = changed_rows(self.store, f"delta of {call_name(rule)}", columns, [text(rows)])
        if given is None:
            return []
        apply_change(self.store, given, call_name(rule), CALLS, merges=False)
        named_so = self.schema.columns(rule.relation)
        renamed = [exp.alias_(column(c), n, quoted=True) for c, n in zip(columns, named_so, strict=True)]
        selected = exp.select(*renamed)
        if self.schema.is_variable(rule.relation):
            for label, kind in ((LABEL, "boolean"), (PROBABILITY, "double")):
                selected = selected.select(exp.alias_(exp.cast(exp.null(), kind), label, quoted=True))
        return [text(selected.select(column(COUNT)).from_(given.table))]

    def _call(self, rule: tree.FunctionCall, change: Change, made: str, columns: tuple[str, ...], sign: int) -> None:
        count = column(COUNT)
        side = (
            exp.GT(this=count, expression=exp.convert(0)) if sign > 0 else exp.LT(this=count, expression=exp.convert(0))
        )
        name = f"{'gained' if sign > 0 else 'lost'} {change.name}"
        absolute = exp.alias_(exp.Abs(this=count.copy()), COUNT, quoted=True)
        n = make_temporary(
            self.store, name, exp.select(*map(column, change.columns), absolute).from_(change.table).where(side)
        )
        if n == 0:
            return
        # Rows this transaction wrote have no row numbers yet to read them by.
        batches = self.store.frame(exp.select(exp.Star()).from_(temporary(name))).iter_slices(BATCH)
        outcome = Outcome(n_inputs=1)  # an input that fails among few is set aside, as among many
        given = self.functions.get(rule.function)
        found = outputs(self.schema, rule, batches, outcome, given, allow_code=self.allow_code, folder=self.folder)
        for frame in found:
            with self.store.reading(frame) as incoming:
                signed = exp.alias_(exp.Mul(this=column(COUNT), expression=exp.convert(sign)), COUNT, quoted=True)
                rows = exp.select(*map(column, columns), signed).from_(incoming)
                self.store.execute(exp.insert(rows, temporary(made)))
        if outcome.failed and sign > 0:
            self._tell({rule.function: outcome.failed}, outcome.messages)

    def _change_rows(self, name: str, columns: tuple[str, ...], queries: list[str]) -> None:
        once = self.schema.holds_once(name)
        change = changed_rows(self.store, f"{'delta' if once else 'change'} of {name}", columns, queries)
        if change is None:
            return
        self.report.rows[name] = change.total
        applied = apply_change(self.store, change, name, "main", merges=once)
        if once:
            seen = changed_rows(self.store, f"change of {name}", columns, [applied.crossings()], apart=True)
            if seen is None:
                return
        self._has_changed(name, lost=applied.lost)

    def _has_changed(self, name: str, *, lost: bool) -> None:
        had = self.changed
        self.changed = replace(
            had, relations=had.relations | {name}, lost_rows=had.lost_rows | ({name} if lost else set())
        )

    def _change_scope(self, name: str, labels: Change | None) -> None:
        if labels is None:
            return
        relation = self.schema.relation(name)
        made = change_variables(self.store, relation, labels)
        columns = self.schema.columns(name)
        summed = exp.select(*map(column, (*columns, COUNT))).from_(labels.table)
        rows = changed_rows(self.store, f"rows of {name}", columns, [text(summed)])
        if rows is not None:
            applied = apply_change(self.store, rows, name, "main", merges=True, among=None if made.had_rows else "")
            seen = changed_rows(self.store, f"change of {name}", columns, [applied.crossings()], apart=True)
            self.report.rows[name] = 0 if seen is None else seen.total
            if seen is not None:
                self._has_changed(name, lost=applied.lost)
        if made.literals is not None:
            lost = self.changed.lost_variables | ({name} if made.had_rows else set())
            self.changed = replace(self.changed, variables=self.changed.variables | {name}, lost_variables=lost)
        self.report.variables_new[name], self.report.variables_gone[name] = made.n_new, made.n_gone
        self.report.evidence += len(made.evidence_at)
        self.report.soft_changed |= made.soft_changed
        self.evidence.append((made.evidence_at, made.evidence_to))

    def check_ids(self, first: int) -> None:
        """Raise GraphError if a new variable has the id of another."""
        names = [n for n in self.schema.order if self.schema.is_variable(n)]
        if not names or self.store.counter("variables") == first:
            return
        every = union([exp.select(column(ID), column(POSITION)).from_(table(n, VARIABLES)) for n in names])
        is_new = exp.GTE(this=column(POSITION, "n"), expression=exp.convert(first))
        others = exp.NEQ(this=column(POSITION, "n"), expression=column(POSITION, "o"))
        query = exp.select(column(ID, "n")).from_(named(every.subquery(), "n"))
        query = query.join(named(every.subquery(), "o"), on=exp.EQ(this=column(ID, "n"), expression=column(ID, "o")))
        twice = self.store.one(query.where(is_new, others).limit(1))
        if twice is not None:
            raise same_id(twice)

"""Random small programs and base rows for tests of grounding: every construct, few values, so that rows collide."""

from __future__ import annotations

from typing import Any

from hypothesis import strategies as st

from consilience.kb.language import tree as t


def names(*given: Any) -> tuple[t.Expression, ...]:
    """Arguments of an atom: a letter is a name, "_" anything, an expression itself, all else a constant."""
    return tuple(
        t.Anything()
        if x == "_"
        else t.Name(x)
        if isinstance(x, str) and len(x) == 1 and x in "uxyzcn"
        else t.Constant(x)
        if x is None or isinstance(x, (str, int, float, bool))
        else x
        for x in given
    )


def atom(relation: str, *arguments: Any) -> t.Atom:
    """`R(x, _)`."""
    return t.Atom(relation, names(*arguments))


def is_(left: Any, operator: str, right: Any) -> t.Operation:
    """`x < 3`."""
    return t.Operation(operator, names(left)[0], names(right)[0])


def call(function: str, *arguments: Any) -> t.Call:
    """`COUNT(x)`."""
    return t.Call(function, names(*arguments))


def only(kind: Any, *parts: t.Part) -> t.Quantified:
    """`EXISTS[...]` and its like."""
    return t.Quantified(kind, parts)


def derive(head: t.Atom, *bodies: tuple[t.Part, ...], distinct: bool = False, limit: int | None = None) -> t.Derivation:
    """`H :- body; body.`"""
    return t.Derivation(head, bodies, distinct, limit)


def label(head: t.Atom, says: Any, *body: t.Part, p: Any = None) -> t.Supervision:
    """`V(x) = says @ p :- body.`"""
    return t.Supervision(head, names(says)[0], None if p is None else names(p)[0], (body,))


def infer(function: Any, *literals: t.Atom | t.Literal, body: t.Body = (), **options: Any) -> t.Inference:
    """An inference rule; without a body it ranges over its heads."""
    heads = tuple(x if isinstance(x, t.Literal) else t.Literal(x) for x in literals)
    options["weights"] = names(*options.get("weights", ()))
    return t.Inference(function, heads, (body,) if body else (), **options)


def relation(name: str, *columns: str, variable: bool = False, keys: int = 0) -> t.Relation:
    """A declaration; columns as "a int"; the first `keys` are annotated @key."""
    made = tuple(
        t.Column(*c.split(), annotations=(t.Annotation("key"),) if i < keys else ()) for i, c in enumerate(columns)
    )
    return t.Relation(name, made, variable)


RELATIONS = (
    relation("r", "a int", "b int"),
    relation("s", "a int", "c text"),
    relation("link", "a int", "b int"),
    relation("total", "a int", "n bigint"),
    relation("once", "a int"),
    relation("alone", "a int"),
    relation("maybe", "a int", "c text"),
    relation("top", "a int"),
    relation("v", "a int", variable=True),
    relation("w", "a int", "b int", variable=True, keys=1),
)

MARK = t.Choice(((is_("c", "=", "a"), t.Constant(True)), (is_("c", "=", "b"), t.Constant(False))))

DERIVATIONS = (
    derive(atom("link", "x", "z"), (atom("r", "x", "y"), atom("r", "y", "z"))),
    derive(
        atom("link", "x", "y"),
        (atom("r", "x", "y"), atom("s", "y", "_"), is_("x", "!=", "y")),
        (atom("r", "y", "x"), is_("x", "<", 2)),
    ),
    derive(atom("link", "x", 1), (atom("s", "x", "a"),)),
    derive(atom("total", "x", call("COUNT", "y")), (atom("r", "x", "y"),)),
    derive(atom("total", "x", call("SUM", "z")), (atom("link", "x", "z"), atom("s", "x", "_"))),
    derive(atom("total", "x", call("MAX", "z")), (atom("link", "x", "z"),)),
    derive(atom("once", "x"), (atom("link", "x", "_"),), distinct=True),
    derive(atom("once", "y"), (atom("total", "x", "y"), atom("r", "y", "x")), distinct=True),
    derive(atom("alone", "x"), (atom("r", "x", "_"), only("not exists", atom("s", "x", "_")))),
    derive(atom("alone", "x"), (atom("link", "x", "y"), only("exists", atom("s", "y", "a")))),
    derive(atom("alone", "x"), (atom("once", "x"), only("all", atom("r", "x", "y"), is_("y", ">", 0)))),
    derive(atom("maybe", "x", "c"), (atom("r", "x", "y"), only("optional", atom("s", "y", "c")))),
    derive(atom("top", "x"), (atom("link", "x", "_"),), limit=2),
)

SCOPES = (
    derive(atom("v", "x"), (atom("once", "x"),)),
    derive(atom("v", "x"), (atom("alone", "x"),), (atom("top", "x"),)),
    label(atom("v", "x"), MARK, atom("s", "x", "c")),
    label(atom("v", "x"), True, atom("total", "x", "n"), is_("n", ">", 1)),
    label(atom("v", "x"), True, atom("r", "x", "y"), atom("s", "y", "_"), p=0.75),
    label(atom("v", "x"), False, atom("maybe", "x", "a"), p=0.5),
    derive(atom("w", "x", "y"), (atom("r", "x", "y"),)),
    derive(atom("w", "x", "y"), (atom("link", "x", "y"),)),
    label(atom("w", "x", "y"), MARK, atom("s", "x", "c"), atom("r", "x", "y")),
    label(atom("w", "x", 1), True, atom("s", "x", "b"), p=0.75),
)

INFERENCES = (
    infer("is_true", atom("v", "x"), body=(atom("s", "x", "c"),), weights=("c",), name="by mark"),
    infer("is_true", atom("v", "x"), body=(atom("link", "x", "y"),), weights=("?",), semantics="linear", name="linked"),
    infer(
        "is_true",
        atom("v", "x"),
        body=(atom("total", "x", "n"),),
        weights=("?",),
        feature_value=t.Name("n"),
        name="sum",
    ),
    infer("imply", atom("v", "x"), atom("v", "y"), body=(atom("link", "x", "y"),), weights=(0.5,), name="spreads"),
    infer(
        "imply",
        atom("v", "x"),
        t.Literal(atom("v", "y"), True),
        atom("v", "z"),
        body=(atom("r", "x", "y"), atom("r", "y", "z")),
        weights=("x",),
        semantics="logical",
        name="two",
    ),
    infer("and", atom("v", "x"), atom("v", "y"), weights=(-1.0,), name="all pairs"),
    infer("equal", atom("v", "x"), atom("v", "y"), body=(atom("r", "x", "y"),), weights=("?",), name="same"),
    infer("or", atom("v", "x"), t.Literal(atom("v", "y"), True), body=(atom("r", "x", "y"),), weights=(2,), name="or"),
    infer("is_true", atom("w", "x", "y"), body=(atom("s", "x", "c"),), weights=("c", "y"), name="choice"),
    infer("and", atom("w", "x", "y"), atom("w", "y", "z"), body=(atom("r", "x", "y"),), weights=("z",), name="chain"),
    infer("imply", atom("w", "x", "y"), atom("v", "x"), body=(atom("s", "y", "_"),), weights=("?",), name="mixed"),
)

POOL = DERIVATIONS + SCOPES + INFERENCES

small = st.sampled_from([0, 1, 2, 3, None])
marks = st.sampled_from(["a", "b", "", None])
rows_r = st.lists(st.tuples(small, small), max_size=6)
rows_s = st.lists(st.tuples(small, marks), max_size=4)
bases = st.fixed_dictionaries({"r": rows_r, "s": rows_s})
subsets = st.sets(st.integers(0, len(POOL) - 1), min_size=6)
programs = subsets.map(lambda chosen: t.Program((*RELATIONS, *(POOL[i] for i in sorted(chosen)))))

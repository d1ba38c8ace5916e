"""Random trees of every construct that text can say."""

from __future__ import annotations

from hypothesis import strategies as st

from consilience.kb.language import tree as t

RESERVED = {"if", "TRUE", "FALSE", "NULL", "NOT", "EXISTS", "OPTIONAL", "ALL", "function", "_"}

SOME = "x y p1 v rows like over lines handles tsj end then else LIKE IS _a iffy endless é"
words = st.one_of(
    st.sampled_from(SOME.split(" ")),
    st.from_regex(r"[a-zA-Zñ][a-z_0-9]{0,4}", fullmatch=True).filter(lambda w: w not in RESERVED),
)
texts = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), max_size=6)
numbers = st.one_of(st.integers(-(10**37), 10**37), st.floats(allow_nan=False, allow_infinity=False))
constants = st.one_of(texts, numbers, st.booleans(), st.none()).map(t.Constant)
types = st.sampled_from(["int", "text", "int[]", "double precision", "varchar(10)", "decimal(10,2)[][]", "json"])
functions = words.filter(lambda w: w.upper() not in t.AGGREGATES)
OPERATORS = ["||", "+", "-", "*", "/", "&", "%", "=", "!=", "<", "<=", ">", ">=", "LIKE", "IS", "IS NOT"]


def tuples(things, least=1, most=3):
    return st.lists(things, min_size=least, max_size=most).map(tuple)


def larger(e):
    return st.one_of(
        st.builds(t.Call, st.one_of(functions, st.sampled_from(sorted(t.AGGREGATES))), tuples(e, 0)),
        st.builds(t.Element, e, e),
        st.builds(t.Operation, st.sampled_from(OPERATORS), e, e),
        st.builds(t.Cast, e, types),
        st.builds(t.Choice, tuples(st.tuples(e, e), 1, 2), st.none() | e),
        st.builds(t.Not, e),
        st.builds(t.All, tuples(e, 2)),
        st.builds(t.Any, tuples(e, 2)),
    )


expressions = st.recursive(st.one_of(words.map(t.Name), st.just(t.Anything()), constants), larger, max_leaves=6)
atoms = st.builds(t.Atom, words, tuples(expressions, 1))


def parts_of(parts):
    kinds = st.sampled_from(["exists", "not exists", "optional", "all"])
    return st.builds(t.Quantified, kinds, tuples(parts, 1))


parts = st.recursive(st.one_of(atoms, expressions), parts_of, max_leaves=3)
bodies = tuples(tuples(parts, 1), 0, 2)
plain_names = words.filter(lambda w: w.lower() not in {"name", "weight", "label", "semantics", "feature_value"})
annotations = tuples(
    st.builds(t.Annotation, plain_names, tuples(st.tuples(st.one_of(st.just(""), words), expressions), 0, 2)), 0, 2
)
columns = tuples(st.builds(t.Column, words, types, annotations), 1)
rows = st.one_of(columns, words)
limits = st.none() | st.integers(0, 10**9)
literals = st.builds(t.Literal, atoms, st.booleans())
weights = st.one_of(
    st.just(()),
    numbers.map(lambda n: (t.Constant(n),)),
    tuples(expressions, 1).filter(lambda w: not (len(w) == 1 and isinstance(w[0], t.Constant))),
)


@st.composite
def inferences(draw):
    function = draw(st.sampled_from(["is_true", "imply", "and", "or", "equal"]))
    some = draw(tuples(literals, 2, 3))
    name = draw(st.none() | texts.filter(bool))
    value = draw(st.none() | expressions)
    semantics = draw(st.sampled_from(["linear", "ratio", "logical"]))
    chosen = some[:1] if function == "is_true" else some
    rest = draw(annotations)
    return t.Inference(function, chosen, draw(bodies), draw(weights), name, value, semantics, rest)


relations = st.builds(t.Relation, words, columns, st.booleans(), annotations)
declared_functions = st.builds(
    t.Function, words, rows, rows, texts, st.sampled_from(["tsj", "tsv", "python"]), annotations
)
derivations = st.builds(t.Derivation, atoms, bodies, st.booleans(), limits, annotations)
function_calls = st.builds(
    t.FunctionCall, words, words, tuples(expressions, 0), bodies, st.booleans(), limits, annotations
)
supervisions = st.builds(t.Supervision, atoms, expressions, st.none() | expressions, bodies, annotations)
statements = st.one_of(relations, declared_functions, derivations, function_calls, supervisions, inferences())
programs = tuples(statements, 0, 3).map(t.Program)


@st.composite
def queries(draw):
    terms = draw(tuples(st.tuples(expressions, st.sampled_from(["asc", "desc", None])), 0))
    ordered = [i for i, (_, way) in enumerate(terms) if way]
    order = tuple(draw(st.permutations(ordered)))
    rules = draw(tuples(st.builds(t.Derivation, atoms, bodies, st.booleans(), limits), 0, 2))
    order = () if list(order) == ordered else order
    return t.Query(terms, draw(bodies), draw(st.booleans()), draw(limits), rules, order=order)

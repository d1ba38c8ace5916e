"""Functions of the user's over the rows of a body: Python callables, or scripts that read and write lines.

A function must give the same rows for the same inputs: a change is undone by calling it again. It is called once for
each distinct input; what it gives stands as often as the input was derived. A row that fails is set aside with a
message, and the run goes on, unless all fail.
"""

from __future__ import annotations

import hashlib
import importlib
import inspect
import json
import operator
import shlex
import sys
import traceback
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import polars as pl
from sqlglot import exp

from consilience.errors import FunctionError, ProgramError, TrustError, nearest
from consilience.kb.grounding.load import polars_type
from consilience.kb.grounding.scripts import FORMATS, array, run_script
from consilience.kb.grounding.store import Store
from consilience.kb.language import tree
from consilience.kb.sql.bodies import table
from consilience.kb.sql.rules import call_query, fingerprint, output_columns
from consilience.kb.sql.schema import CALLS, COUNT, Schema, at, data_type
from consilience.progress import working

BATCH = 20_000  # inputs that are in memory at a time
SHOWN = 20  # messages about failed rows that are kept
Callables = Callable[..., Any]


@dataclass
class Outcome:
    """What a function made of some inputs. rows: outputs and `_count`. failed: how many inputs (of a script: lines)."""

    rows: list[pl.DataFrame] = field(default_factory=list)
    n_inputs: int = 0
    failed: int = 0
    messages: list[str] = field(default_factory=list)

    def set_aside(self, message: str) -> None:
        """Count a failure, and keep its message if there are not many."""
        self.failed += 1
        if len(self.messages) < SHOWN:
            self.messages.append(message)


def call_name(rule: tree.FunctionCall) -> str:
    """The table of what a function call made."""
    return f"{rule.relation}#{fingerprint(rule)[:6]}"


def function_fingerprint(function: tree.Function, given: Callables | None, folder: Path | None) -> str:
    """What a function is known by: its declaration and the code behind it, as far as that can be read."""
    code: list[str] = []
    if given is not None:
        code.append(_source(given))
    elif function.style == "python":
        module = function.implementation.partition(":")[0]
        code.append(_digest((folder or Path()) / (module.replace(".", "/") + ".py")))
    else:
        code += [_digest((folder or Path()) / word) for word in shlex.split(function.implementation)]
    return fingerprint(function, *code)


def _source(function: Callables) -> str:
    try:
        return inspect.getsource(function)
    except (OSError, TypeError):
        compiled = getattr(function, "__code__", None)
        return repr((getattr(function, "__qualname__", type(function)), compiled and compiled.co_code))


def _digest(file: Path) -> str:
    try:
        return hashlib.sha256(file.read_bytes()).hexdigest()
    except OSError:
        return ""


def call_function(
    store: Store,
    schema: Schema,
    rule: tree.FunctionCall,
    given: Callables | None = None,
    allow_code: bool = False,
    folder: Path | None = None,
) -> Outcome:
    """Call a function on every row of a body; what it gives stands in the table of calls, with counts."""
    inputs = "function_inputs"
    store.drop(exp.table_(inputs))
    temporary = exp.Properties(expressions=[exp.TemporaryProperty()])
    number = exp.alias_(exp.Window(this=exp.RowNumber()), "_row")  # rowid is another until the transaction ends
    query = exp.select(exp.Star(), number).from_(call_query(schema, rule).subquery("q"))
    store.execute(exp.Create(this=exp.table_(inputs), kind="TABLE", properties=temporary, expression=query))
    n = int(store.one(exp.select(exp.Count(this=exp.Star())).from_(inputs)))

    def batches() -> Iterator[pl.DataFrame]:
        with working(f"calling {rule.function}", n) as tick:
            for first in range(0, n, BATCH):
                rows = exp.select(exp.Star()).from_(inputs).where(f"_row > {first} AND _row <= {first + BATCH}")
                yield store.frame(rows).drop("_row")
                tick(min(BATCH, n - first))

    name = call_name(rule)
    make_calls(store, schema, rule)
    outcome = Outcome()
    for made in outputs(schema, rule, batches(), outcome, given, allow_code=allow_code, folder=folder):
        with store.reading(made) as incoming:
            store.execute(exp.insert(exp.select(exp.Star()).from_(incoming), table(name, CALLS)))
    store.drop(exp.table_(inputs))
    return outcome


def make_calls(store: Store, schema: Schema, rule: tree.FunctionCall) -> None:
    """An empty table for what a call makes."""
    given, into = output_columns(schema, rule), schema.columns(rule.relation)
    if len(given) != len(into):
        raise ProgramError(
            f"{at(rule.place)}Function {rule.function} gives {len(given)} columns, but {rule.relation} has {len(into)}."
            f"\nFix: {rule.relation} has {', '.join(into)}; let the function return as many."
        )
    kinds = [data_type(c.type, c.place) for c in given]
    columns = [
        exp.ColumnDef(this=exp.to_identifier(name, quoted=True), kind=kind)
        for name, kind in zip((*into, COUNT), (*kinds, exp.DataType.build("bigint")), strict=True)
    ]
    made = exp.Schema(this=table(call_name(rule), CALLS), expressions=columns)
    store.execute(exp.Create(this=made, kind="TABLE", replace=True))


def outputs(
    schema: Schema,
    rule: tree.FunctionCall,
    batches: Iterable[pl.DataFrame],
    outcome: Outcome,
    given: Callables | None = None,
    *,
    allow_code: bool = False,
    folder: Path | None = None,
) -> Iterator[pl.DataFrame]:
    """What a function gives for frames of inputs (`a0`, `a1`, ... and `_count`): frames of outputs and `_count`.

    outcome: is told how many inputs there were and which failed.
    raises: TrustError if the code may not be run; FunctionError if every input fails, or a script does.
    """
    function = schema.program.functions[rule.function]
    columns = output_columns(schema, rule)
    made: Iterator[pl.DataFrame]
    if given is not None or function.style == "python":
        made = _called(given or imported(function, allow_code, folder), function.name, columns, batches, outcome)
    else:
        trusted(function, allow_code)
        made = _piped(function, columns, batches, outcome, folder)
    n_rows = 0
    for frame in made:
        n_rows += len(frame)
        if len(frame):
            yield frame
    of_all = not n_rows if given is None and function.style != "python" else outcome.failed == outcome.n_inputs
    if outcome.failed and of_all:
        raise FunctionError(
            f"{at(rule.place)}Function {function.name} failed on all {outcome.failed} rows. The first:\n"
            f"{outcome.messages[0]}\nFix: correct the function."
        )


def trusted(function: tree.Function, allow_code: bool) -> None:
    """Raise TrustError unless the program's code may be run."""
    if not allow_code:
        raise TrustError(
            f"{at(function.place)}The program wants to run {function.implementation!r} as function {function.name}.\n"
            "Fix: if you trust it, allow code to be run, or hand over a callable under the function's name."
        )


def imported(function: tree.Function, allow_code: bool, folder: Path | None) -> Callables:
    """The callable that `module:function` names; modules in the folder come first."""
    trusted(function, allow_code)
    module_name, _, name = function.implementation.partition(":")
    try:
        with _modules_of(folder):
            module = importlib.import_module(module_name)
    except Exception as error:
        raise FunctionError(
            f"{at(function.place)}Module {module_name!r} of function {function.name} cannot be imported: "
            f"{type(error).__name__}: {error}\nFix: correct the module or its name in `implementation`."
        ) from error
    found: Any = module
    for part in name.split("."):
        if not hasattr(found, part):
            raise FunctionError(
                f"{at(function.place)}Module {module_name!r} has no {name!r}.\nFix: {nearest(part, dir(found))}"
            )
        found = getattr(found, part)
    if not callable(found):
        raise FunctionError(f"{function.implementation!r} cannot be called.\nFix: name a function.")
    made: Callables = found
    return made


@contextmanager
def _modules_of(folder: Path | None) -> Iterator[None]:
    """Modules of the folder come first; afterwards they are gone, for another folder may have others of their names."""
    if folder is None:
        yield
        return
    own = {p.stem for p in folder.glob("*.py")} | {p.parent.name for p in folder.glob("*/__init__.py")}
    hidden = {name: module for name, module in sys.modules.items() if name.partition(".")[0] in own}
    for name in hidden:
        del sys.modules[name]
    sys.path.insert(0, str(folder))
    importlib.invalidate_caches()  # a file may be a moment old
    try:
        yield
    finally:
        sys.path.remove(str(folder))
        for name in [name for name in sys.modules if name.partition(".")[0] in own]:
            del sys.modules[name]
        sys.modules.update(hidden)


def _called(
    call: Callables, name: str, columns: Sequence[tree.Column], batches: Iterable[pl.DataFrame], outcome: Outcome
) -> Iterator[pl.DataFrame]:
    """Outputs of a Python callable, frame by frame."""
    turn = row_reader(columns, from_text=False)
    for batch in batches:
        rows: list[list[Any]] = []
        counts: list[int] = []
        outcome.n_inputs += len(batch)
        for *given, count in batch.iter_rows():
            try:
                found = [turn(row) for row in call(*given) or ()]
            except Exception as error:
                outcome.set_aside(f"{name}{_short(given)}: {type(error).__name__}: {error}{_where(error)}")
                continue
            rows += found
            counts += [count] * len(found)
        yield _frame(rows, counts, columns)


def _short(row: Sequence[Any]) -> str:
    shown = ", ".join(repr(x) if len(repr(x)) <= 80 else repr(x)[:77] + "..." for x in row)
    return f"({shown[:400]})"


def _where(error: BaseException) -> str:
    frames = [f for f in traceback.extract_tb(error.__traceback__) if f.filename != __file__]
    return f" ({Path(frames[-1].filename).name}, line {frames[-1].lineno})" if frames else ""


def _piped(
    function: tree.Function,
    columns: Sequence[tree.Column],
    batches: Iterable[pl.DataFrame],
    outcome: Outcome,
    folder: Path | None,
) -> Iterator[pl.DataFrame]:
    """Outputs of a script: one process for all inputs that were derived equally often, as its lines bear no counts."""
    by_count: dict[int, list[pl.DataFrame]] = {}
    for batch in batches:
        outcome.n_inputs += len(batch)
        for (count,), part in batch.group_by(COUNT, maintain_order=True):
            by_count.setdefault(int(count), []).append(part.drop(COUNT))
    write, read = FORMATS[function.style]
    turn = row_reader(columns, from_text=function.style == "tsv")
    for count, frames in by_count.items():
        lines = (write(row) for frame in frames for row in frame.iter_rows())
        rows: list[list[Any]] = []
        n_lines = 0
        for line in run_script(function.implementation, lines, folder, function.name):
            n_lines += 1
            if not line:
                continue
            try:
                rows.append(turn(read(line)))
            except (ValueError, TypeError) as error:
                outcome.set_aside(f"{function.name}, line {n_lines} of its output: {error}: {line[:200]!r}")
            if len(rows) >= BATCH:
                yield _frame(rows, [count] * len(rows), columns)
                rows = []
        yield _frame(rows, [count] * len(rows), columns)


def _frame(rows: list[list[Any]], counts: list[int], columns: Sequence[tree.Column]) -> pl.DataFrame:
    turned = list(zip(*rows, strict=True)) if rows else [()] * len(columns)
    made = {
        c.name: pl.Series(c.name, list(values), dtype=polars_type(data_type(c.type, c.place).sql("duckdb")))
        for c, values in zip(columns, turned, strict=True)
    }
    return pl.DataFrame(made | {COUNT: pl.Series(COUNT, counts, dtype=pl.Int64)})


def row_reader(columns: Sequence[tree.Column], *, from_text: bool) -> Callable[[Any], list[Any]]:
    """Turns what a function gave into a row of the declared types. raises: TypeError, ValueError."""
    turns = [_turn(data_type(c.type, c.place).sql("duckdb"), from_text) for c in columns]
    names = [c.name for c in columns]

    def turn(row: Any) -> list[Any]:
        if isinstance(row, dict):
            unknown = set(row) - set(names)
            if unknown:
                raise ValueError(f"it has no column {sorted(map(str, unknown))[0]!r}")
            row = [row.get(n) for n in names]
        if len(names) == 1 and not isinstance(row, (list, tuple)):
            row = (row,)
        if not isinstance(row, (list, tuple)):
            raise TypeError(f"a row is a list or tuple of {len(names)} values, not {type(row).__name__}")
        if len(row) != len(names):
            raise ValueError(f"a row has {len(names)} values ({', '.join(names)}), not {len(row)}")
        made = []
        for name, value, of in zip(names, row, turns, strict=True):
            try:
                made.append(None if value is None else of(value))
            except (TypeError, ValueError, OverflowError) as error:
                raise ValueError(f"{name!r}: {error}") from None
        return made

    return turn


def _turn(written: str, from_text: bool) -> Callable[[Any], Any]:
    if written.endswith("[]"):
        inner = _turn(written[:-2], from_text)

        def many(value: Any) -> list[Any]:
            values = array(value) if from_text and isinstance(value, str) else value
            if not isinstance(values, (list, tuple)):
                raise TypeError(f"{value!r} is no list")
            return [None if x is None else inner(x) for x in values]

        return many
    plain: dict[str, Callable[[Any], Any]] = {
        "BIGINT": int if from_text else _whole,
        "DOUBLE": float if from_text else _number,
        "BOOLEAN": _truth_text if from_text else _truth,
        "JSON": str if from_text else lambda v: v if isinstance(v, str) else json.dumps(v),
    }
    return plain.get(written, _text)


def _whole(value: Any) -> int:
    if isinstance(value, bool) or (isinstance(value, float) and not value.is_integer()):
        raise TypeError(f"{value!r} is no whole number")
    made = int(value) if isinstance(value, float) else operator.index(value)
    if not -(2**63) <= made < 2**63:
        raise ValueError(f"{made} does not fit 64 bits")
    return made


def _number(value: Any) -> float:
    if isinstance(value, (bool, str)):
        raise TypeError(f"{value!r} is no number")
    return float(value)


def _truth(value: Any) -> bool:
    if not isinstance(value, bool) and type(value).__name__ not in ("bool_", "bool"):
        raise TypeError(f"{value!r} is neither True nor False")
    return bool(value)


def _truth_text(value: str) -> bool:
    known = {"t": True, "true": True, "1": True, "f": False, "false": False, "0": False}
    if value.lower() not in known:
        raise ValueError(f"{value!r} is neither t nor f")
    return known[value.lower()]


def _text(value: Any) -> str:
    if isinstance(value, (str, int)) and not isinstance(value, bool):
        return str(value)
    raise TypeError(f"{value!r} is no text")

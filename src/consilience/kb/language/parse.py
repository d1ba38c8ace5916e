"""Text becomes a tree, or an error that points at the first thing that can't be read.

First step of a knowledge base. The grammar stands in `grammar.lark`; `reading.py` makes the tree of what it finds;
here a failure of the grammar is put into words.
"""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from consilience.errors import ProgramError
from consilience.kb.language.tree import Place, Program, Query
from consilience.kb.language.trouble import Source, Trouble, program_error, quoted

if TYPE_CHECKING:
    from lark import Lark, Token, Tree, UnexpectedInput


def parse(text: str, *, name: str = "program") -> Program:
    """The statements of a program.

    text: statements, each ended by a period; `#` and `//` begin comments.
    name: what messages call the program, such as its file.
    raises: ProgramError at the first thing that cannot be read, with line, column and what to do.

    Linear in the text: about 0.5 ms a rule, after 0.1 s for the first program of a process.

    >>> program = parse("person(id bigint). smokes?(id bigint). smokes(p) :- person(p).")
    >>> [type(statement).__name__ for statement in program.statements]
    ['Relation', 'Relation', 'Derivation']
    """
    from consilience.kb.language.reading import Reader

    source = _source(text, name)
    return Reader(source).program(_grammatical(source, "program"))


def parse_query(text: str, *, name: str = "query") -> Query:
    """A query: rules of its own, if any, then what to show `?-` of which rows; the last period may be left out.

    raises: ProgramError, as `parse` does.

    >>> query = parse_query('@order_by("DESC") p | 10 ?- person(p, _).')
    >>> query.terms, query.limit
    (((Name(name='p', place=Place(line=1, column=19)), 'desc'),), 10)
    """
    from consilience.kb.language.reading import Reader

    source = _source(text, name)
    return Reader(source).query(_grammatical(source, "query"))


def _source(text: object, name: str) -> Source:
    if not isinstance(text, str):
        raise ProgramError(
            f"{name} is {type(text).__name__}, and a program is text.\n"
            "Fix: read the file with `Path(...).read_text('utf-8')`."
        )
    return Source(name, text.removeprefix("\ufeff"))


@cache
def _parser() -> Lark:
    from lark import Lark

    grammar = Path(__file__).with_name("grammar.lark").read_text("utf-8")
    return Lark(grammar, parser="lalr", start=["program", "query"], propagate_positions=True)


def _grammatical(source: Source, start: str) -> Tree[Token]:
    from lark import UnexpectedInput

    _refuse_unwritable(source)
    try:
        return _parser().parse(source.text, start=start)
    except UnexpectedInput as failure:
        raise program_error([_explain(failure, source)], source) from None


def _refuse_unwritable(source: Source) -> None:
    """No NUL and no half character: neither can be stored by a database."""
    at = source.text.find("\0")
    if at < 0:
        try:
            source.text.encode("utf-8")
            return
        except UnicodeEncodeError as failure:
            at = failure.start
    fact = f"The character {source.text[at]!a} can't stand in a program."
    raise program_error([Trouble(source.place_of(at), fact, "delete it, or read the file as UTF-8.")], source)


# Failures in words ---------------------------------------------------------------------------------------------------

# What may come next, in the order in which it is said, and what stands for it in the grammar.
_WORDS: dict[str, set[str]] = {
    "a value": {"STRING", "INT", "FLOAT", "NULL"},
    "a relation, function or rule": {"_FUNCTION"},
    "'.'": {"_DOT"},
    "','": {"_COMMA"},
    "')'": {"_RPAR"},
    "']'": {"_RSQB"},
    "'('": {"_LPAR"},
    "'['": {"_LSQB"},
    "':-'": {"_DERIVES"},
    "'?-'": {"_ASKS"},
    "'=>'": {"_IMPLIES"},
    "'then'": {"_THEN"},
    "'else'": {"_ELSE"},
    "'end'": {"_END"},
    "'over'": {"_OVER"},
    "'returns'": {"_RETURNS"},
    "'implementation'": {"_IMPLEMENTATION"},
    "'rows like'": {"_ROWS"},
    "'like'": {"_LIKE_ROWS"},
    "'handles'": {"_HANDLES"},
    "'lines'": {"_LINES"},
    "a comparison": {"LESS", "_EQUAL"},
    "'='": {"_EQUAL"},
    "an operator": {"PLUS", "STAR"},
    "a string": {"STRING"},
    "a whole number": {"INT"},
    "a name": {"NAME"},
}
_HIDDEN = {"_LSQB", "_LPAR", "INT", "STRING", "NAME"}  # not said beside what is likelier

# Habits from other languages: what was written, and what to do.
_HABITS = {
    "'": 'strings stand in double quotes: "...".',
    "`": 'strings stand in double quotes: "..."; names in none.',
    "/*": "comments begin with # or // and end with the line.",
    "--": "comments begin with # or // and end with the line.",
    "==": "equality is `=`.",
    "<>": "inequality is `!=`.",
    "&&": "conditions are joined by a comma.",
    "||": "alternatives stand in brackets: `[a; b]`; `||` joins strings.",
    "->": "implication is `=>`.",
    "<-": "a rule is written `head :- body.`.",
    ":=": "a rule is written `head :- body.`.",
    "{": "conditions stand in square brackets: `[a, b; c]`.",
    "and": "conditions are joined by a comma: `[a, b]`.",
    "or": "alternatives stand in brackets: `[a; b]`; alternative bodies are joined by `;`.",
    "not": "negation is `!`.",
    "in": "write the alternatives: `[x = 1; x = 2]`.",
    "elif": "write `else if`.",
    "elsif": "write `else if`.",
    "elseif": "write `else if`.",
    "case": "write `if ... then ... else ... end`.",
}
_CAPITALS = {"like", "is", "not", "null", "true", "false", "exists", "optional", "all"}


def _explain(failure: UnexpectedInput, source: Source) -> Trouble:
    """The failure of the grammar as a person would say it."""
    expected = _expected(failure)
    token = getattr(failure, "token", None)
    if token is not None and token.type == "$END":
        end = len(source.text.rstrip())
        fact = f"The text ends, and {_listed(expected)} is missing."
        return Trouble(source.place_of(end), fact, _fix_end(expected))
    at = failure.pos_in_stream or 0
    rest = source.text[at : at + 200]
    word = str(token) if token is not None else rest[0]
    place = source.place_of(at)
    if rest.startswith('"') and token is None:
        return Trouble(place, "This string is not closed on its line.", 'close it with "; a line break in it is \\n.')
    fact = f"{quoted(word)} can't stand here; expected {_listed(expected)}."
    return Trouble(place, fact, _habit(source, at, word) or _advice(expected, source, at, place))


def _expected(failure: UnexpectedInput) -> set[str]:
    """Kinds of tokens that would have been right."""
    parser = getattr(failure, "interactive_parser", None)
    return set(parser.accepts()) if parser is not None else set()


def _listed(expected: set[str]) -> str:
    """What was expected, in words; what is likely, not all that is possible."""
    said: list[str] = []
    left = set(expected)
    for words, terminals in _WORDS.items():
        if terminals <= left and not (said and terminals <= _HIDDEN):
            said.append(words)
            left -= terminals
            if words == "a value":
                left -= _HIDDEN
    said = said[:6] or ["something else"]
    return said[0] if len(said) == 1 else f"{', '.join(said[:-1])} or {said[-1]}"


def _habit(source: Source, at: int, word: str) -> str | None:
    """Advice for what is right elsewhere, here or (an operator of two signs) begun one character before."""
    if word.lower() in _CAPITALS and word.upper() != word:
        return f"{word.upper()} is written in capitals."
    if word.lower() in _HABITS:
        return _HABITS[word.lower()]
    for start in (at, at - 1):
        sign = source.text[max(start, 0) : start + 2]
        if sign in _HABITS and not sign.isalnum():
            return _HABITS[sign]
    return None


def _fix_end(expected: set[str]) -> str:
    if "_DOT" in expected:
        return "end the last statement with a period."
    return "complete the last statement and end it with a period."


def _advice(expected: set[str], source: Source, at: int, place: Place) -> str:
    before = source.text[:at].rstrip()
    if "_DOT" in expected and "\n" in source.text[len(before) : at]:
        return f"end the statement before with a period, on line {source.place_of(len(before)).line}."
    if "_IMPLEMENTATION" in expected:
        return (
            'a function ends with `implementation "module:function"` or `implementation "command" handles tsj lines`.'
        )
    if "_DERIVES" in expected and source.text[at] == ".":
        return "a rule goes on with `:- body.`; a declaration gives each column a type: `R(a text).`"
    return f"write {_listed(expected)} at column {place.column}, or look at what stands before it."

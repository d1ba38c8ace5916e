"""How tables of figures are shown, in a terminal and in a notebook. The floor: no knowledge of what is shown.

HTML is self-contained (no script, no network), and every cell is escaped.
"""

from __future__ import annotations

import html
import io
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

# any two stay apart (15 or more in CIELAB) under protanopia, deuteranopia and tritanopia; contrast 3 or more on white
PALETTE = ("#2b6cb0", "#c05621", "#17946b", "#8f26ca", "#bc8c0c", "#9a427b", "#112153", "#950b13")

STYLE = """<style scoped>
.cs{font:13px/1.5 system-ui,sans-serif;color:inherit;max-width:100%;overflow-x:auto}
.cs table{border-collapse:collapse;margin:.4em 0}.cs th{text-align:left;font-weight:600;border-bottom:1px solid #8886}
.cs th.num{text-align:right}
.cs td,.cs th{padding:.15em .7em .15em 0;vertical-align:top}.cs .num{text-align:right;font-variant-numeric:tabular-nums}
.cs .track{display:inline-block;width:4em;text-align:left;background:#8882;border-radius:2px}
.cs .bar{display:inline-block;height:.6em;background:#4a90d9;border-radius:2px}
.cs .vote{border:1px solid;border-radius:3px;padding:0 .3em;margin-right:.3em;white-space:nowrap;font-size:12px}
.cs .note{opacity:.7}.cs .text{max-width:46em}
</style>"""


@dataclass(frozen=True)
class Marked:
    """A cell that looks better in HTML: its plain text, and markup whose parts are escaped already."""

    text: str
    markup: str

    def __str__(self) -> str:
        return self.text


@dataclass
class View:
    """A titled table with notes under it: what most results of this package look like when shown."""

    columns: Sequence[str]
    rows: Sequence[Sequence[Any]]
    title: str = ""
    notes: Sequence[str] = field(default_factory=list)
    bars: frozenset[str] = frozenset()  # columns of shares between 0 and 1 drawn as bars in HTML

    def rich(self) -> Any:
        """The table as a rich renderable, for the command line."""
        from rich import box
        from rich.console import Group
        from rich.table import Table
        from rich.text import Text

        grid = Table(box=box.SIMPLE_HEAD)
        for place, name in enumerate(self.columns):
            justify: Any = "right" if self._numeric(place) else "left"
            grid.add_column(Text(visible(name)), justify=justify, overflow="fold")
        for row in self.rows:
            grid.add_row(*(Text(visible(show(cell))) for cell in row))
        title = [Text(visible(self.title), style="bold")] if self.title else []  # of its own: a narrow table folds it
        return Group(*title, grid, *(Text(visible(note)) for note in self.notes))

    def __str__(self) -> str:
        from rich.console import Console

        out = io.StringIO()
        Console(file=out, width=140, color_system=None, legacy_windows=False).print(self.rich())
        return "\n".join(line.rstrip() for line in out.getvalue().splitlines()).strip("\n")

    def html(self) -> str:
        """The table as self-contained HTML."""
        head = "".join(map(self._head, range(len(self.columns))))
        body = "".join(f"<tr>{''.join(map(self._cell, self.columns, row))}</tr>" for row in self.rows)
        notes = "".join(f'<div class="note">{html.escape(note)}</div>' for note in self.notes)
        title = f"<b>{html.escape(self.title)}</b>" if self.title else ""
        return f'<div class="cs">{STYLE}{title}<table><tr>{head}</tr>{body}</table>{notes}</div>'

    def _numeric(self, place: int) -> bool:
        return any(_is_number(row[place]) for row in self.rows)

    def _head(self, place: int) -> str:
        side = ' class="num"' if self._numeric(place) else ""
        return f"<th{side}>{html.escape(self.columns[place])}</th>"

    def _cell(self, column: str, cell: Any) -> str:
        if isinstance(cell, Marked):
            return f"<td>{cell.markup}</td>"
        text = html.escape(show(cell))
        if column in self.bars and isinstance(cell, float) and cell == cell:
            text += f' <span class="track"><span class="bar" style="width:{max(cell, 0):.0%}"></span></span>'
        return f'<td class="num">{text}</td>' if _is_number(cell) else f"<td>{text}</td>"

    def records(self) -> list[dict[str, Any]]:
        """The rows as dicts, for --json."""
        return [dict(zip(self.columns, map(plain, row), strict=True)) for row in self.rows]


def show(cell: Any) -> str:
    """A cell as people read it: three decimals, thin thousands, a dash for what is not known."""
    if cell is None or (isinstance(cell, float) and cell != cell):
        return "–"
    if isinstance(cell, bool) or not _is_number(cell):
        return str(cell)
    if isinstance(cell, int):
        return f"{cell:,}"
    return f"{cell:.3f}" if abs(cell) < 1000 else f"{cell:,.0f}"


CONTROLS = {code: 0x2400 + code for code in range(32) if chr(code) not in "\n\t"} | {0x7F: 0x2421}


def visible(text: str) -> str:
    """Text whose control characters are pictures of themselves, so that data cannot steer a terminal.

    >>> visible("red \\x1b[31m")
    'red ␛[31m'
    """
    return text.translate(CONTROLS)


def plain(cell: Any) -> Any:
    """A cell as JSON can hold it: NaN becomes null, an interval its three numbers."""
    if isinstance(cell, float):
        return None if cell != cell else round(cell, 6)
    if isinstance(cell, tuple):
        return [plain(part) for part in cell]
    if isinstance(cell, Marked):
        return cell.text
    return cell


def _is_number(cell: Any) -> bool:
    return isinstance(cell, (int, float)) and not isinstance(cell, bool)


def vote_mark(function: str, label: str, code: int) -> str:
    """HTML of one vote: the function and its label, in the label's colour; the name says it, colour only helps."""
    colour = PALETTE[code % len(PALETTE)]
    return f'<span class="vote" style="color:{colour}">{html.escape(function)}: {html.escape(label)}</span>'

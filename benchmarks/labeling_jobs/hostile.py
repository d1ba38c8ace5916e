"""Hostile files: what reading each of them ends in, how long it takes, and how much memory.

    python benchmarks/labeling_jobs/hostile.py [--only WORD ...] [--markdown] [--json FILE]

Each file is made and read in a process of its own, which is killed at the deadline. What must happen: a clear error
with a fix, or rows that are set aside; never a crash, a hang, or memory without bound. Memory is the most the process ever
had above what it had before reading.
"""

from __future__ import annotations

import argparse
import gzip
import json
import os
import struct
import subprocess
import sys
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from time import perf_counter, process_time
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[1]))  # run by its path, it finds its neighbours

import numpy as np
import polars as pl

import consilience as cs
from consilience.errors import ConsilienceError
from jobs import SEED, Found, Job
from record import JSON_HELP, append_json, lines_file, machine, peak_mb, table

MB = 1024 * 1024
DEADLINE_S = 120.0
COLUMNS = ("attack", "what happened", "CPU s", "wall s", "peak MB", "held")


@dataclass(frozen=True)
class Attack:
    """A file to make, how to read it, and the most it may cost. ends: in "error", "aside" (some rows are) or "read"."""

    what: str
    name: str
    make: Callable[[Path], None]
    ends: str
    options: dict[str, Any] = field(default_factory=dict)
    seconds: float = 5.0
    megabytes: float = 400.0


def lines(path: Path, parts: Iterator[bytes] | list[bytes]) -> None:
    with path.open("wb") as out:
        out.writelines(parts)


def repeated(path: Path, head: bytes, part: bytes, times: int, tail: bytes = b"", packed: bool = False) -> None:
    """A file of head, many times a part, and tail, made without holding it."""
    with gzip.open(path, "wb", compresslevel=1) if packed else path.open("wb") as out:
        out.write(head)
        for _ in range(times):
            out.write(part)
        out.write(tail)


def parquet_bomb(path: Path, rows: int) -> None:
    """Many rows of one number: a few kilobytes."""
    pl.DataFrame({"n": pl.repeat(1, rows, dtype=pl.Int8, eager=True)}).write_parquet(path, compression="zstd")


def cut_short(path: Path, write: Callable[[pl.DataFrame, Path], Any]) -> None:
    """The first half of a sound file."""
    write(pl.DataFrame({"id": range(10_000), "text": ["hi"] * 10_000}), path)
    data = path.read_bytes()
    path.write_bytes(data[: len(data) // 2])


def flipped(path: Path, write: Callable[[pl.DataFrame, Path], Any]) -> None:
    """A sound file with bytes changed at random places."""
    write(pl.DataFrame({"id": range(1000), "text": ["hi"] * 1000}), path)
    data = bytearray(path.read_bytes())
    for place in np.random.default_rng(SEED).integers(4, len(data) - 4, 40).tolist():
        data[place] ^= 0xFF
    path.write_bytes(bytes(data))


def absurd_footer(path: Path) -> None:
    """A Parquet file whose footer claims to be two gigabytes."""
    path.write_bytes(b"PAR1" + b"\0" * 64 + struct.pack("<I", 2**31 - 1) + b"PAR1")


def docbin_bomb(path: Path, size: int) -> None:
    pack = zlib.compressobj(9)
    with path.open("wb") as out:
        for _ in range(size // MB):
            out.write(pack.compress(b"\0" * MB))
        out.write(pack.flush())


def device(path: Path) -> None:
    path.symlink_to("/dev/zero")


def keys_that_change(path: Path, n: int) -> None:
    lines(path, (json.dumps({"text": "hi", f"k{place}": place}).encode() + b"\n" for place in range(n)))


def nested_keys_that_change(path: Path, n: int) -> None:
    lines(path, (json.dumps({"text": "hi", "box": {f"k{place}": place}}).encode() + b"\n" for place in range(n)))


def json_rows(*rows: str, good: int = 1000) -> Callable[[Path], None]:
    sound = [b'{"text": "sound %d"}\n' % place for place in range(good)]
    return lambda path: lines(path, [*sound, *(row.encode() + b"\n" for row in rows), *sound])


def csv_rows(*rows: bytes, good: int = 1000) -> Callable[[Path], None]:
    sound = [b"sound,%d\n" % place for place in range(good)]
    return lambda path: lines(path, [b"text,n\n", *sound, *rows, *sound])


DEEP = "[" * 100_000 + "]" * 100_000
WIDE = ",".join(f"c{place}" for place in range(1_000_000))

# ruff: noqa: E501 - one attack a line
ATTACKS = [
    Attack("a cell of 100 MB", "x.csv", partial(repeated, head=b'text,n\nhi,1\n"', part=b"x" * MB, times=100, tail=b'",1\nho,2\n'), "aside"),
    Attack("a value of 100 MB", "x.jsonl", partial(repeated, head=b'{"text": "hi"}\n{"text": "', part=b"x" * MB, times=100, tail=b'"}\n{"text": "ho"}\n'), "aside"),
    Attack("a line of 500 MB without end", "x.csv", partial(repeated, head=b"text,n\nhi,1\n", part=b"x" * MB, times=500), "aside"),
    Attack("a quote that never closes, 100 MB", "x.csv", partial(repeated, head=b'text,n\n"open,1\n', part=b"sound,1\n" * 1000, times=12_500), "aside", seconds=20, megabytes=2000),
    Attack("a quote opened on each of 200,000 lines", "x.csv", partial(repeated, head=b"text,n\n", part=b'"open,1\n', times=200_000, tail=b"hi,1\n"), "aside", seconds=10),
    Attack("quotes that close nowhere sound, 200,000 lines", "x.csv", partial(repeated, head=b"text,n\nhi,1\n", part=b'a"b,"c\n', times=200_000, tail=b"hi,1\n"), "aside", seconds=30),
    Attack("1M columns", "x.csv", lambda path: path.write_text(f"{WIDE}\n{WIDE}\n") and None, "error"),
    Attack("a new key on each of 100,000 lines", "x.jsonl", partial(keys_that_change, n=100_000), "error"),
    Attack("a new nested key on each of 20,000 lines", "x.jsonl", partial(nested_keys_that_change, n=20_000), "read"),
    Attack("lists nested 100,000 deep", "x.jsonl", json_rows(f'{{"text": "a", "v": {DEEP}}}'), "aside"),
    Attack("lists nested 900 deep, 1,000 times", "x.jsonl", json_rows(*[f'{{"text": "a", "v": {"[" * 900 + "]" * 900}}}'] * 1000), "aside"),
    Attack("JSON nested 100,000 deep", "x.json", lambda path: path.write_text(DEEP) and None, "error"),
    Attack("an integer of 1M digits", "x.jsonl", json_rows(f'{{"text": "a", "v": {"9" * 1_000_000}}}'), "aside"),
    Attack("an integer of 4,000 digits", "x.jsonl", json_rows(f'{{"text": "a", "v": {"9" * 4_000}}}'), "read"),
    Attack("NaN, Infinity, 1e999", "x.jsonl", json_rows('{"text": "a", "v": NaN}', '{"text": "a", "v": -Infinity}', '{"text": "a", "v": 1e999}'), "read"),
    Attack("a key that comes twice", "x.jsonl", json_rows('{"text": "a", "text": "b"}'), "aside"),
    Attack("half a surrogate pair", "x.jsonl", json_rows('{"text": "\\ud800"}', '{"\\udfff": 1}'), "aside"),
    Attack("NUL bytes", "x.csv", csv_rows(b"a\0b,1\n"), "read"),
    Attack("Latin-1 in UTF-8", "x.csv", csv_rows(b"caf\xe9,1\n"), "aside"),
    Attack("UTF-16", "x.csv", lambda path: path.write_bytes("text,n\nhi,1\n".encode("utf-16")) and None, "error"),
    Attack("UTF-16 without a mark", "x.csv", lambda path: path.write_bytes("text,n\nhi,1\n".encode("utf-16-le")) and None, "error"),
    Attack("a picture", "x.csv", lambda path: path.write_bytes(np.random.default_rng(SEED).bytes(2 * MB)) and None, "error"),
    Attack("line ends of all kinds", "x.csv", csv_rows(b"a,1\r\n", b"b\rc,2\n", b"d,3\n"), "aside"),
    Attack("terminal escapes and formulas", "x.csv", csv_rows(b"\x1b]0;owned\x07\x1b[2J,1\n", b"=cmd|' /C calc'!A0,2\n"), "read"),
    Attack("a column named twice", "x.csv", lambda path: path.write_text("text,text\na,b\n") and None, "error"),
    Attack("an empty file", "x.csv", lambda path: path.touch(), "error"),
    Attack("a folder", "x.csv", lambda path: path.mkdir(), "error"),
    Attack("a pipe", "x.csv", os.mkfifo, "error"),
    Attack("a link to /dev/zero", "x.csv", device, "error"),
    Attack("a link to itself", "x.csv", lambda path: path.symlink_to(path), "error"),
    Attack("1 GB packed in 4 MB", "x.csv.gz", partial(repeated, head=b"text,n\n", part=b"sound,1\n" * 131_072, times=1_000, packed=True), "error"),
    Attack("1 GB in one line, packed", "x.jsonl.gz", partial(repeated, head=b'{"text": "', part=b"x" * MB, times=1_000, packed=True), "error"),
    Attack("a .gz file cut short", "x.csv.gz", lambda path: path.write_bytes(gzip.compress(b"text\n" + b"hi\n" * 99_999)[:-100]) and None, "error"),
    Attack("a zip", "x.csv.zip", lambda path: path.write_bytes(b"PK\3\4") and None, "error"),
    Attack("1G rows of one number", "x.parquet", partial(parquet_bomb, rows=1_000_000_000), "error"),
    Attack("Parquet cut short", "x.parquet", partial(cut_short, write=pl.DataFrame.write_parquet), "error"),
    Attack("Parquet with changed bytes", "x.parquet", partial(flipped, write=pl.DataFrame.write_parquet), "error"),
    Attack("a Parquet footer of 2 GB", "x.parquet", absurd_footer, "error"),
    Attack("Arrow cut short", "x.arrow", partial(cut_short, write=pl.DataFrame.write_ipc), "error"),
    Attack("Arrow with changed bytes", "x.arrow", partial(flipped, write=pl.DataFrame.write_ipc), "error"),
    Attack("a DocBin that unpacks to 1 GB", "x.spacy", partial(docbin_bomb, size=1024 * MB), "error", seconds=10),
    Attack("CoNLL: a sentence of 1M tokens, one of them broken", "x.conll", partial(repeated, head=b"a O\n\n", part=b"b O\n", times=1_000_000, tail=b"c\n\nd O\n"), "aside", seconds=10, megabytes=1200),
]  # fmt: skip


def attempt(attack: Attack, folder: Path) -> Found:
    """Make the file, read it, and say what happened."""
    path = folder / attack.name
    attack.make(path)
    before, wall, cpu = peak_mb(), perf_counter(), process_time()
    try:
        made = cs.read(path, **attack.options)
        aside = made.rejects
        said = f"{len(made):,} rows" + (f", {len(aside):,} set aside: {aside[0].reason}" if aside else "")
        ends = "aside" if aside else "read"
    except ConsilienceError as error:
        said, ends = str(error).split("\n")[0].replace(f"{folder}/", ""), "error"
        if "\nFix: " not in str(error):
            ends = "error without a fix"
    return {
        "said": said,
        "ends": ends,
        "cpu_s": process_time() - cpu,
        "wall_s": perf_counter() - wall,
        "peak_mb": round(peak_mb() - before),
    }


def measure(place: int, folder: Path) -> Found:
    """For the table of all lines of labeling: the same, as a Job gives it."""
    attack = ATTACKS[place]
    with TemporaryDirectory(dir=folder) as own:
        found = attempt(attack, Path(own))
    if found["ends"] != attack.ends:
        raise RuntimeError(f"{attack.what} ended in {found['ends']}: {found['said']}")
    return {**found, "wall_best_s": found["wall_s"], "runs": 1}


def jobs() -> list[Job]:
    """One line an attack; the bar is its deadline."""
    return [
        Job(f"hostile: {attack.what}", attack.name, partial(measure, place), bar=attack.seconds)
        for place, attack in enumerate(ATTACKS)
    ]


def in_own_process(place: int) -> Found:
    """What an attack does to a process of its own."""
    run = [sys.executable, __file__, "--attempt", str(place)]
    try:
        done = subprocess.run(run, capture_output=True, text=True, timeout=DEADLINE_S, check=False)
    except subprocess.TimeoutExpired:
        return {
            "said": "killed at the deadline",
            "ends": "hang",
            "cpu_s": DEADLINE_S,
            "wall_s": DEADLINE_S,
            "peak_mb": 0,
        }
    if done.returncode:
        said = (done.stderr.strip().splitlines() or [f"exit {done.returncode}"])[-1]
        return {"said": said, "ends": "crash", "cpu_s": 0.0, "wall_s": 0.0, "peak_mb": 0}
    return json.loads(done.stdout.splitlines()[-1])


def held(attack: Attack, found: Found) -> bool:
    return found["ends"] == attack.ends and found["cpu_s"] <= attack.seconds and found["peak_mb"] <= attack.megabytes


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", nargs="+", default=[], metavar="WORD")
    parser.add_argument("--json", type=Path, metavar="FILE", default=lines_file("hostile"), help=JSON_HELP)
    parser.add_argument("--markdown", action="store_true", help="print the table as Markdown")
    parser.add_argument("--attempt", type=int, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.attempt is not None:
        with TemporaryDirectory() as folder:
            print(json.dumps(attempt(ATTACKS[options.attempt], Path(folder))))
        return
    rows = []
    for place, attack in enumerate(ATTACKS):
        if options.only and not any(word.lower() in f"{attack.what} {attack.name}".lower() for word in options.only):
            continue
        found = in_own_process(place)
        said = found["said"] if len(found["said"]) < 90 else found["said"][:87] + "..."
        figures = [f"{found['cpu_s']:.2f}", f"{found['wall_s']:.2f}", str(found["peak_mb"])]
        rows.append(
            [
                f"{attack.what} ({attack.name})",
                f"{found['ends']}: {said}",
                *figures,
                "yes" if held(attack, found) else "NO",
            ]
        )
        append_json(
            options.json,
            {"benchmark": "hostile", "what": attack.what, **found, "version": cs.__version__, "machine": machine()},
        )
    print(table(COLUMNS, rows, markdown=options.markdown))
    print(f"\n{sum(row[-1] == 'yes' for row in rows)} of {len(rows)} held; {machine()}; consilience {cs.__version__}")


if __name__ == "__main__":
    main()

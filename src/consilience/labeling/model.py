"""Labeling functions that ask a trained model, and abstain where it is not sure enough.

A model gives probabilities (or just labels) for texts or columns: a scikit-learn estimator, an ONNX file, or anything
that can be called. Rows are given to it in pieces, so that memory stays small. `end_models.model_function` opens files.
"""

from __future__ import annotations

import hashlib
import re
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import polars as pl

from consilience.data.labels import ABSTAIN, Labels
from consilience.errors import DataError, ExtraError, FunctionError, nearest
from consilience.labeling.fingerprint import code_fingerprint
from consilience.labeling.function import Batch, Failure, LabelingFunction, Votes, fingerprint_of
from consilience.labeling.isolating import isolated
from consilience.labeling.state import state_fingerprint
from consilience.progress import track

Given = list[str] | pl.DataFrame
DIGITS = 9  # probabilities are compared rounded: their last bits depend on how many rows are multiplied at once
WEIGHTS_IN = re.compile(
    rb"\x0a\x08location\x12([\x80-\xff]?[\x00-\x7f])"
)  # then a name, of that length as protobuf has it
PICKLES = (".pkl", ".pickle", ".joblib", ".dill", ".pt", ".pth")


class Source(ABC):
    """What is asked.

    classes: None if only the answer names them. columns: those it wants by itself. gives_probabilities: None if that is
    not known before it is asked.
    """

    classes: list[Any] | None = None
    columns: list[str] | None = None
    gives_probabilities: bool | None = None

    @property
    @abstractmethod
    def fingerprint(self) -> str:
        """Hash of all that decides its answers."""

    @abstractmethod
    def ask(self, given: Given) -> Any:
        """A label for each of n texts or rows, or their probabilities: (n, k), or a Distribution."""


class Model(LabelingFunction):
    """Made by `model`."""

    kind = "model"

    def __init__(
        self,
        source: Source,
        *,
        labels: Sequence[str] | Mapping[Any, str | None] | None,
        threshold: float | Mapping[str, float] | None,
        columns: str | Sequence[str] | None,
        name: str | None,
        batch_size: int,
        fingerprint: str | None,
    ) -> None:
        if isinstance(labels, str) or (labels is not None and not len(labels)):
            raise FunctionError(f"labels={labels!r} name no labels.\nFix: give a list, or a dict from class to label.")
        if not isinstance(batch_size, int) or batch_size < 1:
            raise FunctionError(f"batch_size={batch_size!r} is no number of rows.\nFix: give a whole number above 0.")
        listed = [columns] if isinstance(columns, str) else [] if columns is None else columns
        if not isinstance(listed, (list, tuple)) or not all(isinstance(column, str) for column in listed):
            raise FunctionError(
                f"columns={columns!r} name no columns.\nFix: name one of texts, or give a list of names."
            )
        self.source = source
        self.columns = columns if columns is not None else source.columns
        self.batch_size = batch_size
        self.given_fingerprint = fingerprint
        self.names = _names(source.classes, labels)
        self.is_open = isinstance(labels, Mapping)  # classes that it leaves out are not said
        self.order = list(labels) if isinstance(labels, Sequence) else None
        self.labels = None if self.names is None else _said(self.names)
        self.threshold = _thresholds(threshold, self.labels)
        if threshold is not None and source.gives_probabilities is False:
            raise FunctionError("The model gives no probabilities, so a threshold means nothing.\nFix: leave it out.")
        self.name = name
        self.description = f"asks {source!r}" + ("" if threshold is None else f", at least {threshold}")

    @property
    def fingerprint(self) -> str:
        """Hash of what the model holds (or what was given for it), and of labels, thresholds and columns."""
        of_model = self.given_fingerprint or self.source.fingerprint
        names = None if self.names is None else [(repr(key), label) for key, label in self.names.items()]
        thresholds = sorted(self.threshold.items()) if isinstance(self.threshold, dict) else self.threshold
        columns = self.columns if isinstance(self.columns, str) or self.columns is None else list(self.columns)
        return fingerprint_of(self.kind, of_model, names, self.order, thresholds, columns)

    def vote(self, batch: Batch, labels: Labels) -> Votes:
        """Ask about every row that is not empty, some at a time. A row it cannot be asked about counts as a failure."""
        places, feed = self._rows(batch)
        codes = np.full(len(batch), ABSTAIN, np.int16)
        broken: dict[int, str] = {}
        pieces = [places[start : start + self.batch_size] for start in range(0, len(places), self.batch_size)]
        for piece in track(pieces, f"asking {self.name or 'a model'}"):
            said, wrong = isolated(lambda some: self._ask(feed(some), labels), piece)
            codes[piece] = [ABSTAIN if code is None else code for code in said]
            broken |= {piece[here]: text for here, text in wrong.items()}
        if not broken:
            return Votes(codes)
        first, text = min(broken.items())
        return Votes(codes, Failure(len(broken), str(batch.ids[first]), text))

    def _rows(self, batch: Batch) -> tuple[list[int], Callable[[list[int]], Given]]:
        """The rows that are not empty, and how to get what the model is given for some of them."""
        if self.columns is None or isinstance(self.columns, str):
            texts = batch.text(self.columns)
            return texts.is_not_null().arg_true().to_list(), lambda places: texts[places].to_list()
        for name in self.columns:
            if name == batch.gold_column:
                raise DataError(f"The gold column {name!r} is hidden from labeling functions.\nFix: use other columns.")
            if name not in batch.columns.columns:
                raise DataError(f"The rows have no column {name!r}.\nFix: {nearest(name, batch.columns.columns)}")
        frame = batch.columns.select(self.columns)
        filled = frame.select(pl.any_horizontal(pl.all().is_not_null())).to_series()
        return filled.arg_true().to_list(), lambda places: frame[places]

    def _ask(self, given: Given, labels: Labels) -> list[int]:
        """Codes of what the model says."""
        answer = self.source.ask(given)
        if isinstance(answer, Distribution):
            return self._most_probable(answer.probabilities, answer.classes, labels, len(given))
        array = np.asarray(answer) if hasattr(answer, "__array__") else None
        if array is not None and array.dtype.kind == "f":
            return self._most_probable(array, None, labels, len(given))
        said = array.tolist() if array is not None else answer
        if isinstance(said, (str, bytes)) or not hasattr(said, "__len__") or len(said) != len(given):
            raise FunctionError(
                f"The model gave {type(answer).__name__} for {len(given)} rows.\n"
                "Fix: return a label for each row, or an array of rows x labels of probabilities."
            )
        if self.threshold is not None:
            raise FunctionError("The model gave labels, so a threshold means nothing.\nFix: leave it out.")
        names = self.names
        return [
            ABSTAIN if label is None else _code(label, labels)
            for label in (said if names is None else map(self._label_of, said))
        ]

    def _label_of(self, said: Any) -> str | None:
        """The label of what the model said: of a class, or a label itself."""
        assert self.names is not None
        for key in (said, str(said)):
            if key in self.names:
                return self.names[key]
        if said is None or self.is_open:
            return None
        if said in self.names.values():
            return str(said)
        raise FunctionError(
            f"The model said {said!r}, which is none of its classes.\nFix: {nearest(str(said), map(str, self.names))}"
        )

    def _most_probable(
        self, proba: npt.NDArray[Any], classes: Sequence[Any] | None, labels: Labels, n: int
    ) -> list[int]:
        """Codes of the most probable label of each row among those that reach their thresholds."""
        proba = proba[:, None] if proba.ndim == 1 else proba
        names = self.names if self.names is not None else _names(list(classes), None) if classes else None
        if names is not None and classes is not None:  # in the order of the answer
            names = {key: names[key] if self.names is None else self._label_of(key) for key in classes}
        if names is None or proba.shape != (n, len(names)):
            raise FunctionError(
                f"The model gave probabilities of shape {proba.shape} for {n} rows"
                f"{'' if names is None else f' and {len(names)} classes'}.\n"
                "Fix: name the classes in the order of the columns, as in labels=['ham', 'spam']."
            )
        if not np.isfinite(proba).all():
            raise ValueError("the model gave a probability that is no number")
        said = _said(names)
        mass = np.stack(
            [proba[:, [place for place, name in enumerate(names.values()) if name == one]].sum(axis=1) for one in said],
            axis=1,
        )
        if self.threshold is None:
            least = np.array([0.5 if len(names) == 1 else 0.0] * len(said))
        elif isinstance(self.threshold, dict):
            least = np.array([self.threshold.get(name, np.inf) for name in said])
        else:
            least = np.full(len(said), self.threshold)
        mass = np.round(mass.astype(np.float64), DIGITS if proba.dtype == np.float64 else 5)
        enough = np.where(mass >= np.round(least, DIGITS), mass, -1.0)
        codes = np.array([_code(name, labels) for name in said])
        return np.where(enough.max(axis=1) < 0, ABSTAIN, codes[enough.argmax(axis=1)]).tolist()


class Distribution:
    """Probabilities with their classes: (n, k), and k classes."""

    def __init__(self, probabilities: npt.NDArray[Any], classes: Sequence[Any]) -> None:
        self.probabilities, self.classes = probabilities, classes


def _names(
    classes: list[Any] | None, labels: Sequence[str] | Mapping[Any, str | None] | None
) -> dict[Any, str | None] | None:
    """The label of each class of the model (None: it abstains there); None if nobody says what the classes are."""
    if isinstance(labels, Mapping):
        as_text = {str(key): label for key, label in labels.items()}
        unknown = next((key for key in as_text if classes is not None and key not in map(str, classes)), None)
        if unknown is not None:
            raise FunctionError(
                f"The model has no class {unknown!r}.\nFix: {nearest(unknown, map(str, classes or ()))}"
            )
        return {key: as_text.get(str(key)) for key in classes} if classes is not None else dict(as_text)
    if labels is not None:
        if classes is not None and len(classes) != len(labels):
            raise FunctionError(
                f"The model has {len(classes)} classes, but labels= names {len(labels)}.\n"
                f"Fix: name one for each of {', '.join(map(str, classes))}."
            )
        return dict(zip(classes if classes is not None else range(len(labels)), labels, strict=True))
    return None if classes is None else {key: str(key) for key in classes}


def _said(names: Mapping[Any, str | None]) -> tuple[str, ...]:
    said = tuple(dict.fromkeys(name for name in names.values() if name is not None))
    bad = next((name for name in said if not isinstance(name, str) or not name), None)
    if bad is not None or not said:
        raise FunctionError(f"{bad!r} cannot be a label.\nFix: name the labels that the model may say, in labels=.")
    return said


def _code(label: Any, labels: Labels) -> int:
    code = labels.find(label)
    if code is None:
        raise FunctionError(
            f"The model said {label!r}, which is not a label.\nFix: {nearest(str(label), labels.votes)} "
            "Map its classes with labels={...}."
        )
    return code


def _thresholds(given: Any, labels: tuple[str, ...] | None) -> float | dict[str, float] | None:
    if given is None:
        return None
    each = given if isinstance(given, Mapping) else {"": given}
    for name, value in each.items():
        if isinstance(given, Mapping) and labels is not None and name not in labels:
            raise FunctionError(f"There is a threshold for {name!r}.\nFix: {nearest(name, labels)}")
        if isinstance(value, bool) or not isinstance(value, (int, float)) or not 0 <= value <= 1:
            raise FunctionError(f"The threshold {value!r} is no probability.\nFix: give a number from 0 to 1.")
    return {str(name): float(value) for name, value in given.items()} if isinstance(given, Mapping) else float(given)


# what can be asked


def source_of(given: Any) -> Source:
    """What to ask. Raises FunctionError for what is no model, and for files that could run code."""
    if isinstance(given, (str, Path)):
        return Onnx(_model_file(Path(given)))
    if hasattr(given, "predict"):
        return Estimator(given)
    if callable(given):
        return Called(given)
    raise FunctionError(
        f"A {type(given).__name__} is no model.\nFix: give a fitted estimator, an ONNX file, or a function of texts."
    )


def _model_file(path: Path) -> Path:
    if path.suffix.lower() in PICKLES:
        raise FunctionError(
            f"{path.name} is a pickle, which can run any code when it is opened.\n"
            "Fix: save the model as ONNX (.onnx), or with TextClassifier.save (.npz); or open it yourself in Python."
        )
    if path.suffix.lower() != ".onnx":
        raise FunctionError(f"{path.name} is no model that can be opened.\nFix: give an .onnx or an .npz file.")
    if not path.is_file():
        raise FunctionError(f"There is no file {path}.\nFix: check the path.")
    return path


class Estimator(Source):
    """A fitted classifier with scikit-learn's contract."""

    def __init__(self, estimator: Any) -> None:
        self.estimator = estimator
        classes = getattr(estimator, "classes_", None)
        if classes is None:
            raise FunctionError(f"{estimator!r} has no classes_.\nFix: fit it first, and give a classifier.")
        self.classes = list(classes.tolist() if hasattr(classes, "tolist") else classes)
        self.gives_probabilities = hasattr(estimator, "predict_proba")
        names = getattr(estimator, "feature_names_in_", None)
        self.columns = None if names is None else [str(name) for name in names]

    @property
    def fingerprint(self) -> str:
        """Hash of its settings and of what was fitted."""
        return state_fingerprint(self.estimator)

    def ask(self, given: Given) -> Any:
        """Probabilities, or labels if it gives none."""
        inputs = given.to_numpy() if isinstance(given, pl.DataFrame) and self.columns is None else given
        if self.gives_probabilities:
            return np.asarray(self.estimator.predict_proba(inputs), np.float64)
        return np.asarray(self.estimator.predict(inputs), object)

    def __repr__(self) -> str:
        return type(self.estimator).__name__


class Called(Source):
    """A function of texts, or of a frame of columns."""

    def __init__(self, function: Callable[[Given], Any]) -> None:
        self.function = function

    @property
    def fingerprint(self) -> str:
        """Hash of its code, or of what the callable object holds."""
        if hasattr(self.function, "__code__") or hasattr(self.function, "__func__"):
            return code_fingerprint(self.function)
        return state_fingerprint((self.function, type(self.function).__call__))

    def ask(self, given: Given) -> Any:
        """What it returns."""
        return self.function(given)

    def __repr__(self) -> str:
        return getattr(self.function, "__name__", type(self.function).__name__)


class Onnx(Source):
    """An ONNX file, run by onnxruntime on one thread. A text goes into its only input, columns into inputs by name."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._session: Any = None

    @property
    def fingerprint(self) -> str:
        """Hash of the file, and of those beside it that hold its weights."""
        digest = hashlib.sha256(self.path.read_bytes())
        for beside in self._beside():
            digest.update(hashlib.sha256(beside.read_bytes()).digest())
        return digest.hexdigest()

    def _beside(self) -> list[Path]:
        """The files of weights that it names. Raises FunctionError if one is not there, or not in its folder."""
        folder, content = self.path.parent.resolve(), self.path.read_bytes()
        names = set()
        for mark in WEIGHTS_IN.finditer(content):
            length = sum((byte & 127) << 7 * place for place, byte in enumerate(mark[1]))
            names.add(content[mark.end() : mark.end() + length].decode(errors="replace"))
        found = [folder / name for name in sorted(names)]
        for path in found:
            if "\0" in str(path) or not path.resolve().is_relative_to(folder) or not path.is_file():
                raise FunctionError(
                    f"{self.path.name} keeps weights in {str(path)!r}, which is no file in its folder.\n"
                    "Fix: put it there, or save the model in one file."
                )
        return found

    def ask(self, given: Given) -> Any:
        """Its probabilities, with their classes where it names them; else the labels it gives."""
        outputs = self._opened().run(None, self._inputs(given))
        for output in outputs:
            if isinstance(output, list) and output and isinstance(output[0], dict):
                classes = list(output[0])
                return Distribution(np.array([[row[key] for key in classes] for row in output], np.float32), classes)
        for output in outputs:
            if getattr(output, "ndim", 0) == 2 and output.dtype.kind == "f":
                return output
        return [one.decode() if isinstance(one, bytes) else one for one in np.asarray(outputs[0]).reshape(-1).tolist()]

    def _inputs(self, given: Given) -> dict[str, npt.NDArray[Any]]:
        wanted = self._opened().get_inputs()
        if isinstance(given, list):
            return {wanted[0].name: _shaped(np.array(given, object), wanted[0])}
        if len(wanted) == 1:
            return {wanted[0].name: _shaped(given.to_numpy(), wanted[0])}
        lost = next((one.name for one in wanted if one.name not in given.columns), None)
        if lost is not None:
            raise FunctionError(f"{self.path.name} has an input {lost!r}.\nFix: {nearest(lost, given.columns)}")
        return {one.name: _shaped(given[one.name].to_numpy(), one) for one in wanted}

    def _opened(self) -> Any:
        """The session, opened again if the file has changed."""
        now = self.path.stat().st_mtime_ns, self.path.stat().st_size
        if self._session is None or self._session[0] != now:
            try:
                import onnxruntime
            except ImportError:
                raise ExtraError(
                    "An ONNX model needs onnxruntime, which is not installed.\nFix: pip install 'consilience[onnx]'."
                ) from None
            self._beside()
            options = onnxruntime.SessionOptions()
            options.intra_op_num_threads = options.inter_op_num_threads = 1
            options.log_severity_level = 4  # what goes wrong is raised, not printed
            try:
                session = onnxruntime.InferenceSession(str(self.path), options, providers=["CPUExecutionProvider"])
            except Exception as error:
                raise FunctionError(
                    f"{self.path} cannot be opened as ONNX: {' '.join(str(error).split())[-300:]}\n"
                    "Fix: export the model again, or give it what it misses."
                ) from error
            self._session = (now, session)
        return self._session[1]

    def __getstate__(self) -> dict[str, Any]:
        return {"path": self.path, "_session": None}

    def __repr__(self) -> str:
        return self.path.name


ONNX_TYPES = {"tensor(float)": np.float32, "tensor(double)": np.float64, "tensor(int64)": np.int64}


def _shaped(values: npt.NDArray[Any], wanted: Any) -> npt.NDArray[Any]:
    """Values in the type and number of axes that an input wants."""
    typed = values.astype(ONNX_TYPES.get(wanted.type, object))
    return typed.reshape(-1, 1) if len(wanted.shape) == 2 and typed.ndim == 1 else typed
